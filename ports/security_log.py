"""Who is told what happened to a session."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum

from domain.model.errors import RefusalCause
from domain.model.sessions import RevocationReason


class Happening(StrEnum):
    """What can happen to a session."""

    STARTED = "session_started"
    ROTATED = "refresh_rotated"
    REFRESHED = "refresh_unrotated"
    """An access token was given; rotation is off."""
    REPLAYED = "refresh_replayed"
    RECOVERED = "refresh_recovered"
    HEALED = "refresh_healed"
    REFUSED = "refresh_refused"
    REVOKED = "session_revoked"
    ENDED_ALL = "sessions_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """One thing that happened. It names sessions and users, and never holds any part of a token.

    `lost_generations` is how many rotations a healed store had lost.
    """

    happening: Happening
    session_id: str | None = None
    user_id: str | None = None
    generation: int | None = None
    cause: RefusalCause | RevocationReason | None = None
    lost_generations: int | None = None


class SecurityLog(ABC):
    """Where events go, for people and machines that watch."""

    @abstractmethod
    def record(self, event: SecurityEvent) -> None:
        """Note `event`. Never raises: an answer does not depend on its log line."""
