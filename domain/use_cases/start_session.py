"""Begin a session for a user whom the login service has just authenticated."""

from dataclasses import dataclass, field, replace

from domain.model.actors import Actor
from domain.model.claims import Claims, check_claims
from domain.model.errors import InvalidClaimsError, UserDisabledError, UserNotFoundError
from domain.model.proofs import ProvenKey
from domain.model.sessions import Session, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, MAX_TOKEN_LENGTH, RefreshToken, TokenPair, new_id
from domain.use_cases.issue_tokens import IssueTokens
from ports.clock import Clock
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """What a sign-in asks for: the name of the device, claims of the application for every access token, and an end.

    `lifetime` in seconds counts if it is shorter than the policy's. Without `remember` the session's cookie is not to
    outlive the browser. With the thumbprint of a key the session is bound to that key from the start.
    """

    device: str = ""
    claims: Claims = field(default_factory=dict)
    lifetime: int | None = None
    remember: bool = True
    key_thumbprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession:
    """Start a session on one device.

    Refuses with `UserNotFoundError`, `UserDisabledError`, or `InvalidClaimsError` if no access token can carry the
    claims. `claims_of_users` names those that come from users' rows: a sign-in may give none of them.
    """

    clock: Clock
    users: Users
    sessions: Sessions
    issue: IssueTokens
    log: SecurityLog
    policy: SessionPolicy
    claims_of_users: frozenset[str] = frozenset()

    def __call__(self, user_id: str, terms: SessionTerms, *, by: Actor) -> TokenPair:
        """Return the session's first tokens, once it is on disk."""
        check_claims(terms.claims)
        for name in sorted(self.claims_of_users & terms.claims.keys()):
            raise InvalidClaimsError(f"{name} is read from the users table")
        user = self.users.find(user_id)
        if user is None:
            raise UserNotFoundError
        if not user.active:
            raise UserDisabledError
        now = self.clock.now()
        token = self._first_token(user.id, terms, now)
        key = None if terms.key_thumbprint is None else ProvenKey(thumbprint=terms.key_thumbprint)
        pair = self.issue(token, {**terms.claims, **user.claims}, now=now, proven=key)
        if len(pair.access_token) > MAX_TOKEN_LENGTH:
            raise InvalidClaimsError(
                f"an access token with these claims and the user's has {len(pair.access_token)} characters;"
                f" at most {MAX_TOKEN_LENGTH} can be carried"
            )
        self.sessions.start(replace(Session.recalled(token), device=terms.device, claims=terms.claims))
        self.log.record(SecurityEvent.of(Happening.STARTED, token, actor=by))
        return pair

    def _first_token(self, user_id: str, terms: SessionTerms, now: int) -> RefreshToken:
        session_id = new_id()
        started_at = self.sessions.get(user_id, session_id).earliest_start(now)
        ends_at = started_at + min(terms.lifetime or self.policy.session_ttl, self.policy.session_ttl)
        return RefreshToken(
            session_id=session_id,
            user_id=user_id,
            generation=FIRST_GENERATION,
            started_at=started_at,
            ends_at=ends_at,
            issued_at=now,
            expires_at=min(now + self.policy.refresh_token_ttl, ends_at),
            remember=terms.remember,
            key_thumbprint=terms.key_thumbprint,
        )
