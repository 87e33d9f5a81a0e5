"""Compact JWS tokens (RFC 7515), written and strictly read.

`joserfc`, the JOSE engine of Authlib, does the cryptography. The reading order is the security: size and alphabet,
then the header part compared byte for byte with those this service writes (so an attacker's header is never
parsed), then the signature, and only then the payload (RFC 8725, sections 3.1 and 3.11).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from domain.model.claims import REGISTERED
from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError, RefusalCause
from domain.model.tokens import (
    FIRST_GENERATION,
    MAX_GENERATION,
    MAX_SESSION_TTL,
    MAX_TOKEN_LENGTH,
    AccessToken,
    RefreshToken,
    is_id,
)
from domain.model.users import is_user_id
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import Key
from ports.token_codec import TokenCodec

_MAX_INSTANT = 253_402_300_799
"""The last second of the year 9999: fits every store's integer and every calendar."""
_COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ANY_KEY = re.compile(
    rb'\{"alg":"(?:HS256|ES256|RS256|EdDSA)","kid":"[A-Za-z0-9_-]{43}","typ":"(?:rt|at)\+jwt"\}', re.ASCII
)
"""The headers of this service with any key, this ring's or not."""
_MAX_HEADER_LENGTH = 128
_LAST_CHARACTERS = {2: b"AQgw", 3: b"AEIMQUYcgkosw048"}
"""What a base64url part may end with if its last group has two or three characters: no bit is left over."""

Claims: TypeAlias = Mapping[str, Any]


class _RefusedError(Exception):
    """What is read was not written by this service; holds the cause and nothing of the token."""

    def __init__(self, cause: RefusalCause) -> None:
        super().__init__(cause)
        self.cause = cause


class AuthlibTokenCodec(TokenCodec):
    """Signs each type of token with its key of the ring, and reads what any key for that type has signed."""

    def __init__(self, keys: KeyRing, *, issuer: str, audience: str, client_id: str) -> None:
        """Take the names that tokens carry: a refresh token's audience is the issuer itself."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._client_id = client_id

    def write_refresh_token(self, token: RefreshToken) -> str:
        """Return `token` as compact JWS with `typ: rt+jwt`."""
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": token.user_id,
            "type": "refresh",
            "sid": token.session_id,
            "gen": token.generation,
            "jti": token.id,
            "auth_time": token.started_at,
            "session_expiry": token.ends_at,
            "iat": token.issued_at,
            "exp": token.expires_at,
        }
        if not token.remember:
            claims["remember"] = False
        return _write(self._keys.refresh_key, claims)

    def write_access_token(self, token: AccessToken) -> str:
        """Return `token` as compact JWS in the profile of RFC 9068."""
        claims = {
            **token.claims,
            "iss": self._issuer,
            "aud": self._audience,
            "sub": token.user_id,
            "type": "access",
            "sid": token.session_id,
            "jti": token.id,
            "client_id": self._client_id,
            "iat": token.issued_at,
            "exp": token.expires_at,
        }
        return _write(self._keys.access_key, claims)

    def read_refresh_token(self, presented: str) -> RefreshToken:
        """Return the refresh token in `presented`, or raise `InvalidRefreshTokenError` with the cause."""
        try:
            claims = _authenticate(presented, self._keys.by_refresh_header)
            return self._refresh_token(claims)
        except _RefusedError as refused:
            raise InvalidRefreshTokenError(refused.cause) from None

    def read_access_token(self, presented: str) -> AccessToken:
        """Return the access token in `presented`, or raise `InvalidAccessTokenError` with the cause."""
        try:
            claims = _authenticate(presented, self._keys.by_access_header)
            return self._access_token(claims)
        except _RefusedError as refused:
            raise InvalidAccessTokenError(refused.cause) from None

    def _refresh_token(self, claims: Claims) -> RefreshToken:
        if not (claims.get("type") == "refresh" and claims.get("iss") == claims.get("aud") == self._issuer):
            raise _RefusedError(RefusalCause.BAD_CLAIMS)
        token = RefreshToken(
            session_id=_identifier(claims, "sid"),
            user_id=_user_id(claims),
            generation=_integer(claims, "gen", FIRST_GENERATION, MAX_GENERATION),
            started_at=_instant(claims, "auth_time"),
            ends_at=_instant(claims, "session_expiry"),
            issued_at=_instant(claims, "iat"),
            expires_at=_instant(claims, "exp"),
            remember=claims.get("remember", True) is not False,
        )
        in_order = token.expires_at <= token.ends_at <= token.started_at + MAX_SESSION_TTL
        if claims.get("jti") != token.id or not in_order or claims.get("remember", False) is not False:
            raise _RefusedError(RefusalCause.BAD_CLAIMS)
        return token

    def _access_token(self, claims: Claims) -> AccessToken:
        if not (
            claims.get("type") == "access" and claims.get("iss") == self._issuer and claims.get("aud") == self._audience
        ):
            raise _RefusedError(RefusalCause.BAD_CLAIMS)
        return AccessToken(
            id=_identifier(claims, "jti"),
            session_id=_identifier(claims, "sid"),
            user_id=_user_id(claims),
            issued_at=_instant(claims, "iat"),
            expires_at=_instant(claims, "exp"),
            claims={name: value for name, value in claims.items() if name not in REGISTERED},
        )


def _write(key: Key, claims: Claims) -> str:
    message = key.header + b"." + urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=")
    signature = urlsafe_b64encode(key.sign(message)).rstrip(b"=")
    return (message + b"." + signature).decode("ascii")


def _authenticate(presented: str, keys_by_header: Mapping[bytes, Key]) -> Claims:
    """Return the claims of a token that a key of the ring has signed; nothing is parsed before that is known."""
    if len(presented) > MAX_TOKEN_LENGTH or not presented.isascii():
        raise _RefusedError(RefusalCause.MALFORMED)
    token = presented.encode("ascii")
    if _COMPACT.fullmatch(token) is None:
        raise _RefusedError(RefusalCause.MALFORMED)
    message, _, signature = token.rpartition(b".")
    header, _, payload = message.partition(b".")
    # APPSEC: no algorithm, key or extension is ever chosen by the token (RFC 8725, section 3.1).
    key = keys_by_header.get(header)
    if key is None:
        raise _RefusedError(RefusalCause.UNKNOWN_KEY if _names_a_key(header) else RefusalCause.MALFORMED)
    if not key.verify(message, _decode(signature)):
        raise _RefusedError(RefusalCause.BAD_SIGNATURE)
    return _parse(_decode(payload))


def _names_a_key(header: bytes) -> bool:
    """Tell whether the header part is one of this service's but for the key: for the log, and still without parsing."""
    return len(header) <= _MAX_HEADER_LENGTH and _ANY_KEY.fullmatch(_decode(header)) is not None


def _decode(part: bytes) -> bytes:
    """Return the bytes of a base64url part, refusing all spellings of them but one."""
    surplus = len(part) % 4
    if surplus and part[-1] not in _LAST_CHARACTERS.get(surplus, b""):
        raise _RefusedError(RefusalCause.MALFORMED)
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
        raise _RefusedError(RefusalCause.BAD_CLAIMS) from None
    if not canonical:
        raise _RefusedError(RefusalCause.BAD_CLAIMS)
    return claims  # type: ignore[no-any-return]


def _integer(claims: Claims, name: str, smallest: int, largest: int) -> int:
    value = claims.get(name)
    # `type(...) is int` and not isinstance: True is no number here.
    if type(value) is int and smallest <= value <= largest:
        return value
    raise _RefusedError(RefusalCause.BAD_CLAIMS)


def _instant(claims: Claims, name: str) -> int:
    return _integer(claims, name, 0, _MAX_INSTANT)


def _identifier(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if is_id(value):
        return value
    raise _RefusedError(RefusalCause.BAD_CLAIMS)


def _user_id(claims: Claims) -> str:
    value = claims.get("sub")
    if is_user_id(value):
        return value
    raise _RefusedError(RefusalCause.BAD_CLAIMS)
