"""The keys that tokens are signed and verified with."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence

import orjson
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry

from domain.model.secrets import weakness_of

ALGORITHM = "HS256"
REFRESH_TOKEN_TYPE = "rt+jwt"  # noqa: S105  a media type, not a secret
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105  RFC 9068, section 2.1


class WeakKeyError(ValueError):
    """A secret that no token may rest on. The message never holds the secret."""


class SigningKey:
    """One secret and the two header parts that tokens signed with it carry, byte for byte."""

    def __init__(self, secret: str) -> None:
        """Take a secret; raise `WeakKeyError` if it is one that must not be used."""
        if weakness := weakness_of(secret):
            raise WeakKeyError(f"the signing secret {weakness}")
        self._key = OctKey.import_key(secret)
        self._hs256 = JWSRegistry(algorithms=[ALGORITHM]).get_alg(ALGORITHM)
        kid = self._key.thumbprint()
        self.refresh_header = _header_part(kid, REFRESH_TOKEN_TYPE)
        self.access_header = _header_part(kid, ACCESS_TOKEN_TYPE)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`."""
        return self._hs256.sign(message, self._key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell, in constant time, whether `signature` is this key's for `message`."""
        return self._hs256.verify(message, signature, self._key)


class KeyRing:
    """One key that signs and any number of previous ones that still verify.

    To change the key, make the old secret a previous one; drop it when the last token that it signed has expired.
    """

    def __init__(self, secret: str, previous_secrets: Sequence[str] = ()) -> None:
        """Raise `WeakKeyError` if any secret is weak or stands twice."""
        if len({secret, *previous_secrets}) != 1 + len(previous_secrets):
            raise WeakKeyError("a signing secret stands twice in the key ring")
        self.signing_key = SigningKey(secret)
        keys = (self.signing_key, *map(SigningKey, previous_secrets))
        self.by_refresh_header = {key.refresh_header: key for key in keys}
        self.by_access_header = {key.access_header: key for key in keys}


def _header_part(kid: str, token_type: str) -> bytes:
    header = orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": token_type})
    return urlsafe_b64encode(header).rstrip(b"=")
