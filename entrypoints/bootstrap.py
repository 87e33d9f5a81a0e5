"""The composition root: plain constructor calls, from settings to a service."""

from dataclasses import dataclass

import falcon
from pydantic import SecretStr

from domain.use_cases.service import Service
from entrypoints.cli.demo import DEMO_FOLDER_PREFIX, DEMO_USER
from entrypoints.cli.operations import Operations
from entrypoints.http.app import create_app
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.settings import Settings, SettingsError
from entrypoints.stores import open_stores
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from infrastructure.logs import StructlogSecurityLog


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
            demo_user=DEMO_USER if _is_demo(settings) else None,
        )


def build(settings: Settings) -> Built:
    """Return the service for `settings`. Raises `SettingsError` if a database URL cannot be used."""
    stores = open_stores(settings)
    tokens = AuthlibTokenCodec(
        KeyRing(
            settings.secret_key.get_secret_value(),
            [secret.get_secret_value() for secret in settings.previous_secret_keys],
        ),
        issuer=settings.issuer,
        audience=settings.audience,
        client_id=settings.client_id,
    )
    clock = SystemClock()
    service = Service(
        clock=clock,
        tokens=tokens,
        users=stores.users,
        sessions=stores.sessions,
        rotations=stores.rotations,
        log=StructlogSecurityLog(),
        policy=settings.policy,
    )
    return Built(
        settings=settings,
        operations=Operations(
            service=service,
            clock=clock,
            sessions=stores.sessions,
            transfer=stores.transfer,
            users=stores.users,
            directory=stores.directory,
            migrate=stores.migrate,
            check_ready=stores.check_ready,
            elsewhere=lambda url: _elsewhere(settings, url),
        ),
    )


def _elsewhere(settings: Settings, url: str) -> Operations:
    names = ("users_table", "users_id_column", "users_active_column", "users_database_url", "rotation_durability")
    changes = {name: Settings.model_fields[name].default for name in names} | {"database_url": SecretStr(url)}
    try:
        return build(settings.model_copy(update=changes)).operations
    except SettingsError as error:
        raise ValueError(*error.problems) from None


def _is_demo(settings: Settings) -> bool:
    # APPSEC: the demo signs in without a password, so a setting alone must never open a real database to it.
    return settings.demo and f"/{DEMO_FOLDER_PREFIX}" in settings.database_url.get_secret_value()
