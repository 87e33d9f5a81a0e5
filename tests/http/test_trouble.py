"""Trouble below, and defects, at every endpoint."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Never

import pytest
from falcon.testing import Result, TestClient

from domain.model.errors import StoreUnavailableError
from domain.model.tokens import TokenPair
from ports.sessions import Sessions
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.users import FakeUsers
from tests.http.contract import (
    DEFECT,
    UNAVAILABLE,
    as_service,
    bearer,
    by_cookie,
    not_ready,
    refresh_token_of,
    with_access,
    with_cookie,
    with_refresh,
)

Headers = Callable[[TokenPair], dict[str, str]]


@dataclass(frozen=True)
class Endpoint:
    """A request that would succeed, were there no trouble."""

    method: str
    path: str
    headers: Headers
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.headers.__name__}"


ENDPOINTS = [
    Endpoint("POST", "/refresh_token", with_refresh),
    Endpoint("POST", "/refresh_token", with_cookie),
    Endpoint("POST", "/revoke_token", with_refresh),
    Endpoint("POST", "/revoke_token", with_cookie),
    Endpoint("POST", "/sessions", as_service, {"json": {"user_id": "ada"}}),
    Endpoint("POST", "/sessions", as_service, {"json": {"user_id": "ada", "transport": "cookie"}}),
    Endpoint("GET", "/sessions", with_access),
    Endpoint("DELETE", "/sessions", with_access),
    Endpoint("DELETE", f"/sessions/{'x' * 22}", with_access),
    Endpoint("GET", "/users/ada/sessions", as_service),
    Endpoint("DELETE", "/users/ada/sessions", as_service),
    Endpoint("DELETE", f"/users/ada/sessions/{'x' * 22}", as_service),
]
EVERYWHERE = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)


def away(*_arguments: Any, **_options: Any) -> Never:
    raise StoreUnavailableError("connection to db.internal failed: password=hunter2")


def defective(*_arguments: Any, **_options: Any) -> Never:
    raise ZeroDivisionError("hunter2")


class AwaySessions(FakeSessions):
    start = rotate = get = revoke = end = end_all = list_live = purge = away


class AwayUsers(FakeUsers):
    find = away


class DefectiveSessions(FakeSessions):
    start = rotate = get = revoke = end = end_all = list_live = purge = defective


def ask(make_client: Callable[..., TestClient], service: FakeService, sessions: Sessions, endpoint: Endpoint) -> Result:
    """Send the request of `endpoint` while the service has `sessions` for its store."""
    headers = endpoint.headers(service.sign_in("ada"))
    service.sessions = sessions
    return make_client().simulate_request(endpoint.method, endpoint.path, headers=headers, **endpoint.options)


@EVERYWHERE
def test_a_store_in_trouble_is_503(
    make_client: Callable[..., TestClient],
    service: FakeService,
    log_lines: list[str],
    endpoint: Endpoint,
) -> None:
    """Never 400 or 401, never a cleared cookie: nothing is known about the token. The reason is for the log alone."""
    answer = ask(make_client, service, AwaySessions(), endpoint)
    assert (answer.status_code, answer.content) == (503, UNAVAILABLE)
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert "WWW-Authenticate" not in answer.headers
    (line,) = map(json.loads, log_lines)
    assert line["event"] == "store_unavailable"
    assert line["reason"].startswith("connection to db.internal failed")


@EVERYWHERE
def test_a_defect_is_500(
    make_client: Callable[..., TestClient],
    service: FakeService,
    log_lines: list[str],
    endpoint: Endpoint,
) -> None:
    """With the specification's message, and a trace in the log alone."""
    answer = ask(make_client, service, DefectiveSessions(), endpoint)
    assert (answer.status_code, answer.content) == (500, DEFECT)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert "Retry-After" not in answer.headers
    (line,) = map(json.loads, log_lines)
    assert line["event"] == "unexpected_error"
    assert "ZeroDivisionError: hunter2" in line["exception"]
    assert re.search(r"in defective\b", line["exception"])


@pytest.mark.parametrize("sent", [bearer, by_cookie], ids=["header", "cookie"])
def test_users_that_cannot_be_asked_are_503(
    make_client: Callable[..., TestClient],
    service: FakeService,
    pair: TokenPair,
    log_lines: list[str],
    sent: Callable[[str], dict[str, str]],
) -> None:
    service.users = AwayUsers()
    answer = make_client().simulate_post("/refresh_token", headers=sent(refresh_token_of(pair)))
    assert (answer.status_code, answer.content) == (503, UNAVAILABLE)
    assert "Set-Cookie" not in answer.headers
    assert len(log_lines) == 1


def test_a_bad_token_is_401_even_while_the_store_is_away(
    make_client: Callable[..., TestClient], service: FakeService
) -> None:
    """It is refused before the store is asked."""
    service.sessions, service.users = AwaySessions(), AwayUsers()
    answer = make_client().simulate_post("/refresh_token", headers=bearer("nonsense"))
    assert answer.status_code == 401


def test_trouble_goes_away_by_itself(make_client: Callable[..., TestClient], service: FakeService) -> None:
    client = make_client(check_ready=not_ready)
    assert client.simulate_get("/health/ready").status_code == 503
    assert client.simulate_get("/health/live").status_code == 200
