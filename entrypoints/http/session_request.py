"""What the login service asks for when it starts a session."""

from dataclasses import dataclass
from typing import Any

from domain.model.proofs import DeviceBinding, is_thumbprint
from domain.model.sessions import MAX_DEVICE_LENGTH, SessionPolicy
from domain.model.tokens import MAX_SESSION_TTL
from domain.model.users import MAX_USER_ID_LENGTH, is_text, is_user_id
from domain.use_cases.start_session import SessionTerms
from entrypoints.http.errors import InvalidFieldError

NOT_A_USER_ID = InvalidFieldError(
    f"user_id: must be a string of 1 to {MAX_USER_ID_LENGTH} characters, none of them a control character."
)
_FIELDS = ("user_id", "device", "transport", "claims", "lifetime", "remember", "dpop_jkt")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTerms:
    """Whether a session can be bound to a key of DPoP at its start, and whether one that has no cookie must be."""

    possible: bool
    required: bool

    @classmethod
    def of(cls, policy: SessionPolicy, *, speaks_dpop: bool) -> "KeyTerms":
        """Return what follows from the policy: no later step could bind a session that has no cookie."""
        return cls(possible=speaks_dpop, required=policy.device_binding is DeviceBinding.REQUIRE)

    def read(self, body: dict[str, Any], *, by_cookie: bool) -> str | None:
        """Return the thumbprint of the key that the session is to be bound to, or raise `InvalidFieldError`."""
        if "dpop_jkt" not in body:
            if self.required and not by_cookie:
                raise InvalidFieldError(
                    'dpop_jkt: must be given with transport "header": NUOVO_DEVICE_BINDING=require wants every session'
                    " bound."
                )
            return None
        if not self.possible:
            raise InvalidFieldError(
                "dpop_jkt: needs NUOVO_PUBLIC_URL, or a URL as NUOVO_ISSUER: a proof names the URL that it is for."
            )
        if by_cookie:
            raise InvalidFieldError('dpop_jkt: goes with transport "header" alone.')
        thumbprint = body["dpop_jkt"]
        if not is_thumbprint(thumbprint):
            raise InvalidFieldError("dpop_jkt: must be a key's thumbprint: SHA-256 in base64url (RFC 7638).")
        return thumbprint


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """For whom a session is to be started, how its refresh token goes out, and on which terms."""

    user_id: str
    by_cookie: bool
    terms: SessionTerms


def read_session_request(body: dict[str, Any], keys: KeyTerms) -> SessionRequest:
    """Return what `body` asks for, or raise `InvalidFieldError`."""
    user_id, transport = body.get("user_id"), body.get("transport", "header")
    device, claims = body.get("device", ""), body.get("claims", {})
    lifetime, remember = body.get("lifetime", MAX_SESSION_TTL), body.get("remember", True)
    if not is_user_id(user_id):
        raise NOT_A_USER_ID
    if not is_text(device, MAX_DEVICE_LENGTH):
        raise InvalidFieldError(
            f"device: must be a string of at most {MAX_DEVICE_LENGTH} characters, none of them a control character."
        )
    if transport not in ("header", "cookie"):
        raise InvalidFieldError('transport: must be "header" or "cookie".')
    if not isinstance(claims, dict):
        raise InvalidFieldError("claims: must be an object.")
    # By `type` and not isinstance: True is no number here. In JSON, 3600.0 is the integer 3600.
    if type(lifetime) not in (int, float) or lifetime % 1 or not 1 <= lifetime <= MAX_SESSION_TTL:
        raise InvalidFieldError(f"lifetime: must be a whole number of seconds from 1 to {MAX_SESSION_TTL}.")
    if not isinstance(remember, bool):
        raise InvalidFieldError("remember: must be true or false.")
    if body.keys() - set(_FIELDS):
        raise InvalidFieldError(f"The only fields are {', '.join(_FIELDS[:-1])} and {_FIELDS[-1]}.")
    by_cookie = transport == "cookie"
    key_thumbprint = keys.read(body, by_cookie=by_cookie)
    return SessionRequest(
        user_id=user_id,
        by_cookie=by_cookie,
        terms=SessionTerms(
            device=device,
            claims=claims,
            lifetime=int(lifetime),
            remember=remember,
            key_thumbprint=key_thumbprint,
        ),
    )
