"""Compact JWS (RFC 7515), written and strictly read: all that this service signs with keys of its own.

The cryptography is in `keys`. The reading order is the security: size and alphabet, then the header part compared
byte for byte with those this service writes (so an attacker's header is never parsed), then the signature, and only
then the payload (RFC 8725, sections 3.1 and 3.11).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from domain.model.errors import RefusalCause
from domain.model.tokens import MAX_TOKEN_LENGTH
from infrastructure.authlib.key_ring import Ring
from infrastructure.authlib.keys import Key

COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ANY_KEY = re.compile(
    rb'\{"alg":"(?:HS256|ES256|RS256|EdDSA)","kid":"[A-Za-z0-9_-]{43}","typ":"(?:rt|at)\+jwt"\}', re.ASCII
)
"""The headers of this service's tokens with any key, this ring's or not."""
_MAX_HEADER_LENGTH = 128
_LAST_CHARACTERS = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""What a base64url part may end with if its last group has two or three characters: no bit is left over."""

Claims: TypeAlias = Mapping[str, Any]


class RefusedError(Exception):
    """What is read was not written by this service; holds the cause and nothing of the token."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause)
        self.cause = cause


def write(key: Key, claims: Claims) -> str:
    """Return `claims`, signed with `key`."""
    message = key.header + b"." + urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
    signature = urlsafe_b64encode(key.sign(message)).rstrip(b"=")
    return (message + b"." + signature).decode("ascii")


def read(presented: str, ring: Ring) -> Claims:
    """Return the claims of a token that a key of the ring has signed; nothing is parsed before that is known.

    Raises `RefusedError`.
    """
    message, _, signature = _compact(presented).rpartition(b".")
    header, _, payload = message.partition(b".")
    # APPSEC: no algorithm, key or extension is ever chosen by the token (RFC 8725, section 3.1).
    key = ring.by_header.get(header)
    if key is None:
        raise RefusedError(RefusalCause.UNKNOWN_KEY if _names_a_key(header) else RefusalCause.MALFORMED)
    if not key.verify(message, decode(signature)):
        raise RefusedError(RefusalCause.BAD_SIGNATURE)
    return _parse(decode(payload))


def unverified(presented: str) -> Claims:
    """Return what a token says, whoever has written it, for a caller who has another reason to believe it.

    Raises `RefusedError` for what is not of this service's form.
    """
    return _parse(decode(_compact(presented).split(b".")[1]))


def _compact(presented: str) -> bytes:
    if len(presented) > MAX_TOKEN_LENGTH or not presented.isascii():
        raise RefusedError(RefusalCause.MALFORMED)
    token = presented.encode("ascii")
    if COMPACT.fullmatch(token) is None:
        raise RefusedError(RefusalCause.MALFORMED)
    return token


def _names_a_key(header: bytes) -> bool:
    """Tell whether the header part is one of this service's but for the key: for the log, and still without parsing."""
    return len(header) <= _MAX_HEADER_LENGTH and _ANY_KEY.fullmatch(decode(header)) is not None


def decode(part: bytes) -> bytes:
    """Return the bytes of a base64url part, refusing all spellings of them but one. Raises `RefusedError`."""
    surplus = len(part) % 4
    if surplus and part[-1] not in _LAST_CHARACTERS.get(surplus, b""):
        raise RefusedError(RefusalCause.MALFORMED)
    return urlsafe_b64decode(part + b"=" * (-surplus % 4))


def _parse(payload: bytes) -> Claims:
    """Return a payload's claims, refusing what `orjson` takes but this service does not write.

    orjson refuses all that is not UTF-8 JSON. Writing the claims again gives the same bytes unless a name stands twice,
    or spelling, spaces or number forms are not this service's.
    """
    try:
        claims = orjson.loads(payload)
        canonical = isinstance(claims, dict) and orjson.dumps(claims) == payload
    except (ValueError, TypeError):
        raise RefusedError(RefusalCause.BAD_CLAIMS) from None
    if not canonical:
        raise RefusedError(RefusalCause.BAD_CLAIMS)
    return claims  # type: ignore[no-any-return]
