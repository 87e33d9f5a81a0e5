"""Refreshing without rotation, and beside other requests that are quicker."""

import pytest

from domain.model.errors import (
    RefreshTokenExpiredError,
    RefusalCause,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.sessions import Rotation, SessionPolicy
from domain.model.users import User
from ports.security_log import Happening
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import (
    assert_refused,
    event,
    read,
    read_access,
    refresh,
    sign_in,
    stored,
)

DAY = 86_400
HOUR = 3600


def test_rotation_off_gives_an_access_token_and_writes_nothing(service: FakeService) -> None:
    service.policy = SessionPolicy(rotation=False)
    token = sign_in(service)
    before = stored(service, token)
    for _ in range(3):
        service.clock.advance(HOUR)

        pair = service.refresh(token)

        assert (pair.refresh_token, pair.refresh_token_expires_in) == (None, None)
        assert read_access(service, pair).expires_at == service.clock.time + 900
        assert service.log.events[-1] == event(service, Happening.REFRESHED, token)
    assert stored(service, token) == before


def test_rotation_off_refuses_what_rotation_refuses(service: FakeService) -> None:
    """Logout, expiry and the user count all the same, and so does a theft that was seen before it was switched off."""
    first, elsewhere = sign_in(service), sign_in(service)
    third = refresh(service, refresh(service, first))
    service.policy = SessionPolicy(rotation=False)
    service.clock.advance(31)

    assert service.refresh(third).refresh_token is None
    assert_refused(service, first, RefusalCause.REUSED)
    assert_refused(service, third, RefusalCause.REVOKED)

    service.users.put(User(id="ada", active=False))
    assert_refused(service, elsewhere, RefusalCause.USER_DISABLED)
    service.users.remove("ada")
    with pytest.raises(UserNotFoundError):
        service.refresh(elsewhere)
    service.clock.advance(14 * DAY)
    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(elsewhere)


def test_rotation_off_and_on_again(service: FakeService) -> None:
    """A token within its grace or recovery may go on; the session's tokens are what they were."""
    first = sign_in(service)
    second = refresh(service, first)
    service.policy = SessionPolicy(rotation=False)
    assert service.refresh(first).refresh_token is None
    assert service.refresh(second).refresh_token is None
    service.policy = SessionPolicy()

    assert read(service, refresh(service, second)).generation == 3


def test_request_that_always_loses_is_told_to_try_again(service: FakeService) -> None:
    """Somebody else is quicker every time, and what the store holds never explains it."""

    class AlwaysLosing(FakeSessions):
        attempts = 0

        def advance(self, rotation: Rotation) -> bool:
            self.attempts += 1
            return False

    service.sessions = AlwaysLosing()
    token = sign_in(service)
    before = stored(service, token)

    with pytest.raises(StoreUnavailableError):
        service.refresh(token)

    assert service.sessions.attempts == 1 + 8
    assert stored(service, token) == before
    assert service.log.happenings == [Happening.STARTED]


def test_request_that_loses_a_few_times_wins_in_the_end(service: FakeService) -> None:
    class OftenLosing(FakeSessions):
        losses = 8

        def advance(self, rotation: Rotation) -> bool:
            self.losses -= 1
            return super().advance(rotation) if self.losses < 0 else False

    service.sessions = OftenLosing()

    assert refresh(service, sign_in(service))


def test_request_that_loses_to_another_gets_the_winners_token(service: FakeService) -> None:
    """The other one comes between the request's authentication and its own step."""

    class OvertakenOnce(FakeSessions):
        overtaker: str | None = None

        def advance(self, rotation: Rotation) -> bool:
            if (presented := self.overtaker) is not None:
                self.overtaker = None
                won.append(refresh(service, presented))
            return super().advance(rotation)

    won: list[str] = []
    service.sessions = OvertakenOnce()
    token = sign_in(service)
    service.sessions.overtaker = token

    assert [refresh(service, token)] == won
    assert service.log.happenings == [Happening.STARTED, Happening.ROTATED, Happening.REPLAYED]
