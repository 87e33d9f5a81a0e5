"""Compact JWS that a client has signed with a key of its own and that encloses its public half: proofs of that key.

Here the header must be parsed before anything is verified, because the key is in it. That is safe as it is done here:

- Nothing is believed because of it. A proof tells that its sender holds the private half of some key, which anybody can
  say of a new key. What that is worth is decided by the thumbprint in a token that this service has signed.
- It chooses among algorithms for signatures alone, each with one kind of key: there is no `none`, and no public key is
  taken for a secret. It names no key elsewhere: what is not `alg`, `typ` or `jwk` is refused, and so is a member of
  `jwk` that is not one of a public key of that kind.
- It is a key that somebody can hold: a point of the curve, and none for which everybody can sign.
- It is small, and so is the work that a key may cause: RSA has a modulus of bounded size and the usual exponent.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Never, TypeAlias

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from domain.model.errors import RefusalCause
from infrastructure.authlib.compact import COMPACT, Claims, RefusedError, decode
from infrastructure.authlib.keys import MIN_RSA_BITS, AsymmetricKey

MAX_PROOF_LENGTH = 4096
_HEADER_MEMBERS = {"alg", "typ", "jwk"}
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_COORDINATE_BYTES = 32
_FIELD = 2**255 - 19
"""Of Curve25519 (RFC 8032, section 5.1)."""
_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_OF_SMALL_ORDER = {0, 1, _FIELD - 1, _OF_ORDER_8, _FIELD - _OF_ORDER_8}
"""The y-coordinates of all points of Ed25519 whose order is 8 or less. Anybody can sign for such a point as a key."""
_MAX_RSA_BITS = 4096
"""Verifying takes the longer the larger the modulus is."""
_RSA_EXPONENT = "AQAB"
"""65537, which everybody uses. An exponent as large as the modulus would make verifying as slow as signing."""

Jwk: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of public key: its members, those of one fixed value and those that are numbers, and which numbers fit."""

    import_key: Callable[[Any], AsymmetricKey]
    fixed: Jwk
    numbers: tuple[str, ...]
    fits: Callable[[bytes], bool]


def _is_coordinate(number: bytes) -> bool:
    return len(number) == _COORDINATE_BYTES


def _is_ed25519_key(number: bytes) -> bool:
    """Tell whether somebody can hold its private half, and it is spelled in the one way. OpenSSL asks neither."""
    y = int.from_bytes(number, "little") & (2**255 - 1)  # the last bit is the sign of x
    return _is_coordinate(number) and y < _FIELD and y not in _OF_SMALL_ORDER


def _is_modulus(number: bytes) -> bool:
    return number[:1] != b"\0" and MIN_RSA_BITS <= int.from_bytes(number).bit_length() <= _MAX_RSA_BITS


_EC = _Kind(ECKey.import_key, {"kty": "EC", "crv": "P-256"}, ("x", "y"), _is_coordinate)
_OKP = _Kind(OKPKey.import_key, {"kty": "OKP", "crv": "Ed25519"}, ("x",), _is_ed25519_key)
_RSA = _Kind(RSAKey.import_key, {"kty": "RSA", "e": _RSA_EXPONENT}, ("n",), _is_modulus)
_KINDS = {"ES256": _EC, "EdDSA": _OKP, "Ed25519": _OKP, "PS256": _RSA, "RS256": _RSA}
ALGORITHMS = tuple(_KINDS)
"""What may have signed. `Ed25519` is the newer name of `EdDSA` with such a key (RFC 9864)."""
_VERIFIERS = {name: JWSRegistry.algorithms["EdDSA" if kind is _OKP else name] for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Signer:
    """The public half of a key, the algorithm that it signs with, and its thumbprint (RFC 7638)."""

    algorithm: str
    jwk: Jwk
    key: AsymmetricKey

    @property
    def thumbprint(self) -> str:
        """SHA-256 over the key's members, in base64url."""
        return self.key.thumbprint()


def signer_of(algorithm: object, jwk: object) -> Signer:
    """Return the key in `jwk`, for that algorithm of the list. Raises `RefusedError`."""
    # APPSEC: a name of the list and nothing else; the list has no algorithm of secrets (RFC 8725, section 3.1).
    if type(algorithm) is not str or algorithm not in _KINDS:
        _refuse()
    key = _public_key(jwk, _KINDS[algorithm])
    return Signer(algorithm, jwk, key)  # type: ignore[arg-type]  # `_public_key` has looked


def read_enclosed(presented: str, token_type: str) -> tuple[str, Claims]:
    """Return the thumbprint of the enclosed key (RFC 7638) and the claims that it has signed, under that `typ` alone.

    The payload is not parsed before the signature is verified. Raises `RefusedError`.
    """
    signer, claims = read_signed(presented, token_type)
    return signer.thumbprint, claims


def read_signed(presented: str, token_type: str, signer: Signer | None = None) -> tuple[Signer, Claims]:
    """Return who has signed, and which claims: `signer`, by a text that encloses no key, or the key that is enclosed.

    The payload is not parsed before the signature is verified. Raises `RefusedError`.
    """
    if len(presented) > MAX_PROOF_LENGTH or not presented.isascii():
        _refuse()
    proof = presented.encode("ascii")
    if COMPACT.fullmatch(proof) is None:
        _refuse()
    message, _, signature = proof.rpartition(b".")
    header_part, _, payload = message.partition(b".")
    header = _parse(decode(header_part))
    # APPSEC: proofs of other protocols by the same key are of another type (RFC 8725, section 3.11).
    if header.keys() != (_HEADER_MEMBERS if signer is None else _HEADER_MEMBERS - {"jwk"}):
        _refuse()
    if header["typ"] != token_type:
        _refuse()
    if signer is None:
        signer = signer_of(header["alg"], header["jwk"])
    elif header["alg"] != signer.algorithm:
        _refuse()
    if not _VERIFIERS[signer.algorithm].verify(message, decode(signature), signer.key):
        raise RefusedError(RefusalCause.BAD_SIGNATURE)
    return signer, _parse(decode(payload))


def _public_key(jwk: object, kind: _Kind) -> AsymmetricKey:
    """Return the key in `jwk`, which is one of that kind, spelled in the one way there is, and holds nothing else."""
    if not isinstance(jwk, dict) or jwk.keys() != {*kind.fixed, *kind.numbers}:
        _refuse()
    if any(jwk[name] != value for name, value in kind.fixed.items()):
        _refuse()
    if not all(kind.fits(_number(jwk[name])) for name in kind.numbers):
        _refuse()
    try:
        return kind.import_key(jwk)
    except (JoseError, ValueError):  # no point of the curve
        _refuse()


def _number(text: object) -> bytes:
    if type(text) is not str or _BASE64URL.fullmatch(text) is None:
        _refuse()
    return decode(text.encode("ascii"))


def _parse(part: bytes) -> dict[str, Any]:
    """Return the JSON object in `part`, which others have written: in any spelling, but each name once."""
    try:
        value = json.loads(part.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        _refuse()
    return value if isinstance(value, dict) else _refuse()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else _refuse()


def _refuse(*_reasons: object) -> Never:
    raise RefusedError(RefusalCause.MALFORMED) from None
