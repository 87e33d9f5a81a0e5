"""Begin a session for a user whom the login service has just authenticated."""

from dataclasses import dataclass

from domain.model.errors import UserDisabledError, UserNotFoundError
from domain.model.sessions import Session, SessionPolicy
from domain.model.tokens import AccessToken, TokenPair, new_id
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from ports.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession:
    """Start a session on one device. Refuses with `UserNotFoundError` or `UserDisabledError`."""

    clock: Clock
    tokens: TokenCodec
    users: Users
    sessions: Sessions
    log: SecurityLog
    policy: SessionPolicy

    def __call__(self, user_id: str, device: str = "") -> TokenPair:
        """Return the session's first tokens, once it is on disk."""
        user = self.users.find(user_id)
        if user is None:
            raise UserNotFoundError
        if not user.active:
            raise UserDisabledError
        now = self.clock.now()
        session_id = new_id()
        session = Session.start(
            session_id=session_id,
            user_id=user.id,
            device=device,
            now=now,
            cut_off=self.sessions.get(session_id, user.id).cut_off,
            policy=self.policy,
        )
        self.sessions.start(session)
        self.log.record(SecurityEvent(happening=Happening.STARTED, session_id=session_id, user_id=user.id))
        token = session.current_token()
        return TokenPair(
            session_id=session_id,
            access_token=self.tokens.write_access_token(
                AccessToken.issue(token, now=now, ttl=self.policy.access_token_ttl)
            ),
            refresh_token=self.tokens.write_refresh_token(token),
            refresh_token_expires_in=max(0, token.expires_at - now),
        )
