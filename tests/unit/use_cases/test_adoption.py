"""A refresh token of another system becomes a session when it is first presented, and the rule holds from then on."""

import pytest

from domain.model.adoption import Scheme
from domain.model.errors import (
    InvalidRefreshTokenError,
    RefreshTokenExpiredError,
    RefusalCause,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.sessions import SessionPolicy
from ports.security_log import Happening
from tests.fakes.clock import START
from tests.fakes.foreign_tokens import FakeForeignTokens
from tests.fakes.service import LOGIN, FakeService
from tests.unit.use_cases.steps import assert_refused, refresh, refresh_token_of

DAY = 86_400
START_PLUS_A_YEAR = START + 365 * DAY


@pytest.fixture
def foreign() -> FakeForeignTokens:
    return FakeForeignTokens()


@pytest.fixture
def service(foreign: FakeForeignTokens) -> FakeService:
    return FakeService(foreign=foreign)


def test_it_becomes_a_session_of_its_user(service: FakeService, foreign: FakeForeignTokens) -> None:
    pair = service.refresh(foreign.issue("ada", claims={"role": "editor"}))
    token = service.tokens.read_refresh_token(refresh_token_of(pair))
    assert (token.user_id, token.generation) == ("ada", 2)
    assert service.tokens.read_access_token(pair.access_token).claims["role"] == "editor"
    (event,) = service.log.events
    assert (event.happening, event.scheme, event.session_id) == (Happening.ADOPTED, Scheme.SIMPLEJWT, token.session_id)


def test_its_claims_stay_in_every_later_access_token(service: FakeService, foreign: FakeForeignTokens) -> None:
    held = refresh(service, foreign.issue(claims={"role": "editor"}))
    service.clock.advance(900)
    pair = service.refresh(held)
    assert service.tokens.read_access_token(pair.access_token).claims["role"] == "editor"


def test_the_blocklist_is_asked_once(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    held = refresh(service, old)
    for _ in range(3):
        service.clock.advance(900)
        held = refresh(service, held)
    with pytest.raises(InvalidRefreshTokenError):
        service.refresh(old)
    assert foreign.asked == 1


def test_what_the_old_system_revoked_is_refused(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    foreign.revoked.add(old)
    assert_refused(service, old, RefusalCause.REVOKED)


def test_a_blocklist_that_cannot_be_read_clears_nobody(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    foreign.is_away = True
    with pytest.raises(StoreUnavailableError):
        service.refresh(old)
    foreign.is_away = False
    refresh(service, old)


def test_shown_again_at_once_it_is_a_repeat(service: FakeService, foreign: FakeForeignTokens) -> None:
    """Three tabs hold the old token: all get the one new token."""
    old = foreign.issue()
    assert len({refresh(service, old) for _ in range(3)}) == 1
    assert service.log.happenings == [Happening.ADOPTED, Happening.REPEATED, Happening.REPEATED]


def test_shown_again_after_a_lost_answer_it_recovers(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    refresh(service, old)
    service.clock.advance(3600)
    refresh(service, old)
    assert service.log.happenings[-1] is Happening.RECOVERED


def test_stolen_and_shown_after_its_owner_moved_on_it_ends_the_session(
    service: FakeService, foreign: FakeForeignTokens
) -> None:
    old = foreign.issue()
    held = refresh(service, old)
    service.clock.advance(900)
    held = refresh(service, held)
    service.clock.advance(900)
    assert_refused(service, old, RefusalCause.REUSED)
    assert_refused(service, held, RefusalCause.REVOKED)


def test_what_its_own_system_had_superseded_ends_the_session_of_its_successor(
    service: FakeService, foreign: FakeForeignTokens
) -> None:
    current = foreign.issue()
    superseded = foreign.issue(superseded_by=current)
    foreign.revoked.clear()
    held = refresh(service, current)
    assert_refused(service, superseded, RefusalCause.REUSED)
    assert_refused(service, held, RefusalCause.REVOKED)


def test_what_its_own_system_had_superseded_is_refused_before_that(
    service: FakeService, foreign: FakeForeignTokens
) -> None:
    superseded = foreign.issue(superseded_by="another")
    assert_refused(service, superseded, RefusalCause.REVOKED)


def test_a_logout_with_it_is_final(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    service.revoke(old)
    assert_refused(service, old, RefusalCause.REVOKED)
    assert foreign.asked == 0


def test_a_logout_with_it_ends_what_it_became(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    held = refresh(service, old)
    service.revoke(old)
    assert_refused(service, held, RefusalCause.REVOKED)


def test_a_cut_off_that_came_later_has_ended_it(service: FakeService, foreign: FakeForeignTokens) -> None:
    """Whoever signs out everywhere need not wait until every device has shown its old token."""
    old = foreign.issue()
    service.end_all("ada", by=LOGIN)
    assert_refused(service, old, RefusalCause.REVOKED)


def test_its_end_is_its_own_at_first(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    service.clock.advance(DAY)
    with pytest.raises(RefreshTokenExpiredError):
        service.refresh(old)


def test_a_session_of_it_lasts_as_any_other(service: FakeService, foreign: FakeForeignTokens) -> None:
    held = refresh(service, foreign.issue())
    service.clock.advance(13 * DAY)
    refresh(service, held)


def test_a_longer_policy_does_not_bring_back_what_was_ended(service: FakeService, foreign: FakeForeignTokens) -> None:
    """Its row is purged when no token of it can verify, whatever policies come."""
    old = foreign.issue(expires_at=START_PLUS_A_YEAR)
    service.revoke(old)
    service.clock.advance(61 * DAY)
    assert sum(service.purge()) == 0
    service.policy = SessionPolicy(session_ttl=400 * DAY)
    assert_refused(service, old, RefusalCause.REVOKED)


def test_its_user_must_exist_and_be_active(service: FakeService, foreign: FakeForeignTokens) -> None:
    with pytest.raises(UserNotFoundError):
        service.refresh(foreign.issue("nobody"))
    assert foreign.asked == 0


def test_while_rotation_is_off_it_stays_in_use(service: FakeService, foreign: FakeForeignTokens) -> None:
    service.policy = SessionPolicy(rotation=False)
    old = foreign.issue()
    assert [service.refresh(old).refresh_token for _ in range(3)] == [None] * 3
    assert service.log.happenings == [Happening.ADOPTED, Happening.KEPT, Happening.KEPT]
    assert foreign.asked == 1


def test_a_client_that_never_takes_another_token_keeps_it(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue(expires_at=START_PLUS_A_YEAR)
    for _ in range(10):
        assert service.keep(old).refresh_token is None
        service.clock.advance(5 * DAY)


def test_a_token_that_is_kept_can_be_traded_later(service: FakeService, foreign: FakeForeignTokens) -> None:
    old = foreign.issue()
    service.keep(old)
    held = refresh(service, old)
    assert service.tokens.read_refresh_token(held).generation == 2
    assert service.keep(held).refresh_token is None
