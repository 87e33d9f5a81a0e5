"""The two tokens as values: what they say, not how they are written.

All times are integer seconds since the epoch, UTC; an expiry is the first second that is too late.
"""

import re
import secrets
from dataclasses import dataclass, field
from typing import TypeGuard

from domain.model.claims import Claims
from domain.model.errors import AccessTokenExpiredError, RefreshTokenExpiredError

FIRST_GENERATION = 1
MAX_TOKEN_LENGTH = 4096
"""Characters of the compact form, which is all that servers and cookies surely carry."""
MAX_GENERATION = 2**31 - 1
"""The largest that every store's integer holds: rotating every second would take 68 years to get there."""
MAX_SESSION_TTL = 400 * 86_400
"""The longest life a policy may give a session, so that a cut-off need not be kept for ever."""

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

    `started_at` is when the user signed in, `ends_at` the absolute end fixed at that moment. Without `remember` its
    cookie is not to outlive the browser. With `key_thumbprint` it is worth nothing without a proof of that key
    (`cnf.jkt` of RFC 9449, section 6.1).
    """

    session_id: str
    user_id: str
    generation: int
    started_at: int
    ends_at: int
    issued_at: int
    expires_at: int
    remember: bool = True
    key_thumbprint: str | None = None

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
    """What the frontend shows to the application's own services (RFC 9068). `claims` are the application's.

    With `key_thumbprint` it is to be shown with a proof of that key (RFC 9449, section 6).
    """

    id: str
    session_id: str
    user_id: str
    issued_at: int
    expires_at: int
    claims: Claims = field(default_factory=dict, hash=False)
    key_thumbprint: str | None = None

    def require_unexpired(self, *, now: int, leeway: int) -> None:
        """Raise `AccessTokenExpiredError` from the first second that is too late, `leeway` included."""
        if now >= self.expires_at + leeway:
            raise AccessTokenExpiredError

    def proven_session(self) -> RefreshToken:
        """Return what this token proves of its session, for a store that has lost the session's row.

        The session started no later than this token was issued, so it ends before the time that is given here.
        """
        return RefreshToken(
            session_id=self.session_id,
            user_id=self.user_id,
            generation=FIRST_GENERATION,
            started_at=self.issued_at,
            ends_at=self.issued_at + MAX_SESSION_TTL,
            issued_at=self.issued_at,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """The answer to a sign-in or a refresh, in compact form. Spans are the seconds of life that are left.

    `refresh_token` is `None` when rotation is off: the presented one stays in use. Without `remember` its cookie is not
    to outlive the browser. `may_bind` tells that this is the moment to offer the session's device a binding.
    `access_token_is_bound` if it is to be shown with a proof.
    """

    session_id: str
    access_token: str
    access_token_expires_in: int
    refresh_token: str | None = None
    refresh_token_expires_in: int | None = None
    remember: bool = True
    may_bind: bool = False
    access_token_is_bound: bool = False
