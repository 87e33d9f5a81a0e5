"""Tokens made by hand, from the RFCs and the standard library alone, so that nothing here shares a fault of the codec.

Whoever uses it has the ring's own secret: a forged token differs from an honest one in exactly what its case names.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.fakes.clock import START

SECRET = "q8Jm2vXc5RtY7uIo1PaS4dFgH6jKlZ3xCbN0wEeQ9"
PREVIOUS_SECRET = "T0yM6zWbV4nQ1rKs8LdGf3HhJ5pXuCa2EiOo7Bk9"
STRANGERS_SECRET = "nD5kR1sW8xZ2yVqL7mJ4tB6gF3hC9pAe0iUoYrTb"
ISSUER, AUDIENCE, CLIENT = "https://auth.example.org", "https://api.example.org", "frontend"
SESSION_ID = "S0meSess10n-Identif_er"
HOUR, DAY = 3600, 86_400

Claims = dict[str, Any]


def part(data: bytes | str | Mapping[str, Any]) -> str:
    """Return a part of a compact token: base64url without padding, of bytes, text or a JSON object."""
    if isinstance(data, Mapping):
        data = as_json(data)
    return (
        urlsafe_b64encode(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data).decode().rstrip("=")
    )


def as_json(value: object) -> str:
    """Return JSON as the service writes it: no white space, no escapes that are not needed."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def thumbprint(secret: str) -> str:
    """Return the `kid` of a secret (RFC 7638, section 3)."""
    return part(hashlib.sha256(as_json({"k": part(secret), "kty": "oct"}).encode()).digest())


def signature(message: str, secret: str | bytes = SECRET, digest: str = "sha256") -> str:
    """Return the signature part over `message` (RFC 7515, section 5.1)."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    return part(hmac.digest(key, message.encode("utf-8", "surrogatepass"), digest))


def signed(header: str, payload: str, secret: str | bytes = SECRET, digest: str = "sha256") -> str:
    """Return a compact token of two parts, validly signed."""
    message = f"{header}.{payload}"
    return f"{message}.{signature(message, secret, digest)}"


@dataclass(frozen=True, eq=False)
class Kind:
    """One of the two kinds of token: how its header and its claims are written."""

    name: str
    typ: str
    claims: Claims

    @property
    def header_fields(self) -> Claims:
        return {"alg": "HS256", "kid": thumbprint(SECRET), "typ": self.typ}

    @property
    def header(self) -> str:
        return part(self.header_fields)

    @property
    def honest(self) -> str:
        """The token as the service itself would write it."""
        return self.with_payload(as_json(self.claims))

    def with_payload(self, payload: str | bytes) -> str:
        """Return a validly signed token under the right header, saying `payload`."""
        return signed(self.header, part(payload))

    def saying(self, **claims: Any) -> str:
        """Return a validly signed token with some claims changed, the others as they are."""
        return self.with_payload(as_json(self.claims | claims))

    def without(self, claim: str) -> str:
        """Return a validly signed token that lacks a claim."""
        return self.with_payload(as_json({name: value for name, value in self.claims.items() if name != claim}))


REFRESH = Kind(
    "refresh",
    "rt+jwt",
    {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "ada",
        "type": "refresh",
        "sid": SESSION_ID,
        "gen": 1,
        "jti": f"{SESSION_ID}.1",
        "auth_time": START,
        "session_expiry": START + 60 * DAY,
        "iat": START,
        "exp": START + 14 * DAY,
    },
)
ACCESS = Kind(
    "access",
    "at+jwt",
    {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "type": "access",
        "sid": SESSION_ID,
        "jti": "Acc3ssT0ken-Identif_er",
        "client_id": CLIENT,
        "iat": START,
        "exp": START + HOUR,
    },
)


def strict_codec() -> AuthlibTokenCodec:
    """Return the service's codec over the ring whose signing key is known here."""
    return AuthlibTokenCodec(KeyRing(SECRET, [PREVIOUS_SECRET]), issuer=ISSUER, audience=AUDIENCE, client_id=CLIENT)
