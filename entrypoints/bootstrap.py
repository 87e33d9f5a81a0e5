"""The composition root: plain constructor calls, from settings to a service."""

from dataclasses import dataclass

import falcon

from domain.use_cases.service import Service
from entrypoints.cli.demo import DEMO_USER, is_own_demo
from entrypoints.cli.operations import Operations
from entrypoints.http.app import create_app
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.settings import PREFIX, Settings, SettingsError
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from infrastructure.logs import StructlogSecurityLog
from infrastructure.peewee.database_url import InvalidDatabaseUrlError, open_engine
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.readiness import Readiness
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A service wired to its stores, for both kinds of entry point. Nothing is connected before it is needed."""

    settings: Settings
    operations: Operations

    def app(self) -> "falcon.App[falcon.Request, falcon.Response]":
        """Return the WSGI application."""
        settings = self.settings
        return create_app(
            self.operations.service,
            check_ready=self.operations.check_ready,
            cookie=RefreshCookie(
                name=settings.cookie_name,
                path=settings.cookie_path,
                domain=settings.cookie_domain,
                same_site=settings.cookie_same_site,
            ),
            service_credentials=[secret.get_secret_value() for secret in settings.service_credentials],
            allowed_origins=settings.allowed_origins,
            demo_user=DEMO_USER if settings.demo else None,
        )


def build(settings: Settings) -> Built:
    """Return the service for `settings`. Raises `SettingsError` if a database URL cannot be used."""
    if settings.demo and not is_own_demo(settings.database_url.get_secret_value()):
        raise SettingsError([f"{PREFIX}DEMO is for `nuovo serve --demo` itself to set; unset it"])
    engine = _engine(settings.database_url.get_secret_value(), settings, "DATABASE_URL")
    users_engine = engine
    if settings.users_database_url is not None:
        users_engine = _engine(settings.users_database_url.get_secret_value(), settings, "USERS_DATABASE_URL")
    schema = Schema(engine)
    tokens = AuthlibTokenCodec(
        KeyRing(
            settings.secret_key.get_secret_value(),
            [secret.get_secret_value() for secret in settings.previous_secret_keys],
        ),
        issuer=settings.issuer,
        audience=settings.audience,
        client_id=settings.client_id,
    )
    users = PeeweeUsers(
        users_engine,
        UsersTable(
            name=settings.users_table,
            id_column=settings.users_id_column,
            active_column=settings.users_active_column,
        ),
    )
    sessions = PeeweeSessions(engine)
    two_places = RotationsInTwoPlaces(users, sessions)
    readiness = Readiness(engine, schema, users)
    service = Service(
        clock=SystemClock(),
        tokens=tokens,
        users=users,
        sessions=sessions,
        rotations=PeeweeRotations(users, restoring=two_places) if users_engine is engine else two_places,
        log=StructlogSecurityLog(),
        policy=settings.policy,
    )
    return Built(
        settings=settings,
        operations=Operations(
            service=service,
            sessions=sessions,
            users=users,
            directory=PeeweeUserDirectory(engine),
            reads_directory=users_engine is engine and settings.users_table == UsersTable().name,
            migrate=schema.migrate,
            check_ready=readiness.require,
            describe=readiness.describe,
        ),
    )


def _engine(url: str, settings: Settings, name: str) -> Engine:
    try:
        return open_engine(url, sync_every_write=settings.rotation_durability == "disk")
    except InvalidDatabaseUrlError as error:
        raise SettingsError([f"{PREFIX}{name} {error}"]) from None
