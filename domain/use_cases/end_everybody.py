"""End the sessions of all users: after a backup was restored, or something leaked that let others in."""

from dataclasses import dataclass

from domain.model.actors import Actor
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEverybody:
    """End every session that had started by some instant, whoever its user is and whatever its row says."""

    clock: Clock
    sessions: Sessions
    log: SecurityLog

    def __call__(self, started_by: int, *, by: Actor) -> int | None:
        """Return how many were live, if that can be told, once they are over for good.

        An instant that is still to come counts as now: it would end sessions that nobody has started yet.
        """
        now = self.clock.now()
        started_by = min(started_by, now)
        count = self.sessions.end_everybody(started_by=started_by, at=now)
        event = SecurityEvent(happening=Happening.EVERYBODY_ENDED, actor=by, count=count, started_by=started_by)
        self.log.record(event)
        return count
