"""Tokens that are names of values: unforgeable here because only this object knows which exist."""

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError, RefusalCause
from domain.model.tokens import AccessToken, RefreshToken
from ports.token_codec import TokenCodec


class FakeTokenCodec(TokenCodec):
    def __init__(self) -> None:
        self._written: dict[str, RefreshToken | AccessToken] = {}

    def write_refresh_token(self, token: RefreshToken) -> str:
        text = f"refresh-{token.id}-{hash(token)}"
        self._written[text] = token
        return text

    def read_refresh_token(self, presented: str) -> RefreshToken:
        token = self._written.get(presented)
        if isinstance(token, RefreshToken):
            return token
        raise InvalidRefreshTokenError(RefusalCause.MALFORMED)

    def write_access_token(self, token: AccessToken) -> str:
        text = f"access-{token.id}-{hash(token)}"
        self._written[text] = token
        return text

    def read_access_token(self, presented: str) -> AccessToken:
        token = self._written.get(presented)
        if isinstance(token, AccessToken):
            return token
        raise InvalidAccessTokenError(RefusalCause.MALFORMED)
