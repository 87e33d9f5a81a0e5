"""Know who asks, by an access token."""

from dataclasses import dataclass

from domain.model.errors import AccessTokenExpiredError, InvalidAccessTokenError, RefusalCause
from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from domain.model.tokens import AccessToken
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticateAccessToken:
    """Check a presented access token, and that its session is still live.

    Refuses with `InvalidAccessTokenError` or `AccessTokenExpiredError`. Other services may trust the token for its
    short life; here, where sessions are managed, a session that is over has no say any more.
    """

    clock: Clock
    tokens: TokenCodec
    sessions: Sessions
    log: SecurityLog
    policy: SessionPolicy

    def __call__(self, presented: str, proven: ProvenKey | None = None) -> AccessToken:
        """Return the access token in `presented`, by whoever has `proven` to hold the key that it is bound to."""
        token = self._unexpired(presented)
        # APPSEC: a bound token is no bearer token, and an unbound one none that was proven (RFC 9449, section 7.1).
        if token.key_thumbprint != (None if proven is None else proven.thumbprint):
            self.log.record(SecurityEvent.of(Happening.ACCESS_REFUSED, token, cause=RefusalCause.KEY_NOT_PROVEN))
            raise InvalidAccessTokenError(RefusalCause.KEY_NOT_PROVEN)
        return self._of_live_session(token)

    def to_revoke(self, presented: str) -> AccessToken:
        """Return the access token in `presented`, to end its session: for that, no more than the token is asked for."""
        return self._of_live_session(self._unexpired(presented))

    def _unexpired(self, presented: str) -> AccessToken:
        try:
            token = self.tokens.read_access_token(presented)
        except InvalidAccessTokenError as error:
            self.log.record(SecurityEvent(happening=Happening.ACCESS_REFUSED, cause=error.cause))
            raise
        try:
            token.require_unexpired(now=self.clock.now(), leeway=self.policy.leeway)
        except AccessTokenExpiredError:
            self.log.record(SecurityEvent.of(Happening.ACCESS_REFUSED, token, cause=RefusalCause.EXPIRED))
            raise
        return token

    def _of_live_session(self, token: AccessToken) -> AccessToken:
        if not self.sessions.get(token.user_id, token.session_id).is_live_for(token):
            self.log.record(SecurityEvent.of(Happening.ACCESS_REFUSED, token, cause=RefusalCause.REVOKED))
            raise InvalidAccessTokenError(RefusalCause.REVOKED)
        return token
