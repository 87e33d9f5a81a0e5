"""A service over the real codec, with everything that it says and does in view."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog

from domain.model.sessions import Session
from entrypoints.http.app import create_app
from entrypoints.http.oauth.server import AuthorizationServer
from entrypoints.http.refresh_cookie import RefreshCookie
from infrastructure.authlib.dpop import AuthlibDPoP
from infrastructure.authlib.key_ring import KeyRing
from ports.token_codec import TokenCodec
from tests.builders import first_token
from tests.e2e.server import Nuovo
from tests.fakes.dpop import BASE
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.hostile.forge import AUDIENCE, CLIENT, ISSUER, PREVIOUS_SECRET, SECRET, SESSION_ID, strict_codec
from tests.hostile.wsgi import App
from tests.http.contract import ALLOWED_ORIGIN, SERVICE_CREDENTIAL


class Heard(logging.Handler):
    """Whatever is logged, by whichever way, as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def keep(self, _logger: object, _method: str, event: Any) -> Any:
        self.lines.append(repr(event))
        raise structlog.DropEvent


@dataclass
class Target:
    """What is attacked: the session of an honest token, and what is known of it afterwards."""

    heard: Heard
    codec: TokenCodec = field(default_factory=strict_codec)

    def __post_init__(self) -> None:
        self.sessions = FakeSessions()
        self.service = FakeService(tokens=self.codec, sessions=self.sessions)
        token = replace(first_token("ada"), session_id=SESSION_ID)
        self.sessions.start(replace(Session.recalled(token), device="Laptop"))
        self.dpop = AuthlibDPoP(KeyRing(SECRET), self.service.clock, base=BASE)
        self.app = self.new_app()

    def state(self) -> object:
        """Return all that the store holds."""
        return dict(self.sessions.rows), dict(self.sessions.cut_offs), self.sessions.purged_until

    def said(self) -> str:
        """Return all that was logged since the last time, security events included."""
        text = "\n".join([*self.heard.lines, *map(repr, self.service.log.events)])
        self.heard.lines.clear()
        self.service.log.events.clear()
        return text

    def new_app(self) -> App:
        """Return an application over the service as it is now."""
        return create_app(
            self.service,
            check_ready=lambda: None,
            cookie=RefreshCookie(),
            service_credentials=[SERVICE_CREDENTIAL],
            allowed_origins=[ALLOWED_ORIGIN],
            server=AuthorizationServer(issuer=ISSUER, audience=AUDIENCE, client_id=CLIENT, base=ISSUER),
            dpop=self.dpop,
        )


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    """Listen to every logger at DEBUG."""
    heard = Heard()
    root = logging.getLogger()
    level = root.level
    root.addHandler(heard)
    root.setLevel(logging.DEBUG)
    log = structlog.wrap_logger(None, processors=[structlog.processors.format_exc_info, heard.keep])
    monkeypatch.setattr("entrypoints.http.errors._log", log)
    yield heard
    root.removeHandler(heard)
    root.setLevel(level)


@pytest.fixture
def make_target(heard: Heard) -> Callable[..., Target]:
    """Return a target, over the service's codec or another one."""
    return lambda *codec: Target(heard, *codec)


@pytest.fixture
def target(make_target: Callable[..., Target]) -> Target:
    return make_target()


@pytest.fixture(scope="session")
def nuovo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nuovo]:
    """Return a running service that logs all it can. Tests share it and leave it running."""
    folder = tmp_path_factory.mktemp("nuovo")
    environment = {
        "NUOVO_LOG_LEVEL": "DEBUG",
        "NUOVO_SECRET_KEY": SECRET,
        "NUOVO_PREVIOUS_SECRET_KEYS": PREVIOUS_SECRET,
        "NUOVO_PUBLIC_URL": BASE,
    }
    with Nuovo(folder, f"sqlite:///{folder}/nuovo.sqlite3", environment=environment).prepare() as nuovo:
        yield nuovo


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was tried, for docs/reliability.md."""
    figures: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name.startswith("hostile") and isinstance(value, int):
                figures[name.replace("_", " ")] += value
    if figures:
        said = ", ".join(f"{name}: {value}" for name, value in sorted(figures.items()))
        terminalreporter.write_line(f"{said}; 0 accepted, 0 answers of 500")
