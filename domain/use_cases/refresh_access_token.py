"""Trade a refresh token for a fresh access token."""

from dataclasses import dataclass
from typing import Never

from domain.model.decisions import Decision
from domain.model.errors import (
    InvalidRefreshTokenError,
    RefreshTokenExpiredError,
    RefusalCause,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.sessions import RevocationReason, Rotation, SessionPolicy, rotate
from domain.model.tokens import AccessToken, RefreshToken, TokenPair
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from ports.users import Users

_MAX_ATTEMPTS = 8
"""How often a step may be lost to another request before giving up. Losing leads to a replay, so two is rare."""

_HAPPENINGS = {
    Decision.ADVANCE: Happening.ROTATED,
    Decision.HEAL: Happening.HEALED,
    Decision.RECOVER: Happening.RECOVERED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshAccessToken:
    """Check a presented refresh token, rotate it, and give a new access token.

    Refuses with `InvalidRefreshTokenError`, `RefreshTokenExpiredError` or `UserNotFoundError`; a refusal that ends
    the session is in the store before it is raised. `StoreUnavailableError` says nothing about the token.
    """

    clock: Clock
    tokens: TokenCodec
    users: Users
    sessions: Sessions
    log: SecurityLog
    policy: SessionPolicy

    def __call__(self, presented: str) -> TokenPair:
        """Return the new tokens for the refresh token in `presented`."""
        now = self.clock.now()
        token = self._authenticate(presented, now)
        if not self.policy.rotation:
            self._require_active_user(token)
            return self._keep(token, now)
        # Nearly every request presents the current token of an active user: take the step without asking first.
        rotation = rotate(token, now=now, policy=self.policy, replaces=token.generation)
        if self.sessions.advance_if_active(rotation, self.users):
            return self._taken(rotation, now, Decision.ADVANCE)
        self._require_active_user(token)
        return self._reconsider(token, now)

    def _authenticate(self, presented: str, now: int) -> RefreshToken:
        try:
            token = self.tokens.read_refresh_token(presented)
        except InvalidRefreshTokenError as error:
            self.log.record(SecurityEvent(happening=Happening.REFUSED, cause=error.cause))
            raise
        try:
            token.require_unexpired(now=now, session_ttl=self.policy.session_ttl, leeway=self.policy.leeway)
        except RefreshTokenExpiredError:
            self._record(Happening.REFUSED, token, RefusalCause.EXPIRED)
            raise
        return token

    def _require_active_user(self, token: RefreshToken) -> None:
        user = self.users.find(token.user_id)
        if user is None:
            self._record(Happening.REFUSED, token, RefusalCause.USER_UNKNOWN)
            raise UserNotFoundError
        if not user.active:
            self._refuse(token, RefusalCause.USER_DISABLED)

    def _reconsider(self, token: RefreshToken, now: int) -> TokenPair:
        """Decide by what the store holds, as often as somebody else is quicker."""
        for _ in range(_MAX_ATTEMPTS):
            standing = self.sessions.get(token.session_id, token.user_id)
            session, decision = standing.session, standing.decide(token, now=now, policy=self.policy)
            self._end_or_refuse(decision, token, now)
            if decision is Decision.REPLAY and session is not None:
                self._record(Happening.REPLAYED, token)
                return self._pair(session.current_token(), now)
            replaces = None if session is None else session.generation
            rotation = rotate(token, now=now, policy=self.policy, replaces=replaces)
            if self.sessions.advance(rotation):
                return self._taken(rotation, now, decision)
        raise StoreUnavailableError("the session kept changing while it was refreshed")

    def _keep(self, token: RefreshToken, now: int) -> TokenPair:
        """Give an access token alone: rotation is off, and only a session that is over or stolen is refused."""
        standing = self.sessions.get(token.session_id, token.user_id)
        self._end_or_refuse(standing.decide(token, now=now, policy=self.policy), token, now)
        self._record(Happening.REFRESHED, token)
        return TokenPair(session_id=token.session_id, access_token=self._access_token(token, now))

    def _end_or_refuse(self, decision: Decision, token: RefreshToken, now: int) -> None:
        if decision is Decision.REFUSE:
            self._refuse(token, RefusalCause.REVOKED)
        if decision is Decision.END_SESSION:
            # APPSEC: the session is over in the store before the refusal leaves (RFC 9700, section 4.14.2).
            if self.sessions.revoke(token, at=now, reason=RevocationReason.REUSE):
                self._record(Happening.REVOKED, token, RevocationReason.REUSE)
            self._refuse(token, RefusalCause.REUSED)

    def _taken(self, rotation: Rotation, now: int, decision: Decision) -> TokenPair:
        """Give the tokens of a step that the store has taken."""
        self.log.record(
            SecurityEvent(
                happening=_HAPPENINGS[decision],
                session_id=rotation.session_id,
                user_id=rotation.user_id,
                generation=rotation.generation,
                lost_generations=rotation.lost_generations or None,
            )
        )
        return self._pair(rotation.token(), now)

    def _pair(self, successor: RefreshToken, now: int) -> TokenPair:
        return TokenPair(
            session_id=successor.session_id,
            access_token=self._access_token(successor, now),
            refresh_token=self.tokens.write_refresh_token(successor),
            refresh_token_expires_in=max(0, successor.expires_at - now),
        )

    def _access_token(self, token: RefreshToken, now: int) -> str:
        return self.tokens.write_access_token(AccessToken.issue(token, now=now, ttl=self.policy.access_token_ttl))

    def _refuse(self, token: RefreshToken, cause: RefusalCause) -> Never:
        self._record(Happening.REFUSED, token, cause)
        raise InvalidRefreshTokenError(cause)

    def _record(
        self, happening: Happening, token: RefreshToken, cause: RefusalCause | RevocationReason | None = None
    ) -> None:
        self.log.record(
            SecurityEvent(
                happening=happening,
                session_id=token.session_id,
                user_id=token.user_id,
                generation=token.generation,
                cause=cause,
            )
        )
