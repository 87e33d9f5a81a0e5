"""Listing and ending sessions, knowing who asks, and forgetting what is over."""

import pytest

from domain.model.errors import (
    AccessTokenExpiredError,
    InvalidAccessTokenError,
    InvalidRefreshTokenError,
    SessionNotFoundError,
)
from domain.model.sessions import RevocationReason, SessionPolicy
from domain.model.tokens import new_id
from ports.security_log import Happening, SecurityEvent
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.unit.use_cases.steps import MADE_UP_TOKEN, read, refresh, refresh_token_of, sign_in, stored

DAY = 86_400


def devices(service: FakeService, user_id: str = "ada") -> list[str]:
    return [session.device for session in service.list_sessions(user_id)]


def test_live_sessions_are_listed_the_last_used_first(service: FakeService) -> None:
    phone = sign_in(service, device="phone")
    service.clock.advance(10)
    sign_in(service, device="laptop")
    sign_in(service, "bob", device="tablet")
    service.clock.advance(10)
    refresh(service, phone)

    assert devices(service) == ["phone", "laptop"]
    assert devices(service, "nobody") == []


def test_sessions_that_are_over_are_not_listed(service: FakeService) -> None:
    sign_in(service, device="expired")
    service.clock.advance(14 * DAY)
    logged_out = sign_in(service, device="logged out")
    sign_in(service, device="live")
    service.revoke(logged_out)

    assert devices(service) == ["live"]
    service.end_all("ada")
    assert devices(service) == []


def test_a_user_ends_one_of_their_sessions(service: FakeService) -> None:
    lost, kept = sign_in(service, device="lost"), sign_in(service, device="kept")
    session_id = read(service, lost).session_id

    service.end(session_id, owner="ada")

    assert devices(service) == ["kept"]
    assert stored(service, lost).revocation_reason is RevocationReason.ENDED_BY_USER
    assert service.log.events[-1] == SecurityEvent(
        happening=Happening.REVOKED, session_id=session_id, user_id="ada", cause=RevocationReason.ENDED_BY_USER
    )
    with pytest.raises(InvalidRefreshTokenError):
        service.refresh(lost)
    assert refresh(service, kept)


def test_an_operator_ends_any_session(service: FakeService) -> None:
    token = sign_in(service)
    session_id = read(service, token).session_id

    service.end(session_id, owner=None)

    assert stored(service, token).revocation_reason is RevocationReason.ENDED_BY_OPERATOR
    assert service.log.events[-1] == SecurityEvent(
        happening=Happening.REVOKED, session_id=session_id, cause=RevocationReason.ENDED_BY_OPERATOR
    )


def test_what_cannot_be_ended_is_not_found(service: FakeService) -> None:
    """Unknown, of another user, over already: a user cannot tell them apart, and nothing is recorded."""
    of_bob, over = sign_in(service, "bob"), sign_in(service)
    service.revoke(over)
    recorded = len(service.log.events)
    for session_id in (new_id(), read(service, of_bob).session_id, read(service, over).session_id, ""):
        with pytest.raises(SessionNotFoundError):
            service.end(session_id, owner="ada")

    assert len(service.log.events) == recorded
    assert refresh(service, of_bob)


def test_all_sessions_of_a_user_are_ended(service: FakeService) -> None:
    tokens = [sign_in(service) for _ in range(3)]
    of_bob = sign_in(service, "bob")

    service.end_all("ada")

    assert service.log.events[-1] == SecurityEvent(happening=Happening.ENDED_ALL, user_id="ada")
    for token in tokens:
        with pytest.raises(InvalidRefreshTokenError):
            service.refresh(token)
    assert refresh(service, of_bob)
    assert refresh(service, sign_in(service))


def test_an_access_token_tells_who_asks(service: FakeService) -> None:
    pair = service.start("ada")

    token = service.authenticate(pair.access_token)

    assert (token.user_id, token.session_id) == ("ada", pair.session_id)


def test_an_access_token_stays_good_when_its_session_rotates(service: FakeService) -> None:
    pair = service.start("ada")
    refresh(service, refresh(service, refresh_token_of(pair)))

    assert service.authenticate(pair.access_token).session_id == pair.session_id


@pytest.mark.parametrize("leeway", [0, 10])
def test_an_access_token_expires_at_its_second(service: FakeService, leeway: int) -> None:
    service.policy = SessionPolicy(leeway=leeway)
    pair = service.start("ada")
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
    """Logged out, ended with all others, or forgotten."""
    logged_out, ended = service.start("ada"), service.start("bob")
    service.revoke(refresh_token_of(logged_out))
    service.end_all("bob")

    for pair in (logged_out, ended):
        with pytest.raises(InvalidAccessTokenError):
            service.authenticate(pair.access_token)


def test_a_purge_forgets_sessions_that_nobody_can_use(service: FakeService) -> None:
    """In the second in which the last token stops to work, leeway included, and not before."""
    service.policy = SessionPolicy(leeway=10)
    token = sign_in(service)
    service.clock.advance(14 * DAY + 9)
    assert sum(service.purge()) == 0
    assert stored(service, token).generation == 1
    service.clock.advance(1)

    assert sum(service.purge()) == 1

    assert service.sessions.get(read(service, token).session_id, "ada").session is None
    assert sum(service.purge()) == 0


def test_a_purge_never_brings_a_session_back(service: FakeService) -> None:
    """Revoked, forgotten, and the clock set back to before the revocation."""
    token = sign_in(service)
    service.revoke(token)
    service.clock.advance(60 * DAY)
    assert sum(service.purge()) == 1
    service.clock.time = START

    with pytest.raises(InvalidRefreshTokenError):
        service.refresh(token)
