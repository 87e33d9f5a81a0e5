"""End all sessions of a user: a lost laptop, a changed password, a closed account."""

from dataclasses import dataclass

from domain.model.actors import Actor
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAllSessions:
    """End every session that a user has started so far, or all but one, whatever their number."""

    clock: Clock
    sessions: Sessions
    log: SecurityLog

    def __call__(self, user_id: str, *, by: Actor, spare: str | None = None) -> int:
        """Return how many were live, once they are over for good. A sign-in that follows is not touched."""
        count = self.sessions.end_all(user_id, at=self.clock.now(), spare=spare)
        event = SecurityEvent(happening=Happening.ALL_ENDED, user_id=user_id, actor=by, count=count, spared=spare)
        self.log.record(event)
        return count
