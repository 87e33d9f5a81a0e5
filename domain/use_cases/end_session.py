"""End one session by its identifier."""

from dataclasses import dataclass

from domain.model.actors import THE_USER, Actor
from domain.model.errors import SessionNotFoundError
from domain.model.sessions import RevocationReason
from domain.model.tokens import AccessToken, is_id
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """End one session of a user.

    Raises `SessionNotFoundError` if the user has no session of this identifier that could be ended.
    """

    clock: Clock
    sessions: Sessions
    log: SecurityLog

    def __call__(self, user_id: str, session_id: str, *, by: Actor) -> None:
        """Return once the session is over for good."""
        now, reason = self.clock.now(), RevocationReason.ended_by(by.kind)
        if not is_id(session_id) or not self.sessions.end(user_id, session_id, at=now, reason=reason):
            raise SessionNotFoundError
        self._record(user_id, session_id, reason, by)

    def own(self, token: AccessToken) -> None:
        """End the session of an access token. The token proves it, even if the store has lost its row."""
        reason = RevocationReason.ENDED_BY_USER
        if self.sessions.revoke(token.proven_session(), at=self.clock.now(), reason=reason):
            self._record(token.user_id, token.session_id, reason, THE_USER)

    def _record(self, user_id: str, session_id: str, reason: RevocationReason, by: Actor) -> None:
        self.log.record(
            SecurityEvent(happening=Happening.ENDED, session_id=session_id, user_id=user_id, cause=reason, actor=by)
        )
