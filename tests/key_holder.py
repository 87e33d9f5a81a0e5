"""A client that holds a key and proves it, with nothing of the service's own code."""

import hashlib
import json
import secrets
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tests.fakes.clock import START

ALGORITHMS = ("ES256", "EdDSA", "Ed25519", "PS256", "RS256")


@cache
def rsa_key(bits: int, exponent: int = 65_537) -> RSAKey:
    """Return a key, the same one each time: making one takes its time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # weak ones are wanted here
        return RSAKey.import_key(rsa.generate_private_key(exponent, bits))


def part(data: bytes | str | Mapping[str, Any]) -> str:
    """Return a part of a compact token: bytes, text or an object in base64url."""
    if isinstance(data, Mapping):
        data = json.dumps(data)
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def hash_of(access_token: str) -> str:
    """Return `ath` (RFC 9449, section 4.2)."""
    return part(hashlib.sha256(access_token.encode()).digest())


class KeyHolder:
    """Whoever holds one private key."""

    def __init__(self, algorithm: str = "ES256", key: ECKey | OKPKey | RSAKey | None = None) -> None:
        self.algorithm = algorithm
        self.key = key or _new_key(algorithm)
        self.jwk: dict[str, Any] = dict(self.key.as_dict(private=False))
        self.header: dict[str, Any] = {"typ": "dpop+jwt", "alg": algorithm, "jwk": self.jwk}

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def sign(self, message: str) -> str:
        return part(JWSRegistry.algorithms[self.algorithm].sign(message.encode(), self.key))

    def signed(self, header: bytes | str | Mapping[str, Any], payload: bytes | str | Mapping[str, Any]) -> str:
        """Return a compact token of any header and payload, rightly signed."""
        message = f"{part(header)}.{part(payload)}"
        return f"{message}.{self.sign(message)}"

    def claims(
        self, method: str, url: str, nonce: str | None = None, access_token: str | None = None
    ) -> dict[str, Any]:
        """Return what a proof for one request says."""
        claims = {"jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": START}
        if nonce is not None:
            claims["nonce"] = nonce
        if access_token is not None:
            claims["ath"] = hash_of(access_token)
        return claims

    def prove(self, method: str, url: str, nonce: str | None = None, access_token: str | None = None) -> str:
        """Return a proof for one request."""
        return self.signed(self.header, self.claims(method, url, nonce, access_token))


def _new_key(algorithm: str) -> ECKey | OKPKey | RSAKey:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519") if algorithm.startswith("Ed") else rsa_key(2048)
