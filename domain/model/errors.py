"""Every refusal and failure of the service, one class per meaning.

Causes that a client must not be able to tell apart share one class; the difference goes to the
security log as a `RefusalCause`. Messages and status codes are the business of the entry points.
"""

from enum import StrEnum


class RefusalCause(StrEnum):
    """Why a token was refused, for the security log only."""

    MALFORMED = "malformed"
    """Not of the form that this service writes; nothing in it was parsed."""
    UNKNOWN_KEY = "unknown_key"
    """Of that form, but signed with a key that is not in the ring: one that was dropped, or another service's."""
    BAD_SIGNATURE = "bad_signature"
    BAD_CLAIMS = "bad_claims"
    """Signed with a key of the ring, but not with claims that this service writes."""
    EXPIRED = "expired"
    USER_UNKNOWN = "user_unknown"
    USER_DISABLED = "user_disabled"
    REVOKED = "revoked"
    """Its session was ended, alone or with all of the user's sessions."""
    KEY_NOT_PROVEN = "key_not_proven"
    """It is bound to a key that the request did not prove to hold."""
    PROOF_MALFORMED = "proof_malformed"
    """The proof that came with it is not of the form that is asked for, or not signed with the key that it names."""
    PROOF_ELSEWHERE = "proof_elsewhere"
    """The proof that came with it was made for another method, another URL or another access token."""
    REUSED = "reused"
    """Superseded longer ago than an honest client can explain (RFC 9700, section 4.14.2)."""


class NuovoError(Exception):
    """Anything that this service raises on purpose."""


class InvalidRefreshTokenError(NuovoError):
    """A refresh token that is not authentic, not of this type, revoked, reused, or of a disabled user."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause)
        self.cause = cause


class RefreshTokenExpiredError(NuovoError):
    """An authentic refresh token, presented after its life."""


class KeyNotProvenError(NuovoError):
    """An authentic refresh token of a live session, without a proof of the key to which the session is bound.

    The session goes on for whoever has the key. `may_bind` tells that another key may be registered for `session_id`.
    """

    def __init__(self, session_id: str, *, may_bind: bool) -> None:
        super().__init__("the key was not proven")
        self.session_id = session_id
        self.may_bind = may_bind


class InvalidProofError(NuovoError):
    """A proof of a key that proves nothing here, whatever token came with it. The session goes on."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause)
        self.cause = cause


class ProofNotFreshError(NuovoError):
    """A proof that is right but for its nonce: it has none of the last minutes. The next one is to have `nonce`."""

    def __init__(self, nonce: str) -> None:
        super().__init__("the proof has no nonce of the last minutes")
        self.nonce = nonce


class InvalidAccessTokenError(NuovoError):
    """An access token that is not authentic, not of this type, or of a session that is over."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause)
        self.cause = cause


class AccessTokenExpiredError(NuovoError):
    """An authentic access token, presented after its life."""


class UserNotFoundError(NuovoError):
    """An authentic request on behalf of a user that does not exist."""


class UserDisabledError(NuovoError):
    """A sign-in for a user that exists and is switched off."""


class SessionNotFoundError(NuovoError):
    """The user has no live session of this identifier."""


class InvalidClaimsError(NuovoError):
    """A sign-in with claims that no access token can carry. The message names the claim and holds no value."""


class UnknownPlaceError(NuovoError):
    """A place to go on from that no earlier run can have given."""


class StoreUnavailableError(NuovoError):
    """The database is away, locked, full, or not migrated. Nothing is known about the token: try again."""
