"""A clock that is wrong for one request, by seconds or by a month, and right again for the next.

What it wrote stays. Nobody honest is lost to it, nothing that was over comes back, and the one thing that it opens is
bounded: the parent of the token that it issued is repeated for a grace round the wrong instant, unless somebody has
refreshed since.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from domain.model.errors import InvalidRefreshTokenError, NuovoError
from domain.model.sessions import SessionPolicy
from tests.fakes.service import LOGIN, FakeService

GRACE = 30
BETWEEN = 5000
JUMPS = [sign * seconds for sign in (1, -1) for seconds in (1, 29, 30, 31, 60, 3600, 86_399, 86_401, 11 * 86_400)]
LATER = (0, 1, 29, 31, 61, 600, 3569, 3571, 3600, 3629, 3631, 7200, 86_400)
WITHOUT_RECOVERY = SessionPolicy(replay_grace=GRACE, lost_answer_recovery=0)


@contextmanager
def wrong_clock(service: FakeService, jump: int) -> Iterator[None]:
    service.clock.advance(jump)
    yield
    service.clock.advance(-jump)


def chain(service: FakeService, jump: int) -> list[str]:
    """Sign in and refresh a few times, the last time by the wrong clock; return the refresh tokens."""
    tokens = [sign_in(service)]
    for _ in range(2):
        service.clock.advance(BETWEEN)
        tokens.append(refresh(service, tokens[-1]))
    service.clock.advance(BETWEEN)
    with wrong_clock(service, jump):
        tokens.append(refresh(service, tokens[-1]))
    return tokens


def sign_in(service: FakeService) -> str:
    return service.sign_in().refresh_token or ""


def refresh(service: FakeService, token: str) -> str:
    return service.refresh(token).refresh_token or ""


def is_served(service: FakeService, token: str) -> bool:
    try:
        service.refresh(token)
    except NuovoError:
        return False
    return True


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("later", LATER)
def test_the_honest_client_goes_on(jump: int, later: int) -> None:
    service = FakeService()
    token = chain(service, jump)[-1]
    for span in (later, 0, 1, 3600, 86_400):
        service.clock.advance(span)
        token = refresh(service, token)


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("later", LATER)
def test_a_token_older_than_the_parent_ends_the_session(jump: int, later: int) -> None:
    """Whatever the clock said meanwhile."""
    service = FakeService()
    tokens = chain(service, jump)
    service.clock.advance(later)

    assert not is_served(service, tokens[-3])
    assert not is_served(service, tokens[-1])


@pytest.mark.parametrize("jump", [*JUMPS, 7200])
@pytest.mark.parametrize("later", LATER)
def test_where_a_parent_is_repeated(jump: int, later: int) -> None:
    """A grace round the instant that was written, be it an hour away; and not at all once somebody has refreshed."""
    service = FakeService(policy=WITHOUT_RECOVERY)
    tokens = chain(service, jump)
    service.clock.advance(later)
    assert is_served(service, tokens[-2]) == (abs(later - jump) <= GRACE)

    service = FakeService(policy=WITHOUT_RECOVERY)
    tokens = chain(service, jump)
    service.clock.advance(later)
    if refresh(service, tokens[-1]) != tokens[-1]:
        service.clock.advance(GRACE + 1)
        assert not is_served(service, tokens[-2])


ENDINGS: dict[str, Callable[[FakeService, str], object]] = {
    "logout": lambda service, token: service.revoke(token),
    "all": lambda service, _token: service.end_all("ada", by=LOGIN),
}


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_ended_by_a_wrong_clock_stays_over(jump: int, ending: str) -> None:
    service = FakeService()
    tokens = chain(service, 0)
    with wrong_clock(service, jump):
        ENDINGS[ending](service, tokens[-1])

    for later in LATER:
        service.clock.advance(later)
        for token in tokens:
            with pytest.raises(InvalidRefreshTokenError):
                service.refresh(token)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_sign_in_after_a_cut_off_by_a_wrong_clock_lasts(jump: int) -> None:
    service = FakeService()
    service.sign_in()
    with wrong_clock(service, jump):
        service.end_all("ada", by=LOGIN)

    token = sign_in(service)
    for later in (0, 60, 3600, 86_400):
        service.clock.advance(later)
        token = refresh(service, token)
