"""End one session by its identifier."""

from dataclasses import dataclass

from domain.model.errors import SessionNotFoundError
from domain.model.sessions import RevocationReason
from domain.model.tokens import is_id
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """End one session: one of the user's own, or any for the operator.

    Raises `SessionNotFoundError` if there is no such session that could be ended.
    """

    clock: Clock
    sessions: Sessions
    log: SecurityLog

    def __call__(self, session_id: str, *, owner: str | None) -> None:
        """Return once the session is over for good. `owner` is the user who asks, `None` for the operator."""
        reason = RevocationReason.ENDED_BY_OPERATOR if owner is None else RevocationReason.ENDED_BY_USER
        if not is_id(session_id) or not self.sessions.revoke_by_id(
            session_id, owner=owner, at=self.clock.now(), reason=reason
        ):
            raise SessionNotFoundError
        self.log.record(SecurityEvent(happening=Happening.REVOKED, session_id=session_id, user_id=owner, cause=reason))
