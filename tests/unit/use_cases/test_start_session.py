"""Beginning a session for a user whom the login service has authenticated."""

import pytest

from domain.model.errors import StoreUnavailableError, UserDisabledError, UserNotFoundError
from domain.model.sessions import Session, SessionPolicy
from domain.model.users import User
from ports.security_log import Happening, SecurityEvent
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import read, read_access, refresh, refresh_token_of, sign_in, stored


def test_a_session_starts_with_both_tokens(service: FakeService) -> None:
    pair = service.start("ada", "phone")

    token, access = read(service, refresh_token_of(pair)), read_access(service, pair)
    assert (token.session_id, token.user_id, token.generation) == (pair.session_id, "ada", 1)
    assert (token.started_at, token.expires_at, token.ends_at) == (START, START + 14 * 86_400, START + 60 * 86_400)
    assert (access.session_id, access.user_id, access.expires_at) == (pair.session_id, "ada", START + 900)
    assert pair.refresh_token_expires_in == 14 * 86_400
    session = stored(service, refresh_token_of(pair))
    assert (session.device, session.current_token()) == ("phone", token)
    assert service.log.events == [SecurityEvent(happening=Happening.STARTED, session_id=pair.session_id, user_id="ada")]


def test_every_sign_in_is_a_session_of_its_own(service: FakeService) -> None:
    assert len({service.start("ada").session_id for _ in range(5)}) == 5
    assert len(service.list_sessions("ada")) == 5


def test_nobody_starts_a_session_for_an_unknown_user(service: FakeService) -> None:
    with pytest.raises(UserNotFoundError):
        service.start("eve")

    assert service.list_sessions("eve") == []
    assert service.log.events == []


def test_nobody_starts_a_session_for_a_user_who_is_switched_off(service: FakeService) -> None:
    service.users.put(User(id="ada", active=False))

    with pytest.raises(UserDisabledError):
        service.start("ada")

    assert service.list_sessions("ada") == []


def test_a_sign_in_in_the_second_of_a_cut_off_works(service: FakeService) -> None:
    """Twice in a row, and with a clock that was set back since."""
    for _ in range(2):
        service.end_all("ada")
        assert refresh(service, sign_in(service))
    service.clock.advance(-3600)

    assert refresh(service, sign_in(service))


def test_a_session_is_never_longer_than_its_policy_says(service: FakeService) -> None:
    service.policy = SessionPolicy(refresh_token_ttl=600, session_ttl=300)

    assert service.start("ada").refresh_token_expires_in == 300


def test_no_token_is_given_for_a_session_that_was_not_stored(service: FakeService) -> None:
    class Full(FakeSessions):
        def start(self, session: Session) -> None:
            raise StoreUnavailableError

    service.sessions = Full()

    with pytest.raises(StoreUnavailableError):
        service.start("ada")

    assert service.log.events == []
