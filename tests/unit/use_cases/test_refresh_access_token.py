"""Trading a refresh token for a fresh access token: what is answered, stored and recorded in each case."""

import pytest

from domain.model.errors import (
    RefreshTokenExpiredError,
    RefusalCause,
    UserNotFoundError,
)
from domain.model.sessions import SessionPolicy
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from ports.security_log import Happening, SecurityEvent
from tests.fakes.clock import START
from tests.fakes.service import LOGIN, FakeService
from tests.unit.use_cases.steps import (
    MADE_UP_TOKEN,
    assert_refused,
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
    assert stored(service, first).token == second
    assert service.log.events[1:] == [event(service, Happening.ROTATED, refresh_token_of(pair))]


def test_rotation_goes_on_for_the_life_of_the_session(service: FakeService) -> None:
    """A refresh every day gives the next token, and the last one dies with the session."""
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
        service.clock.advance(31)
        pair = service.refresh(token)
        token = refresh_token_of(pair)
        access_ids.add(read_access(service, pair).id)
        refresh_ids.add(read(service, token).id)

    assert len(access_ids) == len(refresh_ids) == 20


def test_claims_of_the_session_and_of_the_user_come_together_and_the_users_count(service: FakeService) -> None:
    """In every access token, whatever the refresh token was worth; the user's are read anew each time."""
    service.users.put(User(id="ada", claims={"role": "admin", "acr": "user"}))
    pair = service.sign_in(terms=SessionTerms(claims={"amr": ["otp"], "acr": "session"}))
    both = {"amr": ["otp"], "role": "admin", "acr": "user"}
    assert read_access(service, pair).claims == both
    first = refresh_token_of(pair)

    rotated, repeated = service.refresh(first), service.refresh(first)
    service.clock.advance(HOUR)
    recovered = service.refresh(first)

    assert [read_access(service, each).claims for each in (rotated, repeated, recovered)] == [both] * 3
    service.users.put(User(id="ada", claims={"role": "guest"}))
    now = read_access(service, service.refresh(first)).claims
    assert now == {"amr": ["otp"], "role": "guest", "acr": "session"}
    service.policy = SessionPolicy(rotation=False)
    assert read_access(service, service.refresh(refresh_token_of(recovered))).claims == now


@pytest.mark.parametrize("remember", [True, False])
def test_every_answer_says_whether_the_cookie_may_outlive_the_browser(service: FakeService, *, remember: bool) -> None:
    pair = service.sign_in(terms=SessionTerms(remember=remember))
    first = refresh_token_of(pair)
    rotated, repeated = service.refresh(first), service.refresh(first)

    assert [each.remember for each in (pair, rotated, repeated)] == [remember] * 3


def test_invalid_token(service: FakeService) -> None:
    assert_refused(service, MADE_UP_TOKEN, RefusalCause.MALFORMED)
    assert_refused(service, "", RefusalCause.MALFORMED)

    assert service.log.events == [SecurityEvent(happening=Happening.REFUSED, cause=RefusalCause.MALFORMED)] * 2


def test_token_of_the_wrong_type(service: FakeService) -> None:
    pair = service.sign_in()

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

    assert stored(service, following).token.generation == 2
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
    service.end_all("ada", by=LOGIN)

    for token in (first, second):
        assert_refused(service, token, RefusalCause.REVOKED)
    assert refresh(service, sign_in(service))
    assert refresh(service, other)
