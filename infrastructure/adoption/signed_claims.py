"""Signed claims (JWS, RFC 7515) in PyJWT's form, written and strictly read.

The reading order is the security, as it is for this service's own tokens: size and alphabet, then the signature by the
one key and algorithm of the settings, and only then the header and the payload, which are authentic by now.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

MAX_TOKEN_LENGTH = 4096
"""Characters, as for this service's own tokens."""
MIN_SECRET_BYTES = 16
"""Less can be guessed by whoever has one token, and then everybody's tokens can be made."""
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KEY_FILE = "-----BEGIN"
_KEY_TYPES: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (RSAKey, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    (ECKey, ("ES256", "ES384", "ES512")),
    (OKPKey, ("EdDSA",)),
)
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_OF_SECRET = ("HS256", "HS384", "HS512")

Claims: TypeAlias = Mapping[str, Any]


class UnusableKeyError(ValueError):
    """A key or an algorithm that tokens cannot be verified with. The message never holds the key."""


class SignedClaims:
    """Reads what one key has signed by one algorithm. Neither is ever chosen by a token (RFC 8725, section 3.1)."""

    def __init__(self, key: str, algorithm: str | None = None) -> None:
        """Take a secret or a key in PEM, the private one included; raise `UnusableKeyError` if they do not fit.

        Without `algorithm` it is HS256 for a secret, RS256 for RSA, and what the curve says for the others.
        """
        self._key, algorithms = _imported(key)
        self._algorithm = algorithm or algorithms[0]
        if self._algorithm not in algorithms:
            raise UnusableKeyError(f"is a key for {', '.join(algorithms)}, not for {self._algorithm}")
        # The algorithm that PyJWT calls by its older name (RFC 9864, section 2.2).
        name = "Ed25519" if self._algorithm == "EdDSA" else self._algorithm
        self._jws = JWSRegistry(algorithms=[name]).get_alg(name)
        self._header = _encode(_spelled({"alg": self._algorithm, "typ": "JWT"}).encode())

    @property
    def can_sign(self) -> bool:
        """Whether the key is more than the public half of a pair."""
        return bool(self._key.is_private)

    def write(self, claims: Claims) -> str:
        """Return the claims signed. Only for a key that `can_sign`."""
        message = self._header + b"." + _encode(_spelled(claims).encode())
        return (message + b"." + _encode(self._jws.sign(message, self._key))).decode("ascii")

    def read(self, presented: str) -> Claims | None:
        """Return the claims in `presented`, or `None` if this key has not signed it, or not what PyJWT writes."""
        if len(presented) > MAX_TOKEN_LENGTH or not presented.isascii():
            return None
        token = presented.encode("ascii")
        if _COMPACT.fullmatch(token) is None:
            return None
        message, _, signature = token.rpartition(b".")
        header_part, _, payload_part = message.partition(b".")
        try:
            # APPSEC: nothing of the token is parsed before this.
            if not self._jws.verify(message, _decode(signature), self._key):
                return None
            header, payload = _parse(header_part), _parse(payload_part)
        except (ValueError, RecursionError):
            return None
        # APPSEC: exactly what the settings say, although nothing depends on it any more. No key is looked up by `kid`.
        usual = {"alg": self._algorithm, "typ": "JWT"}
        return payload if header in (usual, usual | {"kid": str(header.get("kid"))}) else None


def _imported(text: str) -> tuple[Any, tuple[str, ...]]:
    """Return the key, and the algorithms that it is for, the usual one first."""
    if _KEY_FILE not in text:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size < MIN_SECRET_BYTES:
            raise UnusableKeyError(f"has {size} bytes; whoever has one token could guess it")
        return OctKey.import_key(text), _OF_SECRET
    for key_type, algorithms in _KEY_TYPES:
        try:
            key = key_type.import_key(text)
        except (JoseError, ValueError, TypeError):
            continue
        if key_type is RSAKey:
            return key, algorithms
        curve = key.curve_name
        if key_type is OKPKey and curve == "Ed25519":
            return key, algorithms
        if curve in _OF_CURVE:
            return key, (_OF_CURVE[curve],)
    raise UnusableKeyError("is no RSA, elliptic curve or Ed25519 key in PEM that can be read")


def _encode(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _decode(part: bytes) -> bytes:
    """Return the bytes of a base64url part; raise `ValueError` for all spellings of them but one."""
    try:
        data = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError from None
    if _encode(data) != part:
        raise ValueError
    return data


def _parse(part: bytes) -> dict[str, Any]:
    """Return the JSON object of a part; raise `ValueError` unless it is spelled as PyJWT spells it.

    Writing it again gives the same text unless a name stands twice, or spaces, escapes or number forms are not its.
    """
    text = _decode(part).decode("utf-8")
    value = json.loads(text)
    if type(value) is not dict or _spelled(value) != text:
        raise ValueError
    return value


def _spelled(claims: Claims) -> str:
    return json.dumps(claims, separators=(",", ":"), allow_nan=False)
