"""The HTTP application over fakes."""

from collections.abc import Callable
from typing import Any

import falcon
import pytest
from falcon.testing import TestClient

from domain.model.errors import StoreUnavailableError
from entrypoints.http.app import UseCases, create_app
from entrypoints.http.refresh_cookie import RefreshCookie
from tests.fakes.service import FakeService

SERVICE_CREDENTIAL = "6u2OkPuwYFbGZLM-Lr5rUE4gJVtEOcA0ehgxlXBfXqY"
App = falcon.App[falcon.Request, falcon.Response]


@pytest.fixture
def make_app(service: FakeService) -> Callable[..., App]:
    """Return an application over the `service` fixture; keywords are those of `create_app`."""

    def make(**options: Any) -> App:
        use_cases = UseCases(
            refresh=service.refresh,
            revoke=service.revoke,
            start=service.start,
            authenticate=service.authenticate,
            list_sessions=service.list_sessions,
            end=service.end,
            end_all=service.end_all,
            check_ready=options.pop("check_ready", lambda: None),
        )
        options.setdefault("cookie", RefreshCookie())
        options.setdefault("service_credentials", [SERVICE_CREDENTIAL])
        return create_app(use_cases, **options)

    return make


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    return make_app()


@pytest.fixture
def client(app: App) -> TestClient:
    return TestClient(app)


def not_ready() -> None:
    raise StoreUnavailableError("away")
