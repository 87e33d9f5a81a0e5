"""Who is told what happened to a session."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from domain.model.actors import Actor
from domain.model.adoption import Scheme
from domain.model.errors import RefusalCause
from domain.model.sessions import RevocationReason
from domain.model.tokens import AccessToken, RefreshToken

OCCASION: ContextVar[Mapping[str, object]] = ContextVar("OCCASION", default=MappingProxyType({}))
"""What each line of the log says of the request that is being answered: its identifier, and who asks."""


class Happening(StrEnum):
    """What can happen to sessions and at their doors."""

    STARTED = "session_started"
    ADOPTED = "session_adopted"
    """A refresh token of the system that the application comes from has become a session."""
    ROTATED = "refresh_rotated"
    REPEATED = "refresh_repeated"
    RECOVERED = "refresh_recovered"
    HEALED = "refresh_healed"
    KEPT = "refresh_kept"
    """An access token was given; rotation is off."""
    BOUND = "session_bound"
    """From now on the session is worth nothing without a key of its device."""
    REFUSED = "refresh_refused"
    ENDED = "session_ended"
    ALL_ENDED = "sessions_ended"
    EVERYBODY_ENDED = "everybody_ended"
    ACCESS_REFUSED = "access_token_refused"
    SERVICE_REFUSED = "service_credential_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """One thing that happened. It names sessions and users, and never holds any part of a token.

    `actor` is who started or ended a session. `lost_generations` is how many rotations a healed store had lost, `count`
    how many live sessions an ending of several has reached, `spared` the one that it left alone, `started_by` the
    latest start that an ending of everybody's has covered, `scheme` whose token was adopted.
    """

    happening: Happening
    session_id: str | None = None
    user_id: str | None = None
    generation: int | None = None
    cause: RefusalCause | RevocationReason | None = None
    actor: Actor | None = None
    lost_generations: int | None = None
    count: int | None = None
    spared: str | None = None
    started_by: int | None = None
    scheme: Scheme | None = None

    @classmethod
    def of(
        cls,
        happening: Happening,
        token: RefreshToken | AccessToken,
        *,
        cause: RefusalCause | RevocationReason | None = None,
        actor: Actor | None = None,
        lost_generations: int | None = None,
        scheme: Scheme | None = None,
    ) -> "SecurityEvent":
        """Return the event that concerns the session and user of `token`."""
        return cls(
            happening=happening,
            session_id=token.session_id,
            user_id=token.user_id,
            generation=token.generation if isinstance(token, RefreshToken) else None,
            cause=cause,
            actor=actor,
            lost_generations=lost_generations,
            scheme=scheme,
        )


class SecurityLog(ABC):
    """Where events go, for people and machines that watch."""

    @abstractmethod
    def record(self, event: SecurityEvent) -> None:
        """Note `event`. Never raises: an answer does not depend on its log line."""
