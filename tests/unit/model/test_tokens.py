"""Tokens as values: identity, and expiry at its second."""

from dataclasses import replace

import pytest

from domain.model.errors import AccessTokenExpiredError, RefreshTokenExpiredError
from domain.model.sessions import SessionPolicy
from domain.model.tokens import AccessToken
from tests.builders import after_steps, new_session
from tests.fakes.clock import START

POLICY = SessionPolicy(refresh_token_ttl=100, session_ttl=1000)
TOKEN = new_session(policy=POLICY).current_token()


@pytest.mark.parametrize(
    ("now", "leeway", "session_ttl", "is_expired"),
    [
        (0, 0, 1000, False),
        (99, 0, 1000, False),
        (100, 0, 1000, True),
        (101, 0, 1000, True),
        (109, 10, 1000, False),
        (110, 10, 1000, True),
        (111, 10, 1000, True),
        # The session's life was shortened since the token was issued.
        (49, 0, 50, False),
        (50, 0, 50, True),
        (51, 0, 50, True),
        (59, 10, 50, False),
        (60, 10, 50, True),
        # A session's life that ends with the token's, and a clock that was set back.
        (99, 0, 100, False),
        (100, 0, 100, True),
        (-1000, 0, 1000, False),
    ],
)
def test_a_refresh_token_expires_at_its_second(now: int, leeway: int, session_ttl: int, *, is_expired: bool) -> None:
    def check() -> None:
        TOKEN.require_unexpired(now=START + now, session_ttl=session_ttl, leeway=leeway)

    if is_expired:
        with pytest.raises(RefreshTokenExpiredError):
            check()
    else:
        check()


@pytest.mark.parametrize(
    ("now", "leeway", "is_expired"),
    [(59, 0, False), (60, 0, True), (61, 0, True), (64, 5, False), (65, 5, True), (66, 5, True)],
)
def test_an_access_token_expires_at_its_second(now: int, leeway: int, *, is_expired: bool) -> None:
    token = AccessToken.issue(TOKEN, now=START, ttl=60)
    if is_expired:
        with pytest.raises(AccessTokenExpiredError):
            token.require_unexpired(now=START + now, leeway=leeway)
    else:
        token.require_unexpired(now=START + now, leeway=leeway)


def test_every_refresh_token_of_a_session_has_its_own_jti() -> None:
    session = new_session()
    tokens = [after_steps(session, count).current_token() for count in range(50)]

    assert len({token.id for token in tokens}) == 50
    assert tokens[6].id == f"{session.id}.7"
    assert replace(tokens[6]).id == tokens[6].id


def test_every_access_token_has_its_own_jti() -> None:
    first, second = (AccessToken.issue(TOKEN, now=START, ttl=60) for _ in range(2))

    assert first.id != second.id
    assert replace(first, id=second.id) == second
    assert (first.session_id, first.user_id) == (TOKEN.session_id, TOKEN.user_id)
    assert (first.issued_at, first.expires_at) == (START, START + 60)
