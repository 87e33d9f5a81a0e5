"""Log out: end the session of a refresh token."""

from dataclasses import dataclass

from domain.model.actors import THE_USER
from domain.model.errors import InvalidRefreshTokenError
from domain.model.sessions import RevocationReason
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """End the session of a presented refresh token, expired and superseded ones included (RFC 7009).

    Repeating it changes nothing. Refuses with `InvalidRefreshTokenError` what this service did not sign.
    """

    clock: Clock
    tokens: TokenCodec
    sessions: Sessions
    log: SecurityLog

    def __call__(self, presented: str) -> None:
        """Return once the session is over for good."""
        try:
            token = self.tokens.read_refresh_token(presented)
        except InvalidRefreshTokenError as error:
            self.log.record(SecurityEvent(happening=Happening.REFUSED, cause=error.cause))
            raise
        if self.sessions.revoke(token, at=self.clock.now(), reason=RevocationReason.LOGOUT):
            event = SecurityEvent.of(Happening.ENDED, token, cause=RevocationReason.LOGOUT, actor=THE_USER)
            self.log.record(event)
