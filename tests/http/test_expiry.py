"""Expiry at its second, through the real clock and the real codec together: one before, at, and one after."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from domain.model.errors import AccessTokenExpiredError, RefreshTokenExpiredError
from domain.model.sessions import SessionPolicy
from domain.use_cases.start_session import SessionTerms
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.clock import SystemClock
from tests.fakes.service import LOGIN, FakeService

SIGN_IN = datetime(2031, 3, 9, 6, 59, 59, 999_999, tzinfo=UTC)
"""The last microsecond of a second, which counts from its beginning."""
SECOND = SIGN_IN.replace(microsecond=0)
DAY = 86_400
CLOCK = SystemClock()


@pytest.fixture
def service(service: FakeService) -> FakeService:
    service.tokens = AuthlibTokenCodec(
        KeyRing("kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU"), issuer="nuovo", audience="api", client_id="frontend"
    )
    return service


def sign_in(service: FakeService) -> tuple[str, str]:
    """Return an access token and a refresh token, issued at the sign-in."""
    with freeze_time(SIGN_IN):
        pair = replace(service.start, clock=CLOCK)("ada", SessionTerms(), by=LOGIN)
    assert pair.refresh_token is not None
    return pair.access_token, pair.refresh_token


@pytest.mark.parametrize("leeway", [0, 1, 60])
@pytest.mark.parametrize(("late", "is_expired"), [(-1, False), (0, True), (1, True)])
def test_a_refresh_token_expires_at_its_second(
    service: FakeService, leeway: int, late: int, *, is_expired: bool
) -> None:
    service.policy = SessionPolicy(leeway=leeway)
    _, token = sign_in(service)
    with freeze_time(SECOND + timedelta(seconds=14 * DAY + leeway + late)):
        if is_expired:
            with pytest.raises(RefreshTokenExpiredError):
                replace(service.refresh, clock=CLOCK)(token)
        else:
            assert replace(service.refresh, clock=CLOCK)(token).refresh_token_expires_in == 14 * DAY


def test_a_refresh_token_works_to_the_last_microsecond(service: FakeService) -> None:
    _, token = sign_in(service)
    with freeze_time(SECOND + timedelta(days=14) - timedelta(microseconds=1)):
        assert replace(service.refresh, clock=CLOCK)(token).refresh_token


@pytest.mark.parametrize("leeway", [0, 1, 60])
@pytest.mark.parametrize(("late", "is_expired"), [(-1, False), (0, True), (1, True)])
def test_the_last_refresh_token_expires_with_its_session(
    service: FakeService, leeway: int, late: int, *, is_expired: bool
) -> None:
    """However often it was rotated: sixty days after the sign-in the user signs in again."""
    service.policy = SessionPolicy(leeway=leeway)
    _, token = sign_in(service)
    for day in (13, 26, 39, 52, 59):
        with freeze_time(SECOND + timedelta(days=day)):
            following = replace(service.refresh, clock=CLOCK)(token).refresh_token
            assert following is not None
            token = following

    with freeze_time(SECOND + timedelta(seconds=60 * DAY + leeway + late)):
        if is_expired:
            with pytest.raises(RefreshTokenExpiredError):
                replace(service.refresh, clock=CLOCK)(token)
        else:
            assert replace(service.refresh, clock=CLOCK)(token).refresh_token_expires_in == max(0, 1 - leeway)


@pytest.mark.parametrize("leeway", [0, 1, 60])
@pytest.mark.parametrize(("late", "is_expired"), [(-1, False), (0, True), (1, True)])
def test_an_access_token_expires_at_its_second(
    service: FakeService, leeway: int, late: int, *, is_expired: bool
) -> None:
    service.policy = SessionPolicy(leeway=leeway)
    token, _ = sign_in(service)
    with freeze_time(SECOND + timedelta(seconds=900 + leeway + late)):
        if is_expired:
            with pytest.raises(AccessTokenExpiredError):
                replace(service.authenticate, clock=CLOCK)(token)
        else:
            assert replace(service.authenticate, clock=CLOCK)(token).user_id == "ada"
