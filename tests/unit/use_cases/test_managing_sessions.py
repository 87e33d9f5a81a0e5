"""Listing and ending sessions, knowing who asks, and forgetting what is over."""

import pytest

from domain.model.actors import THE_OPERATOR, THE_USER, Actor
from domain.model.errors import (
    AccessTokenExpiredError,
    InvalidAccessTokenError,
    RefusalCause,
    SessionNotFoundError,
)
from domain.model.sessions import RevocationReason, SessionPolicy
from domain.model.tokens import new_id
from ports.security_log import Happening, SecurityEvent
from ports.sessions import Page
from tests.builders import WHOLE_LIST, held
from tests.fakes.clock import START
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import (
    MADE_UP_TOKEN,
    assert_refused,
    read,
    read_access,
    refresh,
    refresh_token_of,
    sign_in,
    stored,
)

DAY = 86_400
ENDED_BY_USER = RevocationReason.ENDED_BY_USER


def devices(service: FakeService, user_id: str = "ada", page: Page = WHOLE_LIST) -> list[str]:
    return [session.device for session in service.list_sessions(user_id, page)]


def ended(session_id: str, reason: RevocationReason, actor: Actor) -> SecurityEvent:
    return SecurityEvent(happening=Happening.ENDED, session_id=session_id, user_id="ada", cause=reason, actor=actor)


def test_live_sessions_are_listed_the_newest_first(service: FakeService) -> None:
    """However lately each was used."""
    phone = sign_in(service, device="phone")
    service.clock.advance(10)
    sign_in(service, device="laptop")
    sign_in(service, "bob", device="tablet")
    service.clock.advance(10)
    refresh(service, phone)

    assert devices(service) == ["laptop", "phone"]
    assert devices(service, page=Page(limit=1)) == ["laptop"]
    assert devices(service, "nobody") == []


def test_sessions_that_are_over_are_not_listed(service: FakeService) -> None:
    sign_in(service, device="expired")
    service.clock.advance(14 * DAY)
    logged_out = sign_in(service, device="logged out")
    sign_in(service, device="live")
    service.revoke(logged_out)

    assert devices(service) == ["live"]
    service.end_all("ada", by=THE_USER)
    assert devices(service) == []


@pytest.mark.parametrize(
    ("actor", "reason"),
    [
        (THE_USER, ENDED_BY_USER),
        (LOGIN, RevocationReason.ENDED_BY_SERVICE),
        (THE_OPERATOR, RevocationReason.ENDED_BY_OPERATOR),
    ],
)
def test_one_session_is_ended(service: FakeService, actor: Actor, reason: RevocationReason) -> None:
    """The row and the log say by whose hand."""
    lost, kept = sign_in(service, device="lost"), sign_in(service, device="kept")
    session_id = read(service, lost).session_id

    service.end("ada", session_id, by=actor)

    assert devices(service) == ["kept"]
    assert stored(service, lost).revocation_reason is reason
    assert service.log.events[-1] == ended(session_id, reason, actor)
    assert_refused(service, lost, RefusalCause.REVOKED)
    assert refresh(service, kept)


def test_what_cannot_be_ended_is_not_found(service: FakeService) -> None:
    """Unknown, of another user, over already: a user cannot tell them apart, and nothing is recorded."""
    of_bob, over = sign_in(service, "bob"), sign_in(service)
    service.revoke(over)
    recorded = len(service.log.events)
    for session_id in (new_id(), read(service, of_bob).session_id, read(service, over).session_id, ""):
        with pytest.raises(SessionNotFoundError):
            service.end("ada", session_id, by=THE_USER)

    assert len(service.log.events) == recorded
    assert refresh(service, of_bob)


def test_a_user_ends_the_session_that_they_ask_from(service: FakeService) -> None:
    """Recorded once; doing it again changes nothing."""
    pair = service.sign_in()
    access = read_access(service, pair)

    service.end.own(access)
    service.end.own(access)

    assert [event for event in service.log.events if event.happening is Happening.ENDED] == [
        ended(pair.session_id, ENDED_BY_USER, THE_USER)
    ]
    assert_refused(service, refresh_token_of(pair), RefusalCause.REVOKED)


def test_a_user_ends_the_session_that_they_ask_from_even_if_its_row_is_lost(service: FakeService) -> None:
    """A tombstone is left, and no later token of the session brings it back."""
    pair = service.sign_in()
    later = refresh_token_of(pair)
    for _ in range(3):
        later = refresh(service, later)
        service.clock.advance(31)
    service.sessions = FakeSessions()

    service.end.own(read_access(service, pair))

    assert_refused(service, later, RefusalCause.REVOKED)
    assert devices(service) == []
    assert stored(service, later).revocation_reason is ENDED_BY_USER


def test_all_sessions_of_a_user_are_ended(service: FakeService) -> None:
    tokens = [sign_in(service) for _ in range(3)]
    service.revoke(sign_in(service))
    of_bob = sign_in(service, "bob")

    assert service.end_all("ada", by=LOGIN) == 3

    assert service.log.events[-1] == SecurityEvent(happening=Happening.ALL_ENDED, user_id="ada", actor=LOGIN, count=3)
    for token in tokens:
        assert_refused(service, token, RefusalCause.REVOKED)
    assert service.end_all("ada", by=LOGIN) == 0
    assert refresh(service, of_bob)
    assert refresh(service, sign_in(service))


def test_all_sessions_of_a_user_but_one_are_ended(service: FakeService) -> None:
    """As often as it is repeated; the spared one ends with the next cut-off that does not name it, for good."""
    kept, other = sign_in(service, device="kept"), sign_in(service, device="other")
    session_id = read(service, kept).session_id

    assert service.end_all("ada", by=THE_USER, spare=session_id) == 1
    assert service.log.events[-1] == SecurityEvent(
        happening=Happening.ALL_ENDED, user_id="ada", actor=THE_USER, count=1, spared=session_id
    )
    assert service.end_all("ada", by=THE_USER, spare=session_id) == 0

    assert devices(service) == ["kept"]
    assert_refused(service, other, RefusalCause.REVOKED)
    kept = refresh(service, kept)
    assert service.end_all("ada", by=THE_USER) == 1
    assert service.end_all("ada", by=THE_USER, spare=session_id) == 0
    assert_refused(service, kept, RefusalCause.REVOKED)


def test_a_session_that_started_after_a_cut_off_is_spared_by_the_next(service: FakeService) -> None:
    first = sign_in(service)
    service.end_all("ada", by=THE_USER, spare=read(service, first).session_id)
    second = sign_in(service)

    assert service.end_all("ada", by=THE_USER, spare=read(service, second).session_id) == 1

    assert_refused(service, first, RefusalCause.REVOKED)
    assert refresh(service, second)


def test_an_access_token_tells_who_asks(service: FakeService) -> None:
    pair = service.sign_in()

    token = service.authenticate(pair.access_token)

    assert (token.user_id, token.session_id) == ("ada", pair.session_id)


def test_an_access_token_stays_good_when_its_session_rotates_or_its_row_is_lost(service: FakeService) -> None:
    pair = service.sign_in()
    refresh(service, refresh_token_of(pair))
    assert service.authenticate(pair.access_token).session_id == pair.session_id

    service.sessions = FakeSessions()
    assert service.authenticate(pair.access_token).session_id == pair.session_id


@pytest.mark.parametrize("leeway", [0, 10])
def test_an_access_token_expires_at_its_second(service: FakeService, leeway: int) -> None:
    service.policy = SessionPolicy(leeway=leeway)
    pair = service.sign_in()
    service.clock.advance(900 + leeway - 1)
    assert service.authenticate(pair.access_token).user_id == "ada"
    service.clock.advance(1)

    with pytest.raises(AccessTokenExpiredError):
        service.authenticate(pair.access_token)


def test_only_an_access_token_tells_who_asks(service: FakeService) -> None:
    for presented in ("", MADE_UP_TOKEN, sign_in(service)):
        with pytest.raises(InvalidAccessTokenError):
            service.authenticate(presented)


def test_an_access_token_of_a_session_that_is_over_has_no_say(service: FakeService) -> None:
    """Logged out, or ended with all others."""
    logged_out, cut_off = service.sign_in(), service.sign_in("bob")
    service.revoke(refresh_token_of(logged_out))
    service.end_all("bob", by=THE_USER)

    for pair in (logged_out, cut_off):
        with pytest.raises(InvalidAccessTokenError):
            service.authenticate(pair.access_token)


def test_a_purge_forgets_sessions_that_nobody_can_use(service: FakeService) -> None:
    """In the second in which the last token stops to work, leeway included, and not before."""
    service.policy = SessionPolicy(leeway=10)
    token = sign_in(service)
    service.clock.advance(14 * DAY + 9)
    assert sum(service.purge()) == 0
    assert stored(service, token).token.generation == 1
    service.clock.advance(1)

    assert sum(service.purge()) == 1

    assert held(service.sessions, read(service, token)) is None
    assert sum(service.purge()) == 0


def test_a_purge_never_brings_a_session_back(service: FakeService) -> None:
    """Revoked, forgotten, and the clock set back to before the revocation."""
    token = sign_in(service)
    service.revoke(token)
    service.clock.advance(60 * DAY)
    assert sum(service.purge()) == 1
    service.clock.time = START

    assert_refused(service, token, RefusalCause.REVOKED)
