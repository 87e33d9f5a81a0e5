"""Log out: end the session of a refresh token."""

from dataclasses import dataclass

from domain.model.actors import THE_USER
from domain.model.sessions import RevocationReason
from domain.use_cases.read_refresh_token import ReadRefreshToken
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """End the session of a presented refresh token, expired and superseded ones included (RFC 7009).

    Repeating it changes nothing. Refuses with `InvalidRefreshTokenError` what is no refresh token.
    """

    clock: Clock
    read: ReadRefreshToken
    sessions: Sessions
    log: SecurityLog

    def __call__(self, presented: str) -> None:
        """Return once the session is over for good."""
        token, _ = self.read(presented)
        if self.sessions.revoke(token, at=self.clock.now(), reason=RevocationReason.LOGOUT):
            event = SecurityEvent.of(Happening.ENDED, token, cause=RevocationReason.LOGOUT, actor=THE_USER)
            self.log.record(event)
