"""Expiry at its second, through the real clock and the real codec together: one before, at, and one after."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from falcon.testing import TestClient
from freezegun import freeze_time

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.http.contract import ACCESS_EXPIRED, EXPIRED, bearer, refresh_token_of

SIGN_IN = datetime(2031, 3, 9, 6, 59, 59, 999_999, tzinfo=UTC)
"""The last microsecond of a second, which counts from its beginning."""
SECOND = SIGN_IN.replace(microsecond=0)
DAY = 86_400

around = pytest.mark.parametrize(("late", "is_expired"), [(-1, False), (0, True), (1, True)])
with_leeway = pytest.mark.parametrize("leeway", [0, 1, 60])


class MachineClock(FakeClock):
    """The clock of this machine."""

    def now(self) -> int:
        return SystemClock().now()


@pytest.fixture
def service() -> FakeService:
    codec = AuthlibTokenCodec(
        KeyRing("kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU"), issuer="nuovo", audience="api", client_id="frontend"
    )
    return FakeService(clock=MachineClock(), tokens=codec)


@pytest.fixture
def leeway() -> int:
    return 0


@pytest.fixture
def client(service: FakeService, leeway: int, make_client: Callable[..., TestClient]) -> TestClient:
    service.policy = SessionPolicy(leeway=leeway)
    return make_client()


@pytest.fixture
def pair(service: FakeService, client: TestClient) -> TokenPair:
    """Return the tokens of a sign-in at that moment."""
    with freeze_time(SIGN_IN):
        return service.sign_in()


def refresh(client: TestClient, token: str) -> bytes | str:
    """Return the next refresh token, or the body of a refusal."""
    answer = client.simulate_post("/refresh_token", headers=bearer(token))
    content: bytes = answer.content
    return str(answer.json["data"]["refresh_token"]) if answer.status_code == 200 else content


@with_leeway
@around
def test_a_refresh_token_expires_at_its_second(
    client: TestClient, pair: TokenPair, leeway: int, late: int, *, is_expired: bool
) -> None:
    with freeze_time(SECOND + timedelta(seconds=14 * DAY + leeway + late)):
        assert (refresh(client, refresh_token_of(pair)) == EXPIRED) is is_expired


def test_a_refresh_token_works_to_the_last_microsecond(client: TestClient, pair: TokenPair) -> None:
    with freeze_time(SECOND + timedelta(days=14) - timedelta(microseconds=1)):
        assert refresh(client, refresh_token_of(pair)) != EXPIRED


@with_leeway
@around
def test_the_last_refresh_token_expires_with_its_session(
    client: TestClient, pair: TokenPair, leeway: int, late: int, *, is_expired: bool
) -> None:
    """However often it was rotated: sixty days after the sign-in the user signs in again."""
    token: bytes | str = refresh_token_of(pair)
    for day in (13, 26, 39, 52, 59):
        with freeze_time(SECOND + timedelta(days=day)):
            token = refresh(client, str(token))

    with freeze_time(SECOND + timedelta(seconds=60 * DAY + leeway + late)):
        assert (refresh(client, str(token)) == EXPIRED) is is_expired


@with_leeway
@around
def test_an_access_token_expires_at_its_second(
    client: TestClient, pair: TokenPair, leeway: int, late: int, *, is_expired: bool
) -> None:
    with freeze_time(SECOND + timedelta(seconds=900 + leeway + late)):
        answer = client.simulate_get("/sessions", headers=bearer(pair.access_token))
    assert (answer.content == ACCESS_EXPIRED) is is_expired
    assert (answer.status_code == 200) is not is_expired
