"""Sessions, steps and tokens for tests, with names of their own so that tests can share a database."""

from domain.model.sessions import Rotation, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken, new_id
from tests.fakes.clock import START

POLICY = SessionPolicy()


def new_user_id() -> str:
    return f"user-{new_id()}"


def new_session(
    user_id: str | None = None,
    *,
    now: int = START,
    cut_off: int | None = None,
    device: str = "laptop",
    policy: SessionPolicy = POLICY,
) -> Session:
    return Session.start(
        session_id=new_id(),
        user_id=user_id or new_user_id(),
        device=device,
        now=now,
        cut_off=cut_off,
        policy=policy,
    )


def next_step(session: Session, *, now: int | None = None, policy: SessionPolicy = POLICY) -> Rotation:
    """Return the step from the session's current token, a second after the last one unless `now` is given."""
    return rotate(
        session.current_token(),
        now=session.rotated_at + 1 if now is None else now,
        policy=policy,
        replaces=session.generation,
    )


def after_steps(session: Session, count: int) -> Session:
    """Return the session after so many steps, each a second after the last."""
    for _ in range(count):
        session = session.rotated(next_step(session))
    return session


def restoring_step(token: RefreshToken, *, now: int | None = None, policy: SessionPolicy = POLICY) -> Rotation:
    """Return the step from `token` for a store that knows nothing of its session."""
    return rotate(token, now=token.issued_at + 1 if now is None else now, policy=policy, replaces=None)
