"""Trading a refresh token for a fresh access token: what is answered, stored and recorded in each case."""

import pytest

from domain.model.errors import (
    InvalidRefreshTokenError,
    RefreshTokenExpiredError,
    RefusalCause,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.sessions import RevocationReason, Rotation, SessionPolicy
from domain.model.tokens import RefreshToken
from domain.model.users import User
from ports.security_log import Happening, SecurityEvent
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import (
    MADE_UP_TOKEN,
    event,
    read,
    read_access,
    refresh,
    refresh_token_of,
    sign_in,
    stored,
)

DAY = 86_400
HOUR = 3600


def assert_refused(service: FakeService, presented: str, cause: RefusalCause) -> None:
    with pytest.raises(InvalidRefreshTokenError) as caught:
        service.refresh(presented)
    assert caught.value.cause is cause
    assert str(caught.value) == cause


def test_valid_request_with_a_working_refresh_token(service: FakeService) -> None:
    """The answer is an access token for the same user and session, and the next refresh token."""
    first = sign_in(service)
    service.clock.advance(600)

    pair = service.refresh(first)

    access = read_access(service, pair)
    assert (access.user_id, access.session_id) == ("ada", pair.session_id)
    assert (access.issued_at, access.expires_at) == (START + 600, START + 600 + 900)
    second = read(service, refresh_token_of(pair))
    assert (second.session_id, second.user_id, second.generation) == (pair.session_id, "ada", 2)
    assert second.expires_at == START + 600 + 14 * DAY
    assert pair.refresh_token_expires_in == 14 * DAY
    assert stored(service, first).current_token() == second
    assert service.log.events[1:] == [event(service, Happening.ROTATED, first, generation=2)]


def test_rotation_goes_on_for_the_life_of_the_session(service: FakeService) -> None:
    """Every refresh token works once, and the last one dies with the session, used every day or not."""
    token = sign_in(service)
    for _ in range(59):
        service.clock.advance(DAY)
        token = refresh(service, token)
    service.clock.advance(DAY - 1)
    pair = service.refresh(token)
    assert pair.refresh_token_expires_in == 1
    service.clock.advance(1)

    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(refresh_token_of(pair))


def test_every_token_has_its_own_jti(service: FakeService) -> None:
    token, access_ids, refresh_ids = sign_in(service), set(), set()
    for _ in range(20):
        pair = service.refresh(token)
        token = refresh_token_of(pair)
        access_ids.add(read_access(service, pair).id)
        refresh_ids.add(read(service, token).id)

    assert len(access_ids) == len(refresh_ids) == 20


def test_invalid_token(service: FakeService) -> None:
    assert_refused(service, MADE_UP_TOKEN, RefusalCause.MALFORMED)
    assert_refused(service, "", RefusalCause.MALFORMED)

    assert service.log.events == [SecurityEvent(happening=Happening.REFUSED, cause=RefusalCause.MALFORMED)] * 2


def test_token_of_the_wrong_type(service: FakeService) -> None:
    pair = service.start("ada")

    assert_refused(service, pair.access_token, RefusalCause.MALFORMED)


@pytest.mark.parametrize("leeway", [0, 10])
def test_expired_token(service: FakeService, leeway: int) -> None:
    """Refused from its second on, leeway included; before that, it works."""
    service.policy = SessionPolicy(leeway=leeway)
    token = sign_in(service)
    service.clock.advance(14 * DAY + leeway - 1)
    following = refresh(service, token)
    service.clock.advance(14 * DAY + leeway)

    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(following)

    assert stored(service, following).generation == 2
    assert service.log.events[-1] == event(service, Happening.REFUSED, following, cause=RefusalCause.EXPIRED)


def test_token_of_a_session_whose_life_was_shortened(service: FakeService) -> None:
    token = sign_in(service)
    service.policy = SessionPolicy(session_ttl=HOUR, refresh_token_ttl=HOUR)
    service.clock.advance(HOUR)

    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(token)


def test_user_not_found(service: FakeService) -> None:
    """The application has deleted the user; nothing is written, so that a mistake can be undone."""
    token = sign_in(service)
    before = stored(service, token)
    service.users.remove("ada")

    with pytest.raises(UserNotFoundError):
        service.refresh(token)

    assert service.log.events[-1] == event(service, Happening.REFUSED, token, cause=RefusalCause.USER_UNKNOWN)
    assert stored(service, token) == before
    service.users.put(User(id="ada"))
    assert refresh(service, token)


def test_user_switched_off_and_on_again(service: FakeService) -> None:
    token = sign_in(service)
    service.users.put(User(id="ada", active=False))

    assert_refused(service, token, RefusalCause.USER_DISABLED)

    assert service.log.events[-1] == event(service, Happening.REFUSED, token, cause=RefusalCause.USER_DISABLED)
    service.users.put(User(id="ada"))
    assert refresh(service, token)


def test_expiry_is_told_before_anything_about_the_user(service: FakeService) -> None:
    token = sign_in(service)
    service.users.remove("ada")
    service.clock.advance(14 * DAY)

    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(token)


def test_blacklisted_token_after_logout(service: FakeService) -> None:
    """No token of the session works again: not the current one, nor one in its grace."""
    first = sign_in(service)
    second = refresh(service, first)
    service.revoke(second)

    for token in (first, second):
        assert_refused(service, token, RefusalCause.REVOKED)
        assert service.log.events[-1] == event(service, Happening.REFUSED, token, cause=RefusalCause.REVOKED)


def test_token_of_a_user_whose_sessions_were_all_ended(service: FakeService) -> None:
    first, other = sign_in(service), sign_in(service, "bob")
    second = refresh(service, first)
    service.end_all("ada")

    for token in (first, second):
        assert_refused(service, token, RefusalCause.REVOKED)
    assert refresh(service, sign_in(service))
    assert refresh(service, other)


def test_replay_within_the_grace_gets_the_current_token(service: FakeService) -> None:
    """The same refresh token for everybody who asks, a new access token for each; nothing is written."""
    first = sign_in(service)
    second = refresh(service, first)
    before = stored(service, first)
    for wait in (0, 10, 20):
        service.clock.advance(wait)

        pair = service.refresh(first)

        assert pair.refresh_token == second
        assert pair.refresh_token_expires_in == 14 * DAY - (service.clock.time - START)
        assert read_access(service, pair).issued_at == service.clock.time
        assert service.log.events[-1] == event(service, Happening.REPLAYED, first)
    assert stored(service, first) == before


def test_replay_of_three_tabs_and_two_quick_rotations(service: FakeService) -> None:
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(2)
    third = refresh(service, second)
    service.clock.advance(2)

    assert refresh(service, first) == refresh(service, second) == third
    assert refresh(service, third) not in (first, second, third)


def test_lost_answer_is_recovered_the_next_morning(service: FakeService) -> None:
    """The session moves on past the successor that never arrived, which is a stolen one if it is ever presented."""
    first = sign_in(service)
    lost = refresh(service, first)
    service.clock.advance(10 * HOUR)

    recovered = refresh(service, first)

    assert recovered != lost
    assert read(service, recovered).generation == 3
    assert service.log.events[-1] == event(service, Happening.RECOVERED, first, generation=3)
    following = refresh(service, recovered)
    service.clock.advance(31)
    assert_refused(service, lost, RefusalCause.REUSED)
    assert_refused(service, following, RefusalCause.REVOKED)


def test_lost_answer_is_not_recovered_where_recovery_is_off(service: FakeService) -> None:
    service.policy = SessionPolicy(lost_answer_recovery=0)
    first = sign_in(service)
    lost = refresh(service, first)
    service.clock.advance(31)

    assert_refused(service, first, RefusalCause.REUSED)
    assert_refused(service, lost, RefusalCause.REVOKED)


def test_reuse_ends_the_session_before_it_is_refused(service: FakeService) -> None:
    first = sign_in(service)
    third = refresh(service, refresh(service, first))
    service.clock.advance(31)

    with pytest.raises(InvalidRefreshTokenError) as caught:
        service.refresh(first)

    assert caught.value.cause is RefusalCause.REUSED
    session = stored(service, first)
    assert (session.revoked_at, session.revocation_reason) == (START + 31, RevocationReason.REUSE)
    assert service.log.events[-2:] == [
        event(service, Happening.REVOKED, first, cause=RevocationReason.REUSE),
        event(service, Happening.REFUSED, first, cause=RefusalCause.REUSED),
    ]
    assert_refused(service, third, RefusalCause.REVOKED)


def test_reuse_is_not_refused_while_the_store_cannot_end_the_session(service: FakeService) -> None:
    """Otherwise the thief's token would be refused, and the session would live on."""

    class OutOfOrder(FakeSessions):
        def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
            raise StoreUnavailableError

    service.sessions = OutOfOrder()
    first = sign_in(service)
    refresh(service, refresh(service, first))
    service.clock.advance(31)

    with pytest.raises(StoreUnavailableError):
        service.refresh(first)

    assert Happening.REFUSED not in service.log.happenings


def test_reuse_ends_no_other_session(service: FakeService) -> None:
    first, elsewhere = sign_in(service), sign_in(service)
    refresh(service, refresh(service, first))
    service.clock.advance(31)

    assert_refused(service, first, RefusalCause.REUSED)

    assert refresh(service, elsewhere)


def test_store_that_lost_writes_is_healed(service: FakeService) -> None:
    """A restored backup: the newest token works, and the log tells how many rotations were gone."""
    assert isinstance(service.sessions, FakeSessions)
    token = sign_in(service)
    backup = stored(service, token)
    for _ in range(5):
        token = refresh(service, token)
    service.sessions.lose_writes(backup)

    healed = refresh(service, token)

    assert read(service, healed).generation == 7
    assert stored(service, token).lost_generations == 5
    assert service.log.events[-1] == event(service, Happening.HEALED, token, generation=7, lost_generations=5)


def test_store_that_lost_the_whole_session_is_healed(service: FakeService) -> None:
    token = refresh(service, sign_in(service))
    service.sessions = FakeSessions()

    healed = refresh(service, token)

    assert read(service, healed).generation == 3
    assert stored(service, token).current_token() == read(service, healed)
    assert service.log.events[-1] == event(service, Happening.HEALED, token, generation=3, lost_generations=2)
    service.revoke(token)
    assert_refused(service, healed, RefusalCause.REVOKED)


def test_stale_token_after_healing_ends_the_session(service: FakeService) -> None:
    first = sign_in(service)
    newest = refresh(service, refresh(service, first))
    service.sessions = FakeSessions()
    healed = refresh(service, newest)
    service.clock.advance(31)

    assert_refused(service, first, RefusalCause.REUSED)
    assert_refused(service, healed, RefusalCause.REVOKED)


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


def test_clock_that_is_set_back_logs_nobody_out(service: FakeService) -> None:
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(-10 * DAY)

    third = refresh(service, second)

    assert refresh(service, second) == third
    assert read(service, refresh(service, third)).generation == 4
