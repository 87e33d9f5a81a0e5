"""The HTTP application over fakes."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import falcon
import pytest
import structlog
from falcon.testing import TestClient

from domain.model.tokens import TokenPair
from entrypoints.http.app import create_app
from entrypoints.http.refresh_cookie import RefreshCookie
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL

App: TypeAlias = falcon.App[falcon.Request, falcon.Response]


@pytest.fixture
def make_app(service: FakeService) -> Callable[..., App]:
    """Return an application over the `service` fixture; keywords are those of `create_app`."""

    def make(**options: Any) -> App:
        options.setdefault("check_ready", lambda: None)
        options.setdefault("cookie", RefreshCookie())
        options.setdefault("service_credentials", [SERVICE_CREDENTIAL])
        return create_app(service, **options)

    return make


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    return make_app()


@pytest.fixture
def client(app: App) -> TestClient:
    return TestClient(app)


@pytest.fixture
def make_client(make_app: Callable[..., App]) -> Callable[..., TestClient]:
    """Return a client of an application of its own; keywords are those of `create_app`."""
    return lambda **options: TestClient(make_app(**options))


@pytest.fixture
def pair(service: FakeService) -> TokenPair:
    """Return the first tokens of a session of Ada's."""
    return service.sign_in("ada", device="Laptop")


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the HTTP entry point logs, as lines of JSON."""
    lines: list[str] = []

    def keep(logger: object, method: str, event: Any) -> Any:
        lines.append(json.dumps(event))
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[structlog.processors.format_exc_info, keep])
    monkeypatch.setattr("entrypoints.http.errors._log", log)
    return lines
