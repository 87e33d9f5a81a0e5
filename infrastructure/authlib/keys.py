"""Keys: what signs and verifies tokens of one type, and how such keys are made and read."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import TypeAlias

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import constant_time
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from domain.model.secrets import weakness_of

REFRESH_TOKEN_TYPE = "rt+jwt"  # noqa: S105  a media type, not a secret
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105  RFC 9068, section 2.1
MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""
_GENERATED_RSA_BITS = 3072
"""For use beyond 2030 (NIST SP 800-57, part 1)."""

AsymmetricKey: TypeAlias = ECKey | RSAKey | OKPKey


class WeakKeyError(ValueError):
    """A key that no token may rest on. The message never holds any of it."""


class Key:
    """One key for tokens of one type, with the header part that these carry, byte for byte."""

    def __init__(self, key: OctKey | AsymmetricKey, algorithm: str, token_type: str) -> None:
        # By name, joserfc would warn that RFC 9864 calls EdDSA `Ed25519` now: a name that few verifiers have heard of.
        self._algorithm = JWSRegistry.algorithms[algorithm]
        self._key = key
        header = orjson.dumps({"alg": algorithm, "kid": key.thumbprint(), "typ": token_type})
        self.header = urlsafe_b64encode(header).rstrip(b"=")

    def sign(self, message: bytes) -> bytes:
        """Return the signature of `message`."""
        return self._algorithm.sign(message, self._key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is this key's for `message`."""
        return self._algorithm.verify(message, signature, self._key)


class _KeyOfSecret(Key):
    """HS256 (RFC 7518, section 3.2), prepared for the key once, which joserfc does anew for each message."""

    def __init__(self, key: OctKey, token_type: str) -> None:
        super().__init__(key, "HS256", token_type)
        self._prepared = HMAC(key.raw_value, SHA256())

    def sign(self, message: bytes) -> bytes:
        mac = self._prepared.copy()
        mac.update(message)
        return mac.finalize()

    def verify(self, message: bytes, signature: bytes) -> bool:
        # APPSEC: in constant time, so that time does not tell how much of a forged signature is right.
        return constant_time.bytes_eq(signature, self.sign(message))


class SecretKey:
    """A random text that signs with HS256 and verifies: whoever verifies with it can sign."""

    def __init__(self, secret: str) -> None:
        """Take a secret; raise `WeakKeyError` if it is one that must not be used."""
        if weakness := weakness_of(secret):
            raise WeakKeyError(f"the signing secret {weakness}")
        self._key = OctKey.import_key(secret)

    def of_type(self, token_type: str) -> Key:
        """Return the key for tokens of one type. The types' headers differ, so neither is taken for the other."""
        return _KeyOfSecret(self._key, token_type)


class AccessKey(Key):
    """A key for access tokens of which whoever verifies has the public half alone."""

    def __init__(self, key: AsymmetricKey, algorithm: str) -> None:
        super().__init__(key, algorithm, ACCESS_TOKEN_TYPE)
        self.id = key.thumbprint()
        """The `kid` (RFC 7638)."""
        # APPSEC: `private=False` leaves the public members alone; joserfc would give a symmetric key's secret even so.
        self.jwk: Mapping[str, object] = {
            **key.as_dict(private=False),
            "kid": self.id,
            "use": "sig",
            "alg": algorithm,
        }
        """The public half, as others are given it (RFC 7517)."""
        self.public_pem = key.as_pem(private=False).decode()


def private_key(pem: str) -> AccessKey:
    """Return the key that signs access tokens, from PEM. Raises `WeakKeyError` in words."""
    try:
        native = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise WeakKeyError("is encrypted; give it without a passphrase, in a file that nobody else can read") from None
    except (ValueError, UnsupportedAlgorithm):
        raise WeakKeyError("is not a private key in PEM (-----BEGIN PRIVATE KEY-----)") from None
    return _access_key(native)


def public_key(pem: str) -> AccessKey:
    """Return a key that verifies access tokens, from PEM. Raises `WeakKeyError` in words."""
    # APPSEC: what only verifies must not sign: a private key has no business where public ones are listed.
    if "PRIVATE KEY-----" in pem:
        raise WeakKeyError("holds a private key; list public halves alone: nuovo keys public < private.pem")
    try:
        native = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise WeakKeyError("holds something that is not a public key in PEM (-----BEGIN PUBLIC KEY-----)") from None
    return _access_key(native)


def generate_private_key(algorithm: str) -> str:
    """Return a new private key for ES256, RS256 or EdDSA in PEM (PKCS #8)."""
    key: AsymmetricKey
    if algorithm == "RS256":
        key = RSAKey.generate_key(_GENERATED_RSA_BITS)
    elif algorithm == "EdDSA":
        key = OKPKey.generate_key("Ed25519")
    else:
        key = ECKey.generate_key("P-256")
    return key.as_pem(private=True).decode()


def public_half(pem: str) -> str:
    """Return the public half of a private key, both in PEM. Raises `WeakKeyError` in words."""
    return private_key(pem).public_pem


def _access_key(native: object) -> AccessKey:
    """Return the key with the one algorithm that goes with it, so that none is ever chosen."""
    if isinstance(native, EllipticCurvePrivateKey | EllipticCurvePublicKey) and isinstance(native.curve, SECP256R1):
        return AccessKey(ECKey.import_key(native), "ES256")
    if isinstance(native, RSAPrivateKey | RSAPublicKey):
        if native.key_size < MIN_RSA_BITS:
            raise WeakKeyError(f"has {native.key_size} bits; RSA needs at least {MIN_RSA_BITS}")
        return AccessKey(RSAKey.import_key(native), "RS256")
    if isinstance(native, Ed25519PrivateKey | Ed25519PublicKey):
        return AccessKey(OKPKey.import_key(native), "EdDSA")
    raise WeakKeyError("is of a kind that is not used here; make one with: nuovo keys generate --algorithm ES256")
