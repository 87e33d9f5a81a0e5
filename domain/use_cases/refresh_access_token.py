"""Trade a refresh token for a fresh access token."""

from dataclasses import dataclass, replace
from typing import Never

from domain.model.actors import THE_RULE
from domain.model.adoption import ForeignToken
from domain.model.claims import Claims
from domain.model.decisions import Decision, Standing, may_rotate_unseen
from domain.model.errors import (
    InvalidRefreshTokenError,
    KeyNotProvenError,
    RefreshTokenExpiredError,
    RefusalCause,
    StoreUnavailableError,
    UserNotFoundError,
)
from domain.model.proofs import DeviceBinding, ProvenKey
from domain.model.sessions import RevocationReason, Rotation, SessionPolicy, rotate
from domain.model.tokens import RefreshToken, TokenPair
from domain.model.users import User
from domain.use_cases.issue_tokens import IssueTokens
from domain.use_cases.read_refresh_token import ReadRefreshToken
from ports.clock import Clock
from ports.foreign_tokens import ForeignTokens
from ports.rotations import Rotations
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.users import Users

_MAX_ATTEMPTS = 8
"""How often a step may be lost to another request before giving up. Losing leads to a repeat, so two is rare."""

_HAPPENINGS = {
    Decision.ROTATE: Happening.ROTATED,
    Decision.REPEAT: Happening.REPEATED,
    Decision.RECOVER: Happening.RECOVERED,
    Decision.HEAL: Happening.HEALED,
    Decision.KEEP: Happening.KEPT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshAccessToken:
    """Check a presented refresh token, rotate it, and give a new access token.

    Refuses with `InvalidRefreshTokenError`, `RefreshTokenExpiredError` or `UserNotFoundError`; a refusal that ends
    the session is in the store before it is raised. `KeyNotProvenError` and `StoreUnavailableError` leave everything as
    it is.
    """

    clock: Clock
    read: ReadRefreshToken
    foreign: ForeignTokens
    users: Users
    sessions: Sessions
    rotations: Rotations
    issue: IssueTokens
    log: SecurityLog
    policy: SessionPolicy

    def __call__(self, presented: str, proven: ProvenKey | None = None) -> TokenPair:
        """Return the new tokens for the refresh token in `presented`, by whoever has `proven` to hold a key."""
        now = self.clock.now()
        token, foreign = self.read(presented)
        self._require_unexpired(token, now)
        if self.policy.rotation and foreign is None and may_rotate_unseen(token, proven, policy=self.policy):
            # Nearly every request presents the current token of an active user: take the step without asking first.
            rotation = rotate(
                token,
                now=now,
                policy=self.policy,
                replaces=token.generation,
                held_key=token.key_thumbprint,
                proven=proven,
            )
            claims = self.rotations.rotate(rotation)
            if claims is not None:
                return self._answer(Happening.ROTATED, rotation, claims, now, proven=proven)
        return self._reconsider(token, foreign, self._active_user(token), now, proven)

    def _require_unexpired(self, token: RefreshToken, now: int) -> None:
        try:
            token.require_unexpired(now=now, session_ttl=self.policy.session_ttl, leeway=self.policy.leeway)
        except RefreshTokenExpiredError:
            self.log.record(SecurityEvent.of(Happening.REFUSED, token, cause=RefusalCause.EXPIRED))
            raise

    def _active_user(self, token: RefreshToken) -> User:
        user = self.users.find(token.user_id)
        if user is None:
            self.log.record(SecurityEvent.of(Happening.REFUSED, token, cause=RefusalCause.USER_UNKNOWN))
            raise UserNotFoundError
        if not user.active:
            self._refuse(token, RefusalCause.USER_DISABLED)
        return user

    def _reconsider(
        self, token: RefreshToken, foreign: ForeignToken | None, user: User, now: int, proven: ProvenKey | None
    ) -> TokenPair:
        """Decide by what the store holds, and once more whenever another request was quicker."""
        for _ in range(_MAX_ATTEMPTS):
            standing = self.sessions.get(token.user_id, token.session_id)
            session, decision = standing.session, standing.decide(token, now=now, policy=self.policy, proven=proven)
            if decision is Decision.REFUSE:
                self._refuse(token, RefusalCause.REVOKED)
            if decision is Decision.UNPROVEN:
                self._refuse_unproven(token, standing)
            if decision is Decision.REUSE:
                self._end(token, now)
                self._refuse(token, RefusalCause.REUSED)
            if session is not None and decision in (Decision.REPEAT, Decision.KEEP):
                self.log.record(SecurityEvent.of(_HAPPENINGS[decision], token))
                claims = {**session.claims, **user.claims}
                return self.issue(session.token, claims, now=now, proven=proven, stays_in_use=decision is Decision.KEEP)
            rotation = rotate(
                token,
                now=now,
                policy=self.policy,
                replaces=None if session is None else session.token.generation,
                held_key=standing.held_key,
                proven=proven,
            )
            adopted = foreign if session is None else None
            if adopted is not None:
                rotation = self._adopt(adopted, rotation)
            taken = self.rotations.rotate(rotation)
            if taken is not None:
                return self._answer(_HAPPENINGS[decision], rotation, taken, now, proven=proven, adopted=adopted)
        raise StoreUnavailableError("the session kept changing while it was refreshed")

    def _adopt(self, foreign: ForeignToken, rotation: Rotation) -> Rotation:
        """Return the first step of the session that `foreign` becomes, unless its own system had revoked it."""
        if self.foreign.is_revoked(foreign):
            self._refuse(foreign.token, RefusalCause.REVOKED)
        return replace(rotation, opening_claims=foreign.opening_claims())

    def _answer(
        self,
        happening: Happening,
        rotation: Rotation,
        claims: Claims,
        now: int,
        *,
        proven: ProvenKey | None,
        adopted: ForeignToken | None = None,
    ) -> TokenPair:
        """Give the tokens of a step that the store has taken."""
        successor, lost = rotation.successor, rotation.lost_generations or None
        if adopted is None:
            self.log.record(SecurityEvent.of(happening, successor, lost_generations=lost))
        else:
            self.log.record(SecurityEvent.of(Happening.ADOPTED, successor, scheme=adopted.scheme))
        key = successor.key_thumbprint
        if key not in (None, rotation.held_key, rotation.presented.key_thumbprint):
            self.log.record(SecurityEvent.of(Happening.BOUND, successor))
        pair = self.issue(successor, claims, now=now, proven=proven, stays_in_use=successor is rotation.presented)
        # Only who has rotated is offered a binding: of eight tabs that refresh at once, one.
        may_bind = key is None and self.policy.device_binding is not DeviceBinding.OFF
        return replace(pair, may_bind=True) if may_bind else pair

    def _end(self, token: RefreshToken, now: int) -> None:
        # APPSEC: the session is over in the store before the refusal leaves (RFC 9700, section 4.14.2).
        if self.sessions.revoke(token, at=now, reason=RevocationReason.REUSE):
            self.log.record(SecurityEvent.of(Happening.ENDED, token, cause=RevocationReason.REUSE, actor=THE_RULE))

    def _refuse_unproven(self, token: RefreshToken, standing: Standing) -> Never:
        self.log.record(SecurityEvent.of(Happening.REFUSED, token, cause=RefusalCause.KEY_NOT_PROVEN))
        raise KeyNotProvenError(token.session_id, may_bind=standing.may_bind(token, self.policy))

    def _refuse(self, token: RefreshToken, cause: RefusalCause) -> Never:
        self.log.record(SecurityEvent.of(Happening.REFUSED, token, cause=cause))
        raise InvalidRefreshTokenError(cause)
