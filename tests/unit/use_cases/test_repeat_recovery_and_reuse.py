"""Presenting a refresh token that does not simply rotate: repeated, recovered, healed, or refused for good."""

import pytest

from domain.model.actors import THE_RULE
from domain.model.errors import InvalidRefreshTokenError, RefusalCause, StoreUnavailableError
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


def rotate_later(service: FakeService, presented: str) -> str:
    """Refresh as soon as the grace is over."""
    service.clock.advance(service.policy.replay_grace + 1)
    return refresh(service, presented)


def test_within_the_grace_the_current_token_and_its_parent_get_the_current_token(service: FakeService) -> None:
    """The same refresh token for everybody who asks, a new access token for each; nothing is written."""
    first = sign_in(service)
    second = refresh(service, first)
    before = stored(service, first)
    for wait in (0, 10, 20):
        service.clock.advance(wait)
        for presented in (first, second):
            pair = service.refresh(presented)

            assert pair.refresh_token == second
            assert pair.refresh_token_expires_in == 14 * DAY - (service.clock.time - START)
            assert read_access(service, pair).issued_at == service.clock.time
            assert service.log.events[-1] == event(service, Happening.REPEATED, presented)
    assert stored(service, first) == before


def test_a_burst_of_tabs_makes_one_rotation(service: FakeService) -> None:
    """Whatever the order in which answers come and tokens are presented again."""
    first = sign_in(service)
    second = refresh(service, first)
    for presented in (first, second, second, first, second, first):
        service.clock.advance(5)
        assert refresh(service, presented) == second

    assert read(service, rotate_later(service, second)).generation == 3


def test_without_a_grace_every_use_rotates(service: FakeService) -> None:
    service.policy = SessionPolicy(replay_grace=0)
    token = sign_in(service)
    for generation in range(2, 6):
        token = refresh(service, token)
        assert read(service, token).generation == generation


def test_lost_answer_is_recovered_the_next_morning(service: FakeService) -> None:
    """The session moves on past the successor that never arrived, which is a stolen one if it is ever presented."""
    first = sign_in(service)
    lost = refresh(service, first)
    service.clock.advance(10 * HOUR)

    recovered = refresh(service, first)

    assert recovered != lost
    assert read(service, recovered).generation == 3
    assert service.log.events[-1] == event(service, Happening.RECOVERED, recovered)
    assert_refused(service, lost, RefusalCause.REUSED)
    assert_refused(service, recovered, RefusalCause.REVOKED)


def test_lost_answer_is_not_recovered_where_recovery_is_off(service: FakeService) -> None:
    service.policy = SessionPolicy(lost_answer_recovery=0)
    first = sign_in(service)
    lost = refresh(service, first)
    service.clock.advance(31)

    assert_refused(service, first, RefusalCause.REUSED)
    assert_refused(service, lost, RefusalCause.REVOKED)


def test_reuse_ends_the_session_before_it_is_refused(service: FakeService) -> None:
    first = sign_in(service)
    third = rotate_later(service, refresh(service, first))

    with pytest.raises(InvalidRefreshTokenError) as caught:
        service.refresh(first)

    assert caught.value.cause is RefusalCause.REUSED
    session = stored(service, first)
    assert (session.revoked_at, session.revocation_reason) == (START + 31, RevocationReason.REUSE)
    assert service.log.events[-2:] == [
        event(service, Happening.ENDED, first, cause=RevocationReason.REUSE, actor=THE_RULE),
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
    rotate_later(service, refresh(service, first))

    with pytest.raises(StoreUnavailableError):
        service.refresh(first)

    assert Happening.REFUSED not in service.log.happenings


def test_reuse_ends_no_other_session(service: FakeService) -> None:
    first, elsewhere = sign_in(service), sign_in(service)
    rotate_later(service, refresh(service, first))

    assert_refused(service, first, RefusalCause.REUSED)

    assert refresh(service, elsewhere)


def test_store_that_lost_writes_is_healed(service: FakeService) -> None:
    """A restored backup: the newest token works, and the log tells how many rotations were gone."""
    assert isinstance(service.sessions, FakeSessions)
    token = sign_in(service)
    backup = stored(service, token)
    for _ in range(5):
        token = rotate_later(service, token)
    service.sessions.lose_writes(backup)

    healed = refresh(service, token)

    assert read(service, healed).generation == 7
    assert service.log.events[-1] == event(service, Happening.HEALED, healed, lost_generations=5)


def test_store_that_lost_the_whole_session_is_healed(service: FakeService) -> None:
    token = refresh(service, sign_in(service))
    service.sessions = FakeSessions()

    healed = refresh(service, token)

    assert read(service, healed).generation == 3
    assert stored(service, token).token == read(service, healed)
    assert service.log.events[-1] == event(service, Happening.HEALED, healed, lost_generations=2)
    service.revoke(token)
    assert_refused(service, healed, RefusalCause.REVOKED)


def test_stale_token_after_healing_ends_the_session(service: FakeService) -> None:
    first = sign_in(service)
    newest = rotate_later(service, refresh(service, first))
    service.sessions = FakeSessions()
    healed = refresh(service, newest)

    assert_refused(service, first, RefusalCause.REUSED)
    assert_refused(service, healed, RefusalCause.REVOKED)


def test_clock_that_is_set_back_logs_nobody_out(service: FakeService) -> None:
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(-10 * DAY)

    third = refresh(service, second)

    assert refresh(service, second) == third
    service.clock.advance(-DAY)
    assert read(service, refresh(service, third)).generation == 4
