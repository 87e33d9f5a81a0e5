"""Lists of sessions come in pages, the newest first, for their user and for the login service alike."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL, bearer, failure, refresh_token_of

Lister = Callable[..., Result]


@pytest.fixture(params=["/sessions", "/users/ada/sessions"])
def ask(request: pytest.FixtureRequest, client: TestClient, pair: TokenPair) -> Lister:
    """Ask for a list of Ada's sessions; keywords are the query."""
    credential = pair.access_token if request.param == "/sessions" else SERVICE_CREDENTIAL
    return lambda **query: client.simulate_get(request.param, headers=bearer(credential), params=query)


def walked(ask: Lister, limit: int) -> list[list[str]]:
    """Return the identifiers on each page, from the first to the last."""
    pages, query = list[list[str]](), {"limit": str(limit)}
    while True:
        data = ask(**query).json["data"]
        pages.append([session["id"] for session in data["sessions"]])
        if "next" not in data:
            return pages
        query["after"] = data["next"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1000])
def test_every_session_is_on_one_page(ask: Lister, service: FakeService, pair: TokenPair, limit: int) -> None:
    """Several of one second among them. No page is empty, and the last one says that it is."""
    started = [pair.session_id]
    for number in range(6):
        service.clock.advance(number % 2)
        started.append(service.sign_in("ada").session_id)
    pages = walked(ask, limit)
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 0 < len(pages[-1]) <= limit
    assert sorted(chain(*pages)) == sorted(started)
    whole = [session["started_at"] for session in ask().json["data"]["sessions"]]
    assert whole == sorted(whole, reverse=True)
    assert list(chain(*pages)) == [session["id"] for session in ask().json["data"]["sessions"]]


def test_a_page_has_a_hundred_unless_it_is_told(ask: Lister, service: FakeService) -> None:
    for _ in range(100):
        service.sign_in("ada")
    data = ask().json["data"]
    assert len(data["sessions"]) == 100
    assert len(ask(after=data["next"]).json["data"]["sessions"]) == 1


def test_sessions_that_come_and_go_between_pages_shift_nothing(ask: Lister, service: FakeService) -> None:
    """A page begins after a session, not after a number of them."""
    service.clock.advance(1)
    middle, newest = service.sign_in("ada"), service.sign_in("ada")
    service.clock.advance(1)
    first = ask(limit="2").json["data"]
    service.sign_in("ada")
    for seen in (middle, newest):
        service.revoke(refresh_token_of(seen))
    rest = ask(after=first["next"]).json["data"]["sessions"]
    assert len(rest) == 1
    assert {session["id"] for session in rest}.isdisjoint({session["id"] for session in first["sessions"]})


WRONG_LIMITS = ["", "0", "-1", "1001", "10000", "1.5", "ten", " 1", "+1", "1e2", "\u0661", "0x1", "01"]
WRONG_CURSORS = [
    "",
    "x",
    "~",
    "=" * 8,
    "A" * 5000,
    "\U0001f600",
    f"1735689600.{'x' * 21}",
    f"1735689600.{'x' * 23}",
    f"-1.{'x' * 22}",
    f"1e9.{'x' * 22}",
    f"{'9' * 13}.{'x' * 22}",
    f"1735689600.{'x' * 22}\n",
    f"1735689600.{'x' * 21}\u00e4",
    f"\u0661.{'x' * 22}",
    "1735689600",
]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        *(({"limit": limit}, "limit: must be a number from 1 to 1000.") for limit in WRONG_LIMITS),
        *(({"after": cursor}, "after: must be what an earlier page gave as next.") for cursor in WRONG_CURSORS),
        ({"limit": ["1", "2"]}, "limit: must be given once."),
        ({"after": ["a", "b"]}, "after: must be given once."),
        ({"offset": "1"}, "The only query parameters are limit and after."),
        ({"Limit": "1"}, "The only query parameters are limit and after."),
        ({"<script>": "1"}, "The only query parameters are limit and after."),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_query_that_is_not_understood_is_refused(ask: Lister, query: dict[str, Any], message: str) -> None:
    answer = ask(**query)
    assert (answer.status_code, answer.content) == (422, failure(422, message))


def test_a_cursor_may_lie_anywhere(ask: Lister) -> None:
    """It is a place in the list and no secret: the far future has everything after it, the past nothing."""
    assert len(ask(after=f"{'9' * 12}.{'x' * 22}").json["data"]["sessions"]) == 1
    assert ask(after=f"0.{'x' * 22}").json["data"] == {"sessions": []}


def test_everywhere_else(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """Signing out everywhere else leaves the one who asks, and says how many it was."""
    others = [service.sign_in("ada") for _ in range(2)]
    answer = client.simulate_delete("/sessions", headers=bearer(pair.access_token), params={"except": "current"})
    assert answer.json == {
        "status": "success",
        "code": 200,
        "data": {"message": "All other sessions ended.", "ended": 2},
    }
    for each, status in ((pair, 200), *((other, 401) for other in others)):
        assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(each))).status_code == status


@pytest.mark.parametrize("query", ["except=", "except=x", "except=Current", "expect=current", "except=current&a=b"])
def test_nobody_signs_out_everywhere_by_a_slip(client: TestClient, pair: TokenPair, query: str) -> None:
    answer = client.simulate_delete("/sessions", headers=bearer(pair.access_token), query_string=query)
    assert answer.status_code == 422
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).status_code == 200


def test_the_cookie_of_a_session_that_is_spared_stays(client: TestClient, pair: TokenPair) -> None:
    headers = bearer(pair.access_token) | {"Cookie": f"__Host-refresh_token={refresh_token_of(pair)}"}
    answer = client.simulate_delete("/sessions", headers=headers, params={"except": "current"})
    assert "Set-Cookie" not in answer.headers
