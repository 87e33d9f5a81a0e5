"""Presenting a refresh token that is not the current one: replayed, recovered, healed, or refused for good."""

import pytest

from domain.model.errors import (
    InvalidRefreshTokenError,
    RefusalCause,
    StoreUnavailableError,
)
from domain.model.sessions import RevocationReason, SessionPolicy
from domain.model.tokens import RefreshToken
from ports.security_log import Happening
from tests.fakes.clock import START
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


def test_clock_that_is_set_back_logs_nobody_out(service: FakeService) -> None:
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(-10 * DAY)

    third = refresh(service, second)

    assert refresh(service, second) == third
    assert read(service, refresh(service, third)).generation == 4
