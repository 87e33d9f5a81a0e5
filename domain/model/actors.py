"""Who asks for something that is written down: for the security log, and for the reason of an ending."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """By what right somebody acts."""

    USER = "user"
    """By an access or a refresh token of the user."""
    SERVICE = "service"
    """By a service credential."""
    OPERATOR = "operator"
    """At the command line."""
    NUOVO = "nuovo"
    """By the rule alone: a token was reused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who acts; `name` tells services apart that have a credential each."""

    kind: ActorKind
    name: str | None = None

    def __str__(self) -> str:
        """Return it as the log has it: `user`, `operator`, `service:login`."""
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


THE_USER = Actor(kind=ActorKind.USER)
THE_OPERATOR = Actor(kind=ActorKind.OPERATOR)
THE_RULE = Actor(kind=ActorKind.NUOVO)
