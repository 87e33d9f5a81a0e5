"""End all sessions of a user: a lost laptop, a changed password, a closed account."""

from dataclasses import dataclass

from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAllSessions:
    """End every session that a user has started so far, whatever their number."""

    clock: Clock
    sessions: Sessions
    log: SecurityLog

    def __call__(self, user_id: str) -> None:
        """Return once they are over for good. A sign-in that follows is not touched."""
        self.sessions.end_all(user_id, at=self.clock.now())
        self.log.record(SecurityEvent(happening=Happening.ENDED_ALL, user_id=user_id))
