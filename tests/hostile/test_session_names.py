"""Names of sessions that no store could hold, in the path of a request, over real stores."""

from collections.abc import Callable

import pytest

from tests.builders import WHOLE_LIST
from tests.fakes.service import FakeService
from tests.hostile.conftest import Target
from tests.hostile.wsgi import ask, on_the_wire
from tests.http.contract import failure
from tests.stores import SERVED, Opened

NAMES = [
    "\x00", "a\x00b", "A" * 22 + "\x00", "\x01", "\x7f", "\x1b[2J", "\xff", "\ufffe", "\U0001f600", "\u202e", "'", '"',
    "' OR 1=1 --", "%", "_" * 22, "*", "a" * 100_000, ".", "..", " ", "\t", "\r\n", "null", "0", "-1", "{}",
]  # fmt: skip


@pytest.fixture(params=SERVED)
def kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of store."""
    return str(request.param)


@pytest.fixture
def over_a_real_store(make_target: Callable[..., Target], kind: str, opened: Opened) -> Target:
    """Return a target whose sessions are in a store as services use it."""
    target = make_target()
    target.service.sessions = opened(kind).sessions
    target.app = target.new_app()
    return target


def sign_in(service: FakeService) -> tuple[str, str]:
    pair = service.sign_in("ada")
    return pair.session_id, pair.access_token


def test_what_no_store_could_hold_is_no_session(over_a_real_store: Target) -> None:
    """Neither a 500 nor a 503: the store is well, and an alarm would ring for a prank."""
    target = over_a_real_store
    session_id, access_token = sign_in(target.service)
    for name in NAMES:
        authorization = f"Bearer {access_token}"
        answer = ask(target.app, "DELETE", f"/sessions/{on_the_wire(name)}", HTTP_AUTHORIZATION=authorization)
        assert (answer.status, answer.body) == (404, failure(404, "Session not found.")), ascii(name[:20])
    assert "unavailable" not in target.said()
    assert [live.token.session_id for live in target.service.list_sessions("ada", WHOLE_LIST)] == [session_id]


def test_a_name_that_reaches_the_store_is_caught(
    over_a_real_store: Target, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the check PostgreSQL refuses to look for NUL, which passes for trouble of the store."""
    monkeypatch.setattr("domain.use_cases.end_session.is_id", lambda _value: True)
    target = over_a_real_store
    _, access_token = sign_in(target.service)
    answer = ask(target.app, "DELETE", "/sessions/\x00", HTTP_AUTHORIZATION=f"Bearer {access_token}")
    assert answer.status == (503 if kind == "postgres" else 404)
