"""Access tokens that the application's old library accepts, too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from domain.model.claims import REGISTERED
from domain.model.errors import InvalidAccessTokenError
from domain.model.proofs import is_thumbprint
from domain.model.tokens import AccessToken, RefreshToken, is_id
from domain.model.users import is_user_id
from infrastructure.adoption.jwt_tokens import MAX_INSTANT
from infrastructure.adoption.signed_claims import SignedClaims
from ports.token_codec import TokenCodec

AccessClaims: TypeAlias = Callable[[AccessToken], Mapping[str, object]]
"""What a library looks for in an access token, beside what this service writes."""


class CompatibleTokenCodec(TokenCodec):
    """Another codec whose access tokens have a few claims more."""

    def __init__(self, codec: TokenCodec, wanted: Sequence[AccessClaims]) -> None:
        """Take the codec, and what each library wants."""
        self._codec = codec
        self._wanted = wanted

    def write_access_token(self, token: AccessToken) -> str:
        """Add the claims, over any of the same name that the application gave."""
        return self._codec.write_access_token(replace(token, claims=self._claims_of(token)))

    def read_access_token(self, presented: str) -> AccessToken:
        """Read as the codec does."""
        return self._codec.read_access_token(presented)

    def write_refresh_token(self, token: RefreshToken) -> str:
        """Write as the codec does."""
        return self._codec.write_refresh_token(token)

    def read_refresh_token(self, presented: str) -> RefreshToken:
        """Read as the codec does."""
        return self._codec.read_refresh_token(presented)

    def _claims_of(self, token: AccessToken) -> Mapping[str, object]:
        claims = dict(token.claims)
        for wanted in self._wanted:
            claims |= wanted(token)
        return claims


class OldKeyTokenCodec(CompatibleTokenCodec):
    """Access tokens signed with the old application's own key, in its library's form: it accepts them unchanged.

    Refresh tokens remain the codec's: whoever shares the key can make access tokens, as it always could, and no more.
    """

    def __init__(
        self, codec: TokenCodec, wanted: Sequence[AccessClaims], signed: SignedClaims, *, issuer: str, audience: str
    ) -> None:
        """Take the key, which must be one that can sign, and what the old application expects in `iss` and `aud`."""
        super().__init__(codec, wanted)
        self._signed = signed
        self._names = {"iss": issuer, "aud": audience, "type": "access"}

    def write_access_token(self, token: AccessToken) -> str:
        """Return `token` signed with the old key."""
        said = {"sub": token.user_id, "sid": token.session_id, "jti": token.id, "iat": token.issued_at}
        # APPSEC: a bound token that did not say so would be a bearer token.
        bound = {} if token.key_thumbprint is None else {"cnf": {"jkt": token.key_thumbprint}}
        return self._signed.write({**self._claims_of(token), **self._names, **said, **bound, "exp": token.expires_at})

    def read_access_token(self, presented: str) -> AccessToken:
        """Read what either key has signed. What the old application issues by itself belongs to no session."""
        try:
            return super().read_access_token(presented)
        except InvalidAccessTokenError:
            claims = self._signed.read(presented) or {}
            if any(claims.get(name) != value for name, value in self._names.items()):
                raise
            token = _token_of(claims)
            if token is None:
                raise
            return token


def _token_of(claims: Mapping[str, Any]) -> AccessToken | None:
    id_, session_id, user_id = claims.get("jti"), claims.get("sid"), claims.get("sub")
    issued_at, expires_at = claims.get("iat"), claims.get("exp")
    if not (is_id(id_) and is_id(session_id) and is_user_id(user_id)):
        return None
    key_thumbprint = None
    if "cnf" in claims:  # RFC 9449, section 6.1
        match claims["cnf"]:
            case {"jkt": named, **others} if not others and is_thumbprint(named):
                key_thumbprint = named
            case _:
                return None
    if not (type(issued_at) is int and type(expires_at) is int and 0 <= issued_at <= expires_at <= MAX_INSTANT):
        return None
    return AccessToken(
        id=id_,
        session_id=session_id,
        user_id=user_id,
        issued_at=issued_at,
        expires_at=expires_at,
        claims={name: value for name, value in claims.items() if name not in REGISTERED},
        key_thumbprint=key_thumbprint,
    )
