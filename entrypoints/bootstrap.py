"""The composition root: plain constructor calls, from settings to a service."""

from dataclasses import dataclass

import falcon

from domain.model.errors import StoreUnavailableError
from domain.use_cases.authenticate_access_token import AuthenticateAccessToken
from domain.use_cases.end_all_sessions import EndAllSessions
from domain.use_cases.end_session import EndSession
from domain.use_cases.list_sessions import ListSessions
from domain.use_cases.purge_expired_sessions import PurgeExpiredSessions
from domain.use_cases.refresh_access_token import RefreshAccessToken
from domain.use_cases.revoke_token import RevokeToken
from domain.use_cases.start_session import StartSession
from entrypoints.cli.demo import DEMO_FOLDER_PREFIX, DEMO_USER
from entrypoints.cli.operations import Operations
from entrypoints.http.app import UseCases, create_app
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.settings import PREFIX, Settings, SettingsError
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from infrastructure.logs import StructlogSecurityLog
from infrastructure.peewee.database import Engine, InvalidDatabaseUrlError, open_engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Everything that entry points offer, over one database. Nothing is connected before it is needed."""

    settings: Settings
    use_cases: UseCases
    operations: Operations

    def app(self) -> "falcon.App[falcon.Request, falcon.Response]":
        """Return the WSGI application."""
        settings = self.settings
        return create_app(
            self.use_cases,
            cookie=RefreshCookie(
                name=settings.cookie_name,
                path=settings.cookie_path,
                domain=settings.cookie_domain,
                same_site=settings.cookie_same_site,
            ),
            service_credentials=[secret.get_secret_value() for secret in settings.service_credentials],
            allowed_origins=settings.allowed_origins,
            demo_user=DEMO_USER if _is_demo(settings) else None,
        )


def build(settings: Settings) -> Service:
    """Return the service for `settings`. Raises `SettingsError` if a database URL cannot be used."""
    engine = _engine(settings.database_url.get_secret_value(), settings, "DATABASE_URL")
    users_engine = engine
    if settings.users_database_url is not None:
        users_engine = _engine(settings.users_database_url.get_secret_value(), settings, "USERS_DATABASE_URL")
    schema = Schema(engine)

    clock, log, policy = SystemClock(), StructlogSecurityLog(), settings.policy
    tokens = AuthlibTokenCodec(
        KeyRing(
            settings.secret_key.get_secret_value(),
            [secret.get_secret_value() for secret in settings.previous_secret_keys],
        ),
        issuer=settings.issuer,
        audience=settings.audience,
        client_id=settings.client_id,
    )
    sessions = PeeweeSessions(engine)
    users = PeeweeUsers(
        users_engine,
        UsersTable(
            name=settings.users_table,
            id_column=settings.users_id_column,
            active_column=settings.users_active_column,
        ),
    )

    def check_ready() -> None:
        if pending := schema.pending():
            raise StoreUnavailableError(f"migrations are pending: {', '.join(pending)}; run: nuovo migrate")
        users.inspect()

    start = StartSession(clock=clock, tokens=tokens, users=users, sessions=sessions, log=log, policy=policy)
    list_sessions = ListSessions(clock=clock, sessions=sessions)
    end = EndSession(clock=clock, sessions=sessions, log=log)
    end_all = EndAllSessions(clock=clock, sessions=sessions, log=log)
    return Service(
        settings=settings,
        use_cases=UseCases(
            refresh=RefreshAccessToken(
                clock=clock, tokens=tokens, users=users, sessions=sessions, log=log, policy=policy
            ),
            revoke=RevokeToken(clock=clock, tokens=tokens, sessions=sessions, log=log),
            start=start,
            authenticate=AuthenticateAccessToken(clock=clock, tokens=tokens, sessions=sessions, policy=policy),
            list_sessions=list_sessions,
            end=end,
            end_all=end_all,
            check_ready=check_ready,
        ),
        operations=Operations(
            start=start,
            list_sessions=list_sessions,
            end=end,
            end_all=end_all,
            purge=PurgeExpiredSessions(clock=clock, sessions=sessions, policy=policy),
            users=PeeweeUserDirectory(engine),
            migrate=schema.migrate,
            check_ready=check_ready,
        ),
    )


def _is_demo(settings: Settings) -> bool:
    # APPSEC: the demo signs in without a password, so a setting alone must never open a real database to it.
    return settings.demo and f"/{DEMO_FOLDER_PREFIX}" in settings.database_url.get_secret_value()


def _engine(url: str, settings: Settings, name: str) -> Engine:
    try:
        return open_engine(url, sync_every_write=settings.rotation_durability == "disk")
    except InvalidDatabaseUrlError as error:
        raise SettingsError([f"{PREFIX}{name} {error}"]) from None
