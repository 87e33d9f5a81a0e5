"""Tell a service of the application what a token is worth (RFC 7662)."""

from dataclasses import dataclass

from domain.model.decisions import Decision
from domain.model.errors import (
    AccessTokenExpiredError,
    InvalidAccessTokenError,
    InvalidRefreshTokenError,
    RefreshTokenExpiredError,
)
from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from domain.model.tokens import AccessToken, RefreshToken
from ports.clock import Clock
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from ports.users import Users

_WORTHLESS = (InvalidRefreshTokenError, RefreshTokenExpiredError, InvalidAccessTokenError, AccessTokenExpiredError)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrospectToken:
    """Say whether a presented token would be accepted at this moment, with a proof of its key if it is bound to one.

    Looking changes nothing, even if the token is a reused one.

    Raises `StoreUnavailableError`, which says nothing about the token.
    """

    clock: Clock
    tokens: TokenCodec
    users: Users
    sessions: Sessions
    policy: SessionPolicy

    def __call__(self, presented: str) -> AccessToken | RefreshToken | None:
        """Return the token, or `None` unless its session is live and its user exists and is active."""
        try:
            token = self._live(presented)
        except _WORTHLESS:
            return None
        user = None if token is None else self.users.find(token.user_id)
        return token if user is not None and user.active else None

    def _live(self, presented: str) -> AccessToken | RefreshToken | None:
        try:
            token = self.tokens.read_refresh_token(presented)
        except InvalidRefreshTokenError:
            return self._live_access_token(presented)
        now, leeway = self.clock.now(), self.policy.leeway
        token.require_unexpired(now=now, session_ttl=self.policy.session_ttl, leeway=leeway)
        standing = self.sessions.get(token.user_id, token.session_id)
        holder = None if token.key_thumbprint is None else ProvenKey(thumbprint=token.key_thumbprint)
        decision = standing.decide(token, now=now, policy=self.policy, proven=holder)
        return None if decision in (Decision.REFUSE, Decision.REUSE, Decision.UNPROVEN) else token

    def _live_access_token(self, presented: str) -> AccessToken | None:
        token = self.tokens.read_access_token(presented)
        token.require_unexpired(now=self.clock.now(), leeway=self.policy.leeway)
        return token if self.sessions.get(token.user_id, token.session_id).is_live_for(token) else None
