"""The two tokens as values: what they say, not how they are written.

All times are integer seconds since the epoch, UTC; an expiry is the first second that is too late.
"""

import re
import secrets
from dataclasses import dataclass
from typing import TypeGuard

from domain.model.errors import AccessTokenExpiredError, RefreshTokenExpiredError

FIRST_GENERATION = 1
MAX_GENERATION = 2**31 - 1
"""The largest that every store's integer holds: rotating every second would take 68 years to get there."""


_ID = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def new_id() -> str:
    """Return 128 random bits as 22 base64url characters: a session's `sid`, an access token's `jti`."""
    return secrets.token_urlsafe(16)


def is_id(value: object) -> TypeGuard[str]:
    """Tell whether `value` is of the form that `new_id` gives."""
    return type(value) is str and _ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One refresh token of a session: the one of its generation.

    `started_at` is when the user signed in, `ends_at` the absolute end fixed at that moment.
    """

    session_id: str
    user_id: str
    generation: int
    started_at: int
    ends_at: int
    issued_at: int
    expires_at: int

    @property
    def id(self) -> str:
        """The token's `jti`, unique because a session has one token per generation."""
        return f"{self.session_id}.{self.generation}"

    def require_unexpired(self, *, now: int, session_ttl: int, leeway: int) -> None:
        """Raise `RefreshTokenExpiredError` from the first second that is too late, `leeway` included.

        A `session_ttl` that was shortened since the token was issued counts at once.
        """
        if now >= min(self.expires_at, self.started_at + session_ttl) + leeway:
            raise RefreshTokenExpiredError


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What the frontend shows to the application's own services (RFC 9068)."""

    id: str
    session_id: str
    user_id: str
    issued_at: int
    expires_at: int

    @classmethod
    def issue(cls, session_token: RefreshToken, *, now: int, ttl: int) -> "AccessToken":
        """Return a new access token for the session and user of `session_token`, living `ttl` seconds."""
        return cls(
            id=new_id(),
            session_id=session_token.session_id,
            user_id=session_token.user_id,
            issued_at=now,
            expires_at=now + ttl,
        )

    def require_unexpired(self, *, now: int, leeway: int) -> None:
        """Raise `AccessTokenExpiredError` from the first second that is too late, `leeway` included."""
        if now >= self.expires_at + leeway:
            raise AccessTokenExpiredError


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """The answer to a sign-in or a refresh, in compact form.

    `refresh_token` is `None` when rotation is off: the presented one stays in use. `refresh_token_expires_in` is how
    many seconds of life it has left.
    """

    session_id: str
    access_token: str
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
