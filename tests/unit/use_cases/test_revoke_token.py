"""Logging out: the blacklist on logout."""

import pytest

from domain.model.actors import THE_USER
from domain.model.errors import InvalidRefreshTokenError, RefusalCause
from domain.model.sessions import RevocationReason, SessionPolicy
from domain.model.users import User
from ports.security_log import Happening, SecurityEvent
from tests.builders import WHOLE_LIST
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import MADE_UP_TOKEN, event, refresh, sign_in, stored

LOGOUT = RevocationReason.LOGOUT


def assert_dead(service: FakeService, *tokens: str) -> None:
    for token in tokens:
        with pytest.raises(InvalidRefreshTokenError) as caught:
            service.refresh(token)
        assert caught.value.cause is RefusalCause.REVOKED


def test_logout_puts_the_session_on_the_blacklist(service: FakeService) -> None:
    token, elsewhere = sign_in(service), sign_in(service)
    service.clock.advance(60)

    service.revoke(token)

    assert (stored(service, token).revoked_at, stored(service, token).revocation_reason) == (START + 60, LOGOUT)
    assert service.log.events[-1] == event(service, Happening.ENDED, token, cause=LOGOUT, actor=THE_USER)
    assert_dead(service, token)
    assert refresh(service, elsewhere)


def test_logout_may_be_repeated(service: FakeService) -> None:
    """It changes nothing and is recorded once."""
    token = sign_in(service)
    service.revoke(token)
    before = stored(service, token)
    service.clock.advance(60)

    service.revoke(token)

    assert stored(service, token) == before
    assert service.log.happenings == [Happening.STARTED, Happening.ENDED]


def test_logout_with_an_expired_token(service: FakeService) -> None:
    """It may be the last that the client has; its session may still have a later one."""
    first = sign_in(service)
    service.clock.advance(10 * 86_400)
    second = refresh(service, first)
    service.clock.advance(10 * 86_400)

    service.revoke(first)

    assert_dead(service, second)


def test_logout_with_a_superseded_token(service: FakeService) -> None:
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(3600)
    third = refresh(service, second)

    service.revoke(first)

    assert stored(service, first).revocation_reason is LOGOUT
    assert_dead(service, first, third)


def test_logout_of_a_session_that_the_store_has_lost(service: FakeService) -> None:
    """A tombstone is left, so that no token of the session brings it back, the later ones included."""
    first = sign_in(service)
    second = refresh(service, first)
    service.clock.advance(31)
    later = refresh(service, second)
    service.sessions = FakeSessions()

    service.revoke(first)

    assert_dead(service, first, later)


def test_logout_of_a_user_who_is_switched_off_or_gone(service: FakeService) -> None:
    off, gone = sign_in(service, "ada"), sign_in(service, "bob")
    service.users.put(User(id="ada", active=False))
    service.users.remove("bob")

    service.revoke(off)
    service.revoke(gone)

    assert stored(service, off).revocation_reason is stored(service, gone).revocation_reason is LOGOUT


def test_logout_with_rotation_off(service: FakeService) -> None:
    service.policy = SessionPolicy(rotation=False)
    token = sign_in(service)

    service.revoke(token)

    assert_dead(service, token)


@pytest.mark.parametrize("presented", ["", MADE_UP_TOKEN])
def test_logout_with_an_invalid_token(service: FakeService, presented: str) -> None:
    with pytest.raises(InvalidRefreshTokenError):
        service.revoke(presented)

    assert service.log.events == [SecurityEvent(happening=Happening.REFUSED, cause=RefusalCause.MALFORMED)]


def test_logout_with_an_access_token(service: FakeService) -> None:
    pair = service.sign_in()

    with pytest.raises(InvalidRefreshTokenError):
        service.revoke(pair.access_token)

    assert service.list_sessions("ada", WHOLE_LIST)
