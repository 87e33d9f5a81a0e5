"""Read a presented refresh token."""

from dataclasses import dataclass

from domain.model.adoption import ForeignToken
from domain.model.errors import InvalidRefreshTokenError, RefusalCause
from domain.model.tokens import RefreshToken
from ports.foreign_tokens import ForeignTokens
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRefreshToken:
    """Read a refresh token of this service or, if it is none, of the system that the application comes from.

    Refuses with `InvalidRefreshTokenError` what neither of them issued.
    """

    tokens: TokenCodec
    foreign: ForeignTokens
    log: SecurityLog

    def __call__(self, presented: str) -> tuple[RefreshToken, ForeignToken | None]:
        """Return what `presented` means here, and what it was if another system issued it."""
        try:
            return self.tokens.read_refresh_token(presented), None
        except InvalidRefreshTokenError as error:
            # What bears this service's own header is its own or forged, and nothing that another system issued.
            foreign = self.foreign.find(presented) if error.cause is RefusalCause.MALFORMED else None
            if foreign is not None:
                return foreign.token, foreign
            self.log.record(SecurityEvent(happening=Happening.REFUSED, cause=error.cause))
            raise
