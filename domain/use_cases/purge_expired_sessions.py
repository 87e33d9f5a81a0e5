"""Forget sessions of which no token can verify any more."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.model.sessions import SessionPolicy
from ports.clock import Clock
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeExpiredSessions:
    """Remove rows whose last token has expired, leeway included. Safe to run at any time, beside a busy service."""

    clock: Clock
    sessions: Sessions
    policy: SessionPolicy

    def __call__(self) -> Iterator[int]:
        """Yield how many rows each small batch removed."""
        return self.sessions.purge(until=self.clock.now() - self.policy.leeway)
