"""The composition root: plain constructor calls, from settings to a service."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from platform import python_version
from urllib.parse import urlsplit

import falcon
from pydantic import SecretStr

from domain.use_cases.count_adopted_sessions import CountAdoptedSessions
from domain.use_cases.service import Service
from entrypoints.adoption_settings import AdoptionSettings
from entrypoints.cli.demo import DEMO_USER, is_own_demo
from entrypoints.cli.operations import Operations
from entrypoints.http.app import create_app
from entrypoints.http.metrics import Metrics
from entrypoints.http.oauth.server import AuthorizationServer
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.moving_in import MovingIn
from entrypoints.old_endpoints import old_endpoints
from entrypoints.settings import PREFIX, Settings, SettingsError
from entrypoints.stores import Watched, open_stores
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.dpop import AuthlibDPoP
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import AccessKey, WeakKeyError, private_key, public_key
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from infrastructure.logs import StructlogSecurityLog
from ports.dpop import DPoP
from ports.security_log import SecurityLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A service wired to its stores, for both kinds of entry point. Nothing is connected before it is needed."""

    settings: Settings
    operations: Operations
    metrics: Metrics | None
    moving_in: MovingIn
    dpop: DPoP | None

    def app(self) -> "falcon.App[falcon.Request, falcon.Response]":
        """Return the WSGI application."""
        settings = self.settings
        base = settings.public_base(settings.issuer)
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
            server=AuthorizationServer(
                issuer=settings.issuer,
                audience=settings.audience,
                client_id=settings.client_id,
                base=settings.metadata_base(settings.issuer),
            ),
            dpop=self.dpop,
            public_path=urlsplit(base or "").path,
            public_keys=self.operations.public_keys,
            trusted_proxies=settings.trusted_proxies,
            metrics=self.metrics,
            metrics_credentials=[secret.get_secret_value() for secret in settings.metrics_credentials],
            demo_user=DEMO_USER if settings.demo else None,
            old_endpoints=old_endpoints(settings, self.moving_in, self.operations.service),
        )


def build(settings: Settings) -> Built:
    """Return the service for `settings`. Raises `SettingsError` if a database URL cannot be used."""
    if settings.demo and not is_own_demo(settings.database_url.get_secret_value()):
        raise SettingsError([f"{PREFIX}DEMO is for `nuovo serve --demo` itself to set; unset it"])
    stores = open_stores(settings)
    keys = _keys(settings)
    tokens = AuthlibTokenCodec(
        keys,
        issuer=settings.issuer,
        audience=settings.audience,
        client_id=settings.client_id,
    )
    clock = SystemClock()
    moving_in = MovingIn(settings, stores.application)
    count_adopted = CountAdoptedSessions(transfer=stores.transfer)

    base = settings.public_base(settings.issuer)
    metrics, log = _watched(stores.engines, settings, stores.check_ready)
    service = Service(
        clock=clock,
        tokens=moving_in.compatible(tokens),
        foreign=moving_in.foreign,
        users=stores.users,
        sessions=stores.sessions,
        rotations=stores.rotations,
        devices=AuthlibDeviceSessions(keys, clock),
        log=log,
        policy=settings.policy,
        claims_of_users=frozenset(claim for _, claim in settings.users_claims),
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
            reads_directory=stores.reads_directory,
            speaks_dpop=base is not None,
            migrate=stores.migrate,
            check_ready=stores.check_ready,
            describe=lambda: chain(stores.describe(), moving_in.describe(count_adopted, clock.now())),
            elsewhere=lambda url: _elsewhere(settings, url),
            public_keys=keys.public_keys,
        ),
        metrics=metrics,
        moving_in=moving_in,
        dpop=None if base is None else AuthlibDPoP(keys, clock, base=base),
    )


def _elsewhere(settings: Settings, url: str) -> Operations:
    own = ("users_table", "users_id_column", "users_active_column", "users_claims", "users_database_url")
    own_too = (*own, *AdoptionSettings.model_fields, "rotation_durability", "demo")
    changes = {name: Settings.model_fields[name].default for name in own_too}
    try:
        return build(settings.model_copy(update=changes | {"database_url": SecretStr(url)})).operations
    except SettingsError as error:
        raise ValueError(*error.problems) from None


def _keys(settings: Settings) -> KeyRing:
    signing = [] if settings.access_token_key is None else [settings.access_token_key.get_secret_value()]
    return KeyRing(
        settings.secret_key.get_secret_value(),
        [secret.get_secret_value() for secret in settings.previous_secret_keys],
        access_key=next(_read("ACCESS_TOKEN_KEY", private_key, signing), None),
        verification_keys=list(
            _read("ACCESS_TOKEN_VERIFICATION_KEYS", public_key, settings.access_token_verification_keys)
        ),
    )


def _read(name: str, read: Callable[[str], AccessKey], pems: list[str]) -> Iterator[AccessKey]:
    try:
        yield from map(read, pems)
    except WeakKeyError as error:
        raise SettingsError([f"{PREFIX}{name} {error}"]) from None


def _watched(
    engines: Mapping[str, Watched], settings: Settings, check_ready: Callable[[], None]
) -> tuple[Metrics | None, SecurityLog]:
    """Return the log, and metrics that hear of everything, if somebody may read them."""
    log = StructlogSecurityLog()
    if not settings.metrics_credentials:
        return None, log
    # Only who wants metrics waits for the library to be loaded.
    from infrastructure.prometheus.metrics import CountingSecurityLog, PrometheusMetrics  # noqa: PLC0415

    metrics = PrometheusMetrics(about=_about(settings), check_ready=check_ready)
    for name, engine in engines.items():
        engine.on_success, engine.on_failure = metrics.observe_statements(name), metrics.count_errors(name)
    return metrics, CountingSecurityLog(metrics, log)


def _about(settings: Settings) -> dict[str, dict[str, str]]:
    """Return what metrics say of this instance: its version, and the settings that explain its figures."""
    store = urlsplit(settings.database_url.get_secret_value()).scheme
    told = {"database": store, "rotation_durability": settings.rotation_durability, **asdict(settings.policy)}
    return {
        "nuovo_build_info": {"version": version("nuovo"), "python": python_version()},
        "nuovo_settings_info": {name: str(value).lower() for name, value in told.items()},
    }
