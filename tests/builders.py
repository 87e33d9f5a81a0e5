"""Sessions, rotations and tokens for tests, with names of their own so that tests can share a database."""

from dataclasses import replace

from domain.model.claims import Claims
from domain.model.sessions import Rotation, Session, SessionPolicy, rotate
from domain.model.tokens import FIRST_GENERATION, AccessToken, RefreshToken, new_id
from ports.sessions import Page, Sessions
from tests.fakes.clock import START

POLICY = SessionPolicy()
KEY, OTHER_KEY = "K" * 43, "L" * 43
"""Thumbprints of two keys."""
WHOLE_LIST = Page(limit=1000)


def new_user_id() -> str:
    return f"user-{new_id()}"


def first_token(user_id: str | None = None, *, now: int = START, policy: SessionPolicy = POLICY) -> RefreshToken:
    return RefreshToken(
        session_id=new_id(),
        user_id=user_id or new_user_id(),
        generation=FIRST_GENERATION,
        started_at=now,
        ends_at=now + policy.session_ttl,
        issued_at=now,
        expires_at=now + min(policy.refresh_token_ttl, policy.session_ttl),
    )


def new_session(
    user_id: str | None = None,
    *,
    now: int = START,
    device: str = "laptop",
    claims: Claims | None = None,
    policy: SessionPolicy = POLICY,
) -> Session:
    token = first_token(user_id, now=now, policy=policy)
    return replace(Session.recalled(token), device=device, claims=claims or {})


def next_rotation(session: Session, *, now: int | None = None, policy: SessionPolicy = POLICY) -> Rotation:
    """Return the rotation of the session's current token, as soon as the grace is over unless `now` is given."""
    when = session.token.issued_at + policy.replay_grace + 1 if now is None else now
    token = session.token
    return rotate(token, now=when, policy=policy, replaces=token.generation, held_key=token.key_thumbprint)


def bound(session: Session, key: str = KEY) -> Session:
    """Return the session as if it had been bound to `key` by its last rotation."""
    return replace(session, token=replace(session.token, key_thumbprint=key))


def binding_rotation(session: Session, key: str = KEY) -> Rotation:
    """Return the rotation of the session's current token that binds it to `key`."""
    rotation = next_rotation(session)
    return replace(rotation, successor=replace(rotation.successor, key_thumbprint=key))


def after_rotations(session: Session, count: int) -> Session:
    """Return the session after so many rotations, each as soon as the grace is over."""
    for _ in range(count):
        session = session.rotated(next_rotation(session))
    return session


def restoring_rotation(token: RefreshToken, *, now: int | None = None, policy: SessionPolicy = POLICY) -> Rotation:
    """Return the rotation of `token` for a store that knows nothing of its session."""
    return rotate(token, now=token.issued_at + 1 if now is None else now, policy=policy, replaces=None)


def access_token_of(token: RefreshToken, *, now: int = START, ttl: int = 900) -> AccessToken:
    return AccessToken(
        id=new_id(), session_id=token.session_id, user_id=token.user_id, issued_at=now, expires_at=now + ttl
    )


def held(sessions: Sessions, token: RefreshToken) -> Session | None:
    """Return what the store holds of the session of `token`."""
    return sessions.get(token.user_id, token.session_id).session
