"""Beginning a session for a user whom the login service has authenticated."""

from dataclasses import replace

import pytest

from domain.model.errors import InvalidClaimsError, StoreUnavailableError, UserDisabledError, UserNotFoundError
from domain.model.sessions import Session, SessionPolicy
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from ports.security_log import Happening
from tests.builders import WHOLE_LIST
from tests.fakes.clock import START
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.unit.use_cases.steps import event, read, read_access, refresh, refresh_token_of, sign_in, stored

DAY = 86_400


def test_a_session_starts_with_both_tokens(service: FakeService) -> None:
    pair = service.sign_in(terms=SessionTerms(device="phone", claims={"amr": ["pwd"]}))

    first = refresh_token_of(pair)
    token, access = read(service, first), read_access(service, pair)
    assert (token.session_id, token.user_id, token.generation) == (pair.session_id, "ada", 1)
    assert (token.started_at, token.expires_at, token.ends_at) == (START, START + 14 * DAY, START + 60 * DAY)
    assert (access.session_id, access.user_id, access.expires_at) == (pair.session_id, "ada", START + 900)
    assert (pair.access_token_expires_in, pair.refresh_token_expires_in) == (900, 14 * DAY)
    assert stored(service, first) == replace(Session.recalled(token), device="phone", claims={"amr": ["pwd"]})
    assert service.log.events == [event(service, Happening.STARTED, first, actor=LOGIN)]


def test_every_sign_in_is_a_session_of_its_own(service: FakeService) -> None:
    assert len({service.sign_in().session_id for _ in range(5)}) == 5
    assert len(service.list_sessions("ada", WHOLE_LIST)) == 5


def test_nobody_starts_a_session_for_an_unknown_user(service: FakeService) -> None:
    with pytest.raises(UserNotFoundError):
        service.sign_in("eve")

    assert service.list_sessions("eve", WHOLE_LIST) == []
    assert service.log.events == []


def test_nobody_starts_a_session_for_a_user_who_is_switched_off(service: FakeService) -> None:
    service.users.put(User(id="ada", active=False))

    with pytest.raises(UserDisabledError):
        service.sign_in()

    assert service.list_sessions("ada", WHOLE_LIST) == []


@pytest.mark.parametrize("claims", [{"sub": "eve"}, {"": 1}, {"big": "x" * 2048}, {"odd": {1, 2}}])
def test_nobody_starts_a_session_with_claims_that_no_access_token_can_carry(
    service: FakeService, claims: dict[str, object]
) -> None:
    with pytest.raises(InvalidClaimsError):
        service.sign_in(terms=SessionTerms(claims=claims))

    assert service.list_sessions("ada", WHOLE_LIST) == []


def test_a_sign_in_in_the_second_of_a_cut_off_works(service: FakeService) -> None:
    """Twice in a row, and with a clock that was set back since."""
    for _ in range(2):
        service.end_all("ada", by=LOGIN)
        assert refresh(service, sign_in(service))
    service.clock.advance(-3600)

    token = read(service, refresh(service, sign_in(service)))

    assert token.started_at == START + 2
    assert (token.ends_at, token.expires_at) == (START + 2 + 60 * DAY, START - 3600 + 14 * DAY)


@pytest.mark.parametrize(
    ("lifetime", "life", "refresh_token_life"),
    [
        (None, 60 * DAY, 14 * DAY),
        (3600, 3600, 3600),
        (30 * DAY, 30 * DAY, 14 * DAY),
        # A sign-in may ask for less than the policy gives, and not for more.
        (90 * DAY, 60 * DAY, 14 * DAY),
    ],
)
def test_a_sign_in_may_shorten_the_life_of_its_session(
    service: FakeService, lifetime: int | None, life: int, refresh_token_life: int
) -> None:
    pair = service.sign_in(terms=SessionTerms(lifetime=lifetime))

    token = read(service, refresh_token_of(pair))
    assert token.ends_at == START + life
    assert pair.refresh_token_expires_in == refresh_token_life
    service.clock.advance(refresh_token_life - 1)
    following = read(service, refresh(service, refresh_token_of(pair)))
    assert following.ends_at == START + life
    assert following.expires_at == min(service.clock.time + 14 * DAY, START + life)


def test_no_token_outlives_a_short_session(service: FakeService) -> None:
    """The access token neither, which has the leeway that its session is given."""
    service.policy = SessionPolicy(refresh_token_ttl=600, session_ttl=300, leeway=10)

    pair = service.sign_in()

    assert (pair.access_token_expires_in, pair.refresh_token_expires_in) == (310, 300)


@pytest.mark.parametrize("remember", [True, False])
def test_a_sign_in_says_whether_its_cookie_may_outlive_the_browser(service: FakeService, *, remember: bool) -> None:
    pair = service.sign_in(terms=SessionTerms(remember=remember))

    assert pair.remember is read(service, refresh_token_of(pair)).remember is remember


def test_no_token_is_given_for_a_session_that_was_not_stored(service: FakeService) -> None:
    class Full(FakeSessions):
        def start(self, session: Session) -> None:
            raise StoreUnavailableError

    service.sessions = Full()

    with pytest.raises(StoreUnavailableError):
        service.sign_in()

    assert service.log.events == []
