"""Tokens as values: identity, and expiry at its second."""

from dataclasses import replace

import pytest

from domain.model.errors import AccessTokenExpiredError, RefreshTokenExpiredError
from domain.model.sessions import SessionPolicy
from domain.model.tokens import MAX_SESSION_TTL
from tests.builders import access_token_of, after_rotations, first_token, new_session
from tests.fakes.clock import START

POLICY = SessionPolicy(refresh_token_ttl=100, session_ttl=1000)
TOKEN = first_token(policy=POLICY)


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
    token = access_token_of(TOKEN, ttl=60)
    if is_expired:
        with pytest.raises(AccessTokenExpiredError):
            token.require_unexpired(now=START + now, leeway=leeway)
    else:
        token.require_unexpired(now=START + now, leeway=leeway)


def test_every_refresh_token_of_a_session_has_its_own_jti() -> None:
    session = new_session()
    tokens = [after_rotations(session, count).token for count in range(50)]

    assert len({token.id for token in tokens}) == 50
    assert tokens[6].id == f"{session.token.session_id}.7"
    assert replace(tokens[6]).id == tokens[6].id


def test_an_access_token_proves_as_much_of_its_session_as_it_can() -> None:
    """The session is no longer than any policy allows, so it is over by the end that is given for it."""
    access = access_token_of(TOKEN, now=START + 500, ttl=60)

    proven = access.proven_session()

    assert (proven.session_id, proven.user_id, proven.generation) == (TOKEN.session_id, TOKEN.user_id, 1)
    assert (proven.started_at, proven.issued_at, proven.expires_at) == (START + 500, START + 500, START + 560)
    assert proven.ends_at == START + 500 + MAX_SESSION_TTL >= TOKEN.ends_at
