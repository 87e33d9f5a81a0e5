"""Refreshing without rotation, and beside other requests that are quicker."""

import pytest

from domain.model.claims import Claims
from domain.model.errors import (
    RefreshTokenExpiredError,
    RefusalCause,
    SessionNotFoundError,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.sessions import Rotation, SessionPolicy
from domain.model.users import User
from ports.security_log import Happening
from tests.builders import WHOLE_LIST
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import assert_refused, event, read, read_access, refresh, sign_in, stored

DAY = 86_400
HOUR = 3600
ROTATION_OFF = SessionPolicy(rotation=False)


class ReadOnly(FakeSessions):
    """Takes no step, and says so loudly."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        raise AssertionError("nothing is to be written")


def test_rotation_off_gives_an_access_token_and_writes_nothing(service: FakeService) -> None:
    service.sessions = ReadOnly()
    service.policy = ROTATION_OFF
    token = sign_in(service)
    before = stored(service, token)
    for wait in (0, HOUR, DAY):
        service.clock.advance(wait)

        pair = service.refresh(token)

        assert (pair.refresh_token, pair.refresh_token_expires_in) == (None, None)
        assert read_access(service, pair).expires_at == service.clock.time + 900
        assert service.log.events[-1] == event(service, Happening.KEPT, token)
    assert stored(service, token) == before


def test_rotation_off_refuses_what_rotation_refuses(service: FakeService) -> None:
    """Logout, expiry and the user count all the same, and so does a theft that was seen before it was switched off."""
    first, elsewhere = sign_in(service), sign_in(service)
    second = refresh(service, first)
    service.clock.advance(31)
    third = refresh(service, second)
    service.policy = ROTATION_OFF

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


def test_rotation_off_serves_no_parent_side_by_side_with_its_child(service: FakeService) -> None:
    """Within the grace it is given the child; later one of the two is left behind, and ends the session."""
    first = sign_in(service)
    second = refresh(service, first)
    service.policy = ROTATION_OFF
    assert refresh(service, first) == second
    service.clock.advance(HOUR)
    assert service.refresh(second).refresh_token is None

    third = refresh(service, first)

    assert read(service, third).generation == 3
    assert service.log.events[-1] == event(service, Happening.RECOVERED, third)
    assert_refused(service, second, RefusalCause.REUSED)
    assert_refused(service, third, RefusalCause.REVOKED)


def test_rotation_off_writes_a_lost_row_again_so_that_the_session_can_be_listed_and_ended(
    service: FakeService,
) -> None:
    service.policy = ROTATION_OFF
    token = sign_in(service)
    service.sessions = FakeSessions()

    pair = service.refresh(token)

    assert pair.refresh_token is None
    assert service.log.events[-1] == event(service, Happening.HEALED, token, lost_generations=1)
    assert stored(service, token).token == read(service, token)
    (listed,) = service.list_sessions("ada", WHOLE_LIST)
    service.end("ada", listed.token.session_id, by=LOGIN)
    assert_refused(service, token, RefusalCause.REVOKED)
    with pytest.raises(SessionNotFoundError):
        service.end("ada", listed.token.session_id, by=LOGIN)


def test_rotation_off_gives_a_store_that_is_behind_what_the_token_says(service: FakeService) -> None:
    assert isinstance(service.sessions, FakeSessions)
    first = sign_in(service)
    backup = stored(service, first)
    second = refresh(service, first)
    service.policy = ROTATION_OFF
    service.sessions.lose_writes(backup)

    assert service.refresh(second).refresh_token is None

    assert stored(service, second).token == read(service, second)
    assert service.refresh(second).refresh_token is None


def test_rotation_off_and_on_again(service: FakeService) -> None:
    """The session's tokens are what they were."""
    token = refresh(service, sign_in(service))
    service.policy = ROTATION_OFF
    service.clock.advance(HOUR)
    assert service.refresh(token).refresh_token is None
    service.policy = SessionPolicy()

    assert read(service, refresh(service, token)).generation == 3


def test_request_that_always_loses_is_told_to_try_again(service: FakeService) -> None:
    """Somebody else is quicker every time, and what the store holds never explains it."""

    class AlwaysLosing(FakeSessions):
        attempts = 0

        def rotate(self, rotation: Rotation) -> Claims | None:
            self.attempts += 1
            return None

    service.sessions = store = AlwaysLosing()
    token = sign_in(service)
    before = stored(service, token)

    with pytest.raises(StoreUnavailableError):
        service.refresh(token)

    assert store.attempts == 1 + 8
    assert stored(service, token) == before
    assert service.log.happenings == [Happening.STARTED]


def test_request_that_loses_a_few_times_wins_in_the_end(service: FakeService) -> None:
    class OftenLosing(FakeSessions):
        losses = 8

        def rotate(self, rotation: Rotation) -> Claims | None:
            self.losses -= 1
            return super().rotate(rotation) if self.losses < 0 else None

    service.sessions = OftenLosing()

    assert refresh(service, sign_in(service))


@pytest.mark.parametrize("policy", [SessionPolicy(), SessionPolicy(replay_grace=300)])
@pytest.mark.parametrize("has_rotated", [False, True])
def test_request_that_loses_to_another_gets_the_winners_token(
    service: FakeService, policy: SessionPolicy, *, has_rotated: bool
) -> None:
    """The other one comes between the request's authentication and its own step."""

    class OvertakenOnce(FakeSessions):
        overtaker: str | None = None

        def rotate(self, rotation: Rotation) -> Claims | None:
            if (presented := self.overtaker) is not None:
                self.overtaker = None
                won.append(refresh(service, presented))
            return super().rotate(rotation)

    won: list[str] = []
    service.policy = policy
    service.sessions = store = OvertakenOnce()
    token = sign_in(service)
    if has_rotated:
        token = refresh(service, token)
        service.clock.advance(policy.replay_grace + 1)
    store.overtaker = token

    assert [refresh(service, token)] == won
    assert service.log.happenings[-2:] == [Happening.ROTATED, Happening.REPEATED]


def test_user_who_is_switched_off_between_two_looks_is_refused(service: FakeService) -> None:
    class SwitchedOffMeanwhile(FakeSessions):
        def rotate(self, rotation: Rotation) -> Claims | None:
            service.users.put(User(id="ada", active=False))
            return None

    service.sessions = SwitchedOffMeanwhile()

    assert_refused(service, sign_in(service), RefusalCause.USER_DISABLED)
