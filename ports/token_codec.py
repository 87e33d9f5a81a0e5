"""How tokens are written and read."""

from abc import ABC, abstractmethod

from domain.model.tokens import AccessToken, RefreshToken


class TokenCodec(ABC):
    """Writes tokens that only this service can have written, and reads nothing else.

    Both readers take untrusted text of any size and content, believe nothing in it before its signature is
    verified, and say nothing of why it was refused beyond the error's cause. Neither looks at the time.
    Writing the same refresh token twice gives the same text, as long as the signing key stays.
    """

    @abstractmethod
    def write_refresh_token(self, token: RefreshToken) -> str:
        """Return `token` signed, in compact form."""

    @abstractmethod
    def read_refresh_token(self, presented: str) -> RefreshToken:
        """Return the refresh token in `presented`, or raise `InvalidRefreshTokenError`."""

    @abstractmethod
    def write_access_token(self, token: AccessToken) -> str:
        """Return `token` signed, in compact form."""

    @abstractmethod
    def read_access_token(self, presented: str) -> AccessToken:
        """Return the access token in `presented`, or raise `InvalidAccessTokenError`."""
