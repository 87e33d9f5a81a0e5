"""Refresh and access tokens: their claims, and which of them are believed."""

from domain.model.claims import REGISTERED
from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError, RefusalCause
from domain.model.proofs import is_thumbprint
from domain.model.tokens import (
    FIRST_GENERATION,
    MAX_GENERATION,
    MAX_SESSION_TTL,
    AccessToken,
    RefreshToken,
    is_id,
)
from domain.model.users import is_user_id
from infrastructure.authlib.compact import Claims, RefusedError, read, write
from infrastructure.authlib.key_ring import KeyRing
from ports.token_codec import TokenCodec

_MAX_INSTANT = 253_402_300_799
"""The last second of the year 9999: fits every store's integer and every calendar."""


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
        if token.key_thumbprint is not None:
            claims["cnf"] = {"jkt": token.key_thumbprint}
        return write(self._keys.refresh.signing, claims)

    def write_access_token(self, token: AccessToken) -> str:
        """Return `token` as compact JWS in the profile of RFC 9068."""
        claims: dict[str, object] = {
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
        if token.key_thumbprint is not None:
            claims["cnf"] = {"jkt": token.key_thumbprint}
        return write(self._keys.access.signing, claims)

    def read_refresh_token(self, presented: str) -> RefreshToken:
        """Return the refresh token in `presented`, or raise `InvalidRefreshTokenError` with the cause."""
        try:
            claims = read(presented, self._keys.refresh)
            return self._refresh_token(claims)
        except RefusedError as refused:
            raise InvalidRefreshTokenError(refused.cause) from None

    def read_access_token(self, presented: str) -> AccessToken:
        """Return the access token in `presented`, or raise `InvalidAccessTokenError` with the cause."""
        try:
            claims = read(presented, self._keys.access)
            return self._access_token(claims)
        except RefusedError as refused:
            raise InvalidAccessTokenError(refused.cause) from None

    def _refresh_token(self, claims: Claims) -> RefreshToken:
        if not (claims.get("type") == "refresh" and claims.get("iss") == claims.get("aud") == self._issuer):
            raise RefusedError(RefusalCause.BAD_CLAIMS)
        token = RefreshToken(
            session_id=_identifier(claims, "sid"),
            user_id=_user_id(claims),
            generation=_integer(claims, "gen", FIRST_GENERATION, MAX_GENERATION),
            started_at=_integer(claims, "auth_time"),
            ends_at=_integer(claims, "session_expiry"),
            issued_at=_integer(claims, "iat"),
            expires_at=_integer(claims, "exp"),
            remember=claims.get("remember", True) is not False,
            key_thumbprint=_key_thumbprint(claims),
        )
        in_order = token.expires_at <= token.ends_at <= token.started_at + MAX_SESSION_TTL
        if claims.get("jti") != token.id or not in_order or claims.get("remember", False) is not False:
            raise RefusedError(RefusalCause.BAD_CLAIMS)
        return token

    def _access_token(self, claims: Claims) -> AccessToken:
        if not (
            claims.get("type") == "access" and claims.get("iss") == self._issuer and claims.get("aud") == self._audience
        ):
            raise RefusedError(RefusalCause.BAD_CLAIMS)
        return AccessToken(
            id=_identifier(claims, "jti"),
            session_id=_identifier(claims, "sid"),
            user_id=_user_id(claims),
            issued_at=_integer(claims, "iat"),
            expires_at=_integer(claims, "exp"),
            claims={name: value for name, value in claims.items() if name not in REGISTERED},
            key_thumbprint=_key_thumbprint(claims),
        )


def _integer(claims: Claims, name: str, smallest: int = 0, largest: int = _MAX_INSTANT) -> int:
    """Return an integer claim: an instant, unless other bounds are given."""
    value = claims.get(name)
    # `type(...) is int` and not isinstance: True is no number here.
    if type(value) is int and smallest <= value <= largest:
        return value
    raise RefusedError(RefusalCause.BAD_CLAIMS)


def _identifier(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if is_id(value):
        return value
    raise RefusedError(RefusalCause.BAD_CLAIMS)


def _key_thumbprint(claims: Claims) -> str | None:
    """Return the thumbprint of the key that a token is bound to (RFC 9449, section 6.1), or `None`."""
    if "cnf" not in claims:
        return None
    match claims["cnf"]:
        case {"jkt": thumbprint, **others} if not others and is_thumbprint(thumbprint):
            return thumbprint
    raise RefusedError(RefusalCause.BAD_CLAIMS)


def _user_id(claims: Claims) -> str:
    value = claims.get("sub")
    if is_user_id(value):
        return value
    raise RefusedError(RefusalCause.BAD_CLAIMS)
