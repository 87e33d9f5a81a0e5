"""Every row of the table of errors, and trouble below, at every endpoint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Never

import pytest
from falcon.testing import TestClient

from domain.model.errors import (
    InvalidClaimsError,
    InvalidRefreshTokenError,
    NuovoError,
    RefusalCause,
    StoreUnavailableError,
    UnknownPlaceError,
)
from domain.model.sessions import Rotation
from domain.model.tokens import TokenPair
from domain.model.users import User
from entrypoints.http import errors
from entrypoints.http.errors import HttpError, InvalidFieldError
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.http.contract import (
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    as_service,
    bearer,
    by_cookie,
    failure,
    refresh_token_of,
    with_access,
    with_cookie,
    with_refresh,
)

REFRESH, REVOKE, SESSIONS, ADAS = "/refresh_token", "/revoke_token", "/sessions", "/users/ada/sessions"
LIST_PARAMETERS = "The only query parameters are limit and after."


@dataclass(frozen=True)
class Row:
    """A case of the table: what is done to the service, what is sent, and what comes back."""

    case: str
    code: int
    message: str
    method: str = "POST"
    path: str = REFRESH
    headers: Callable[[TokenPair], dict[str, str]] = lambda _pair: {}
    prepare: Callable[[FakeService, TokenPair], object] = lambda _service, _pair: None
    request: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.case


def with_nonsense(_pair: TokenPair) -> dict[str, str]:
    return bearer("nonsense")


def two_weeks_later(service: FakeService, _pair: TokenPair) -> None:
    service.clock.advance(14 * 86_400)


def forget_ada(service: FakeService, _pair: TokenPair) -> None:
    service.users.remove("ada")


def disable_ada(service: FakeService, _pair: TokenPair) -> None:
    service.users.put(User(id="ada", active=False))


def log_out(service: FakeService, pair: TokenPair) -> None:
    service.revoke(refresh_token_of(pair))


def end_all(service: FakeService, _pair: TokenPair) -> None:
    service.end_all("ada", by=LOGIN)


def reuse(service: FakeService, pair: TokenPair) -> None:
    successor = refresh_token_of(service.refresh(refresh_token_of(pair)))
    service.clock.advance(service.policy.replay_grace + 1)
    service.refresh(successor)


INVALID_REFRESH, INVALID_ACCESS = "Invalid refresh token.", "Invalid access token."
UNKNOWN_ADA: dict[str, Any] = {"json": {"user_id": "carol"}}
ADA: dict[str, Any] = {"json": {"user_id": "ada"}}
JSON_TYPE = {"Content-Type": "application/json"}

TABLE = [
    Row("refresh, no token", 401, "Refresh token missing."),
    Row("refresh, not authentic", 401, INVALID_REFRESH, headers=with_nonsense),
    Row("refresh, not authentic, by cookie", 401, INVALID_REFRESH, headers=lambda _: by_cookie("nonsense")),
    Row("refresh, wrong type", 401, INVALID_REFRESH, headers=with_access),
    Row("refresh, revoked", 401, INVALID_REFRESH, headers=with_refresh, prepare=log_out),
    Row("refresh, reused", 401, INVALID_REFRESH, headers=with_refresh, prepare=reuse),
    Row("refresh, user disabled", 401, INVALID_REFRESH, headers=with_refresh, prepare=disable_ada),
    Row("refresh, cut off", 401, INVALID_REFRESH, headers=with_refresh, prepare=end_all),
    Row("refresh, expired", 401, "Refresh token has expired.", headers=with_refresh, prepare=two_weeks_later),
    Row("refresh, user gone", 404, "User not found.", headers=with_refresh, prepare=forget_ada),
    Row(
        "refresh, from another site",
        403,
        "Cross-site request refused.",
        headers=lambda pair: with_cookie(pair) | {"Sec-Fetch-Site": "cross-site"},
    ),
    Row(
        "refresh, two cookies",
        400,
        "Ambiguous credentials.",
        headers=lambda pair: with_cookie(pair) | {"Cookie": "__Host-refresh_token=a; __Host-refresh_token=b"},
    ),
    Row("logout, no token", 401, "Refresh token missing.", path=REVOKE),
    Row("logout, not authentic", 401, INVALID_REFRESH, path=REVOKE, headers=with_nonsense),
    Row("logout, wrong type", 401, INVALID_REFRESH, path=REVOKE, headers=with_access),
    Row(
        "logout, from another site",
        403,
        "Cross-site request refused.",
        path=REVOKE,
        headers=lambda pair: with_cookie(pair) | {"Sec-Fetch-Site": "none"},
    ),
    Row(
        "logout, two cookies",
        400,
        "Ambiguous credentials.",
        path=REVOKE,
        headers=lambda pair: with_cookie(pair) | {"Cookie": "__Host-refresh_token=a; __Host-refresh_token=b"},
    ),
    Row("start, no credential", 401, "Service credential missing.", path=SESSIONS, request=ADA),
    Row(
        "start, wrong credential", 401, "Invalid service credential.", path=SESSIONS, headers=with_nonsense, request=ADA
    ),
    Row("start, user's token", 401, "Invalid service credential.", path=SESSIONS, headers=with_access, request=ADA),
    Row("start, unknown user", 404, "User not found.", path=SESSIONS, headers=as_service, request=UNKNOWN_ADA),
    Row(
        "start, disabled user",
        403,
        "User disabled.",
        path=SESSIONS,
        headers=as_service,
        prepare=disable_ada,
        request=ADA,
    ),
    Row(
        "start, body too large",
        413,
        "Request body too large.",
        path=SESSIONS,
        headers=lambda pair: as_service(pair) | JSON_TYPE,
        request={"body": b'{"user_id": "ada"' + b" " * 8192 + b"}"},
    ),
    Row(
        "start, no JSON",
        400,
        "Request body is not valid JSON.",
        path=SESSIONS,
        headers=lambda pair: as_service(pair) | JSON_TYPE,
        request={"body": "{"},
    ),
    Row(
        "start, another media type",
        415,
        "Request body must be application/json.",
        path=SESSIONS,
        headers=as_service,
        request={"body": '{"user_id": "ada"}'},
    ),
    Row(
        "start, wrong field",
        422,
        "user_id: must be a string of 1 to 255 characters, none of them a control character.",
        path=SESSIONS,
        headers=as_service,
        request={"json": {"user_id": 42}},
    ),
    Row("list, no token", 401, "Access token missing.", "GET", SESSIONS),
    Row("list, not authentic", 401, INVALID_ACCESS, "GET", SESSIONS, with_nonsense),
    Row("list, wrong type", 401, INVALID_ACCESS, "GET", SESSIONS, with_refresh),
    Row("list, session over", 401, INVALID_ACCESS, "GET", SESSIONS, with_access, log_out),
    Row("list, expired", 401, "Access token has expired.", "GET", SESSIONS, with_access, two_weeks_later),
    Row("end all, no token", 401, "Access token missing.", "DELETE", SESSIONS),
    Row("end all, wrong type", 401, INVALID_ACCESS, "DELETE", SESSIONS, with_refresh),
    Row("end one, no token", 401, "Access token missing.", "DELETE", "/sessions/x"),
    Row("end one, wrong type", 401, INVALID_ACCESS, "DELETE", "/sessions/x", with_refresh),
    Row("end one, unknown", 404, "Session not found.", "DELETE", "/sessions/x", with_access),
    Row("list, unknown parameter", 422, LIST_PARAMETERS, "GET", SESSIONS, with_access, request={"params": {"x": "1"}}),
    Row("list of a user, no credential", 401, "Service credential missing.", "GET", ADAS),
    Row("list of a user, user's token", 401, "Invalid service credential.", "GET", ADAS, with_access),
    Row("end all of a user, no credential", 401, "Service credential missing.", "DELETE", ADAS),
    Row("end all of a user, user's token", 401, "Invalid service credential.", "DELETE", ADAS, with_refresh),
    Row(
        "end one of a user, nonsense",
        401,
        "Invalid service credential.",
        "DELETE",
        f"{ADAS}/x",
        with_nonsense,
    ),
    Row("end one of a user, unknown", 404, "Session not found.", "DELETE", f"{ADAS}/x", as_service),
    Row("unknown path", 404, "Not found.", path="/nowhere"),
    Row("wrong method", 405, "Method not allowed.", method="GET"),
]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_row_of_the_table(client: TestClient, service: FakeService, pair: TokenPair, row: Row) -> None:
    row.prepare(service, pair)
    answer = client.simulate_request(row.method, row.path, headers=row.headers(pair), **row.request)
    assert (answer.status_code, answer.content) == (row.code, failure(row.code, row.message))
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "image/*", "*/*;q=0", "nonsense", "", "text/html;q=\r\n", ";;,,=", "\xff"],
)
def test_an_error_is_json_whatever_is_accepted(client: TestClient, accept: str) -> None:
    """A browser's address bar and a picture's `Accept` get the envelope all the same."""
    for path, body in (("/nowhere", NOT_FOUND), ("/refresh_token", METHOD_NOT_ALLOWED)):
        answer = client.simulate_get(path, extras={"HTTP_ACCEPT": accept})
        assert answer.content == body
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/refresh_token", {"POST"}),
        ("/revoke_token", {"POST"}),
        ("/sessions", {"GET", "POST", "DELETE"}),
        ("/sessions/x", {"DELETE"}),
        ("/users/ada/sessions", {"GET", "DELETE"}),
        ("/users/ada/sessions/x", {"DELETE"}),
        ("/.well-known/jwks.json", {"GET"}),
        ("/health/live", {"GET"}),
        ("/health/ready", {"GET"}),
    ],
)
def test_a_wrong_method_is_405_with_the_right_ones(client: TestClient, path: str, methods: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        answer = client.simulate_request(method, path)
        assert (answer.status_code, answer.content) == (405, METHOD_NOT_ALLOWED)
        assert {name.strip() for name in answer.headers["Allow"].split(",")} - {"OPTIONS"} == methods


def test_head_is_answered_without_a_body(client: TestClient) -> None:
    answer = client.simulate_head("/refresh_token")
    assert (answer.status_code, answer.content) == (405, b"")


def every_error(root: type[Exception]) -> Iterator[type[Exception]]:
    for error in root.__subclasses__():
        yield error
        yield from every_error(error)


def test_every_error_has_its_answer() -> None:
    """One that the table forgot would be a 500. Those that name a field have a message of their own.

    An adapter's own kind of an error is answered as that error is.
    """
    answered = {*errors._ANSWERS, InvalidFieldError, InvalidClaimsError}
    raised = {*every_error(NuovoError), *every_error(HttpError)} - {UnknownPlaceError}  # of the command line alone
    assert answered <= raised
    assert [error for error in raised if answered.isdisjoint(error.__mro__)] == []


def test_an_adapters_own_kind_of_an_error_is_answered_as_that_error_is(
    make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair
) -> None:
    class OutOfInkError(StoreUnavailableError):
        pass

    class Printed(FakeSessions):
        def rotate(self, rotation: Rotation) -> Never:
            raise OutOfInkError

    service.sessions = Printed()
    answer = make_client().simulate_post(REFRESH, headers=with_refresh(pair))
    assert (answer.status_code, answer.content) == (503, UNAVAILABLE)


def test_causes_are_told_apart_in_the_log_alone(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """One body for all; the security log says which it was."""
    token = refresh_token_of(pair)
    log_out(service, pair)
    bodies = {
        client.simulate_post("/refresh_token", headers=bearer(presented)).content for presented in ("nonsense", token)
    }
    assert len(bodies) == 1
    causes = [event.cause for event in service.log.events[-2:]]
    assert causes == [RefusalCause.MALFORMED, RefusalCause.REVOKED]


@pytest.mark.parametrize("cause", RefusalCause)
def test_no_cause_is_ever_answered(
    make_client: Callable[..., TestClient], service: FakeService, cause: RefusalCause
) -> None:
    class Refusing(FakeSessions):
        def get(self, user_id: str, session_id: str) -> Never:
            raise InvalidRefreshTokenError(cause)

    pair = service.sign_in("ada")
    service.refresh(refresh_token_of(pair))
    service.sessions = Refusing()
    answer = make_client().simulate_post("/refresh_token", headers=with_refresh(pair))
    assert answer.content == failure(401, INVALID_REFRESH)
    assert cause.value not in str(answer.headers)
