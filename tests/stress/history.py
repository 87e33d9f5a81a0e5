"""What clients saw: every call with its start, its end and its answer, on the machine's one monotonic clock."""

import base64
from dataclasses import dataclass
from enum import StrEnum

import orjson


class Call(StrEnum):
    """What a client asked for."""

    SIGN_IN = "sign_in"
    REFRESH = "refresh"
    LOG_OUT = "log_out"
    END_ALL = "end_all"
    LOOK = "look"
    """Show an access token, and see whether its session is live."""
    STEAL = "steal"
    """Present a bound refresh token without its key."""


class Must(StrEnum):
    """What the client had a right to, whatever others did."""

    SERVE = "serve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One call. Times are nanoseconds; `ended` and `status` are `None` if no answer was seen."""

    session: str
    user: str
    call: Call
    started: int
    ended: int | None
    status: int | None
    presented: int = 0
    """The generation of the refresh token that was presented."""
    answer: str | None = None
    """The refresh token that was given."""
    must: Must | None = None
    unproven: bool = False
    """It was refused for want of the key, not because the session is over."""

    @property
    def given(self) -> int | None:
        """The generation of the refresh token that was given."""
        return None if self.answer is None else generation_of(self.answer)


@dataclass(frozen=True, slots=True)
class Row:
    """A session as the table had it in a snapshot."""

    generation: int
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """An invariant that a history breaks, by its number; 0 is the sequential model as a whole."""

    invariant: int
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}: {self.what}"


def claims_of(token: str) -> dict[str, object]:
    """Return what a token says, its signature unseen: only tests may do so."""
    payload = token.split(".")[1]
    claims: dict[str, object] = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def generation_of(token: str) -> int:
    """Return the generation of a refresh token."""
    return int(str(claims_of(token)["gen"]))


def is_bound(token: str) -> bool:
    """Tell whether a refresh token is worth nothing without a key."""
    return "cnf" in claims_of(token)


def session_of(token: str) -> str:
    """Return the session of a token."""
    return str(claims_of(token)["sid"])
