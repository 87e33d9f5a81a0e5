"""Refresh tokens of the system that an application comes from, and the sessions that they become.

Such a token is read as generation 1 of a session whose identifier is derived from it. The store has no row for that
session, so it heals into one when the token is first presented, and every rule of sessions holds for it from then on.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum

from domain.model.claims import Claims
from domain.model.tokens import FIRST_GENERATION, MAX_SESSION_TTL, RefreshToken

SUPERSEDED_GENERATION = FIRST_GENERATION - 2
"""Of a token that its own system had already traded for a younger one of the same session.

It lies two below the first, because one below is the parent of the first, which may be presented again.
"""
_ID_BYTES = 16


class Scheme(StrEnum):
    """Whose tokens can be adopted."""

    FLASK_JWT_EXTENDED = "flask-jwt-extended"
    SIMPLEJWT = "simplejwt"
    OAUTH_TOOLKIT = "oauth-toolkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignToken:
    """An authentic refresh token that another system issued.

    `id` is what that system calls it by, `token` what it means here. `claims` are what it said for access tokens.
    """

    scheme: Scheme
    id: str
    token: RefreshToken
    claims: Claims = field(default_factory=dict, hash=False)

    def opening_claims(self) -> Claims:
        """Return the claims that its session begins with.

        `iss` and `exp` say where it came from and when it expires. No sign-in can give a session these two names, and
        no access token says them, for every access token says its own: so they mark a session as adopted.
        """
        return {"iss": self.scheme.value, "exp": self.token.expires_at, **self.claims}


def origin_of(claims: Claims) -> tuple[str, int] | None:
    """Return the scheme of a session that begins with `claims`, and when its old token expires; `None` for another."""
    scheme, expires_at = claims.get("iss"), claims.get("exp")
    return (scheme, expires_at) if isinstance(scheme, str) and isinstance(expires_at, int) else None


def adopted(
    scheme: Scheme,
    id_: str,
    *,
    issuer: str,
    user_id: str,
    issued_at: int,
    expires_at: int | None,
    session_ttl: int,
    claims: Claims | None = None,
    generation: int = FIRST_GENERATION,
) -> ForeignToken:
    """Return the token that `scheme` calls `id_`, as one of this service's.

    Its session counts as started when it was issued, so that a cut-off that came later has ended it. `expires_at` is
    `None` if the old system set no end.
    """
    latest = issued_at + MAX_SESSION_TTL
    # No policy is in it: a session that was ended must not come back because sessions last longer by now.
    expires_at = latest if expires_at is None else min(expires_at, latest)
    token = RefreshToken(
        session_id=_session_id(scheme, issuer, id_),
        user_id=user_id,
        generation=generation,
        started_at=issued_at,
        ends_at=max(expires_at, issued_at + session_ttl),
        issued_at=issued_at,
        expires_at=expires_at,
    )
    return ForeignToken(scheme=scheme, id=id_, token=token, claims=claims or {})


def _session_id(scheme: Scheme, issuer: str, id_: str) -> str:
    """Return 128 bits of a hash as 22 base64url characters: the same token is always the same session."""
    # APPSEC: each part's length goes in, so that no two tokens share a session by moving text between parts.
    named = "".join(f"{len(part)}:{part}" for part in ("nuovo adoption", scheme.value, issuer, id_))
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:_ID_BYTES]).decode("ascii").rstrip("=")
