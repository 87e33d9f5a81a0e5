"""Sessions: one sign-in of one user on one device each, a *token family* in the terms of RFC 9700, section 4.14.2.

A session's whole state is one row, and every rotation is one step of it from a generation to the next.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.model.actors import ActorKind
from domain.model.claims import Claims
from domain.model.proofs import DeviceBinding, ProvenKey, key_to_bind
from domain.model.tokens import FIRST_GENERATION, RefreshToken

MAX_DEVICE_LENGTH = 255
EVERYBODY = ""
"""Whose cut-off it is that ends the sessions of all users. No user is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How long things last, in whole seconds, and whether refresh tokens rotate.

    `refresh_token_ttl` is the idle life of a refresh token, `session_ttl` the absolute life of a session.
    `replay_grace` and `lost_answer_recovery` may be 0, which switches each off. With `bound_access_tokens` the
    access tokens of a session that was bound at its start are bound to the same key.
    """

    access_token_ttl: int = 15 * 60
    refresh_token_ttl: int = 14 * 86_400
    session_ttl: int = 60 * 86_400
    replay_grace: int = 30
    lost_answer_recovery: int = 86_400
    leeway: int = 0
    rotation: bool = True
    device_binding: DeviceBinding = DeviceBinding.OFF
    bound_access_tokens: bool = False


class RevocationReason(StrEnum):
    """Why a session was ended."""

    LOGOUT = "logout"
    REUSE = "reuse"
    ENDED_BY_USER = "ended_by_user"
    ENDED_BY_SERVICE = "ended_by_service"
    ENDED_BY_OPERATOR = "ended_by_operator"

    @classmethod
    def ended_by(cls, kind: ActorKind) -> "RevocationReason":
        """Return the reason of an ending that somebody of this kind asked for."""
        return cls(f"ended_by_{kind}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One step of a session: `presented` is traded for `successor`.

    A store takes it only if it holds generation `replaces` of the session (`None`: knows nothing of it), the session
    did not rotate in a second of `unless_rotated_in` (it is young, and hands out what it has), and is bound to no other
    key than `held_key`. `replaces` is the presented token's own generation, unless the store has lost writes (then it
    is less) or the presented token's successor is left behind (then it is that one's). A session that begins with the
    step has `opening_claims`.
    """

    presented: RefreshToken
    successor: RefreshToken
    replaces: int | None
    unless_rotated_in: range
    held_key: str | None = None
    opening_claims: Claims = field(default_factory=dict, hash=False)

    @property
    def parent_generation(self) -> int:
        """The token that the successor is traded for: the presented one, or the one before if that is kept."""
        return min(self.presented.generation, self.successor.generation - 1)

    @property
    def lost_generations(self) -> int:
        """How many rotations the store has lost, as this step proves: the token is further, or it alone is bound."""
        has_lost_the_key = self.held_key is None and self.presented.key_thumbprint is not None
        return max(int(has_lost_the_key), self.presented.generation - (self.replaces or 0))

    @property
    def kept_until(self) -> int:
        """How long the session must be remembered for the tokens that this step shows there are.

        A store that has lost rotations does not know how far the tokens went: it remembers to the session's end.
        """
        if self.lost_generations:
            return self.successor.ends_at
        return max(self.successor.expires_at, self.presented.expires_at)


def rotate(
    token: RefreshToken,
    *,
    now: int,
    policy: SessionPolicy,
    replaces: int | None,
    held_key: str | None = None,
    proven: ProvenKey | None = None,
) -> Rotation:
    """Return the step from `token` to its successor, for a store that holds generation `replaces` and `held_key`.

    The successor is one generation above both, and lives for the idle lifetime or to the session's end. It is bound to
    a key that was proven for this session. While rotation is off, a store that has lost what `token` says is given
    that, and the token stays in use unless it lacks a key.
    """
    key = token.key_thumbprint or held_key
    if key is None and policy.device_binding is not DeviceBinding.OFF:
        key = key_to_bind(token.session_id, proven)
    successor = token
    if policy.rotation or (replaces or 0) > token.generation or key != token.key_thumbprint:
        ends_at = min(token.ends_at, token.started_at + policy.session_ttl)
        successor = RefreshToken(  # `dataclasses.replace` would take longer than all the rest of this
            session_id=token.session_id,
            user_id=token.user_id,
            generation=max(token.generation, replaces or 0) + 1,
            started_at=token.started_at,
            ends_at=token.ends_at,
            issued_at=now,
            expires_at=min(now + policy.refresh_token_ttl, ends_at),
            remember=token.remember,
            key_thumbprint=key,
        )
    # Only the current token minds the grace: that of a recovery is over, and a store that has lost writes, or the key,
    # has nothing to repeat. The first refresh after a sign-in always rotates.
    unless_rotated_in = range(0)
    is_in_step = replaces == token.generation != FIRST_GENERATION and held_key == token.key_thumbprint
    if is_in_step and policy.replay_grace > 0:
        unless_rotated_in = range(now - policy.replay_grace, now + policy.replay_grace + 1)
    return Rotation(
        presented=token,
        successor=successor,
        replaces=replaces,
        unless_rotated_in=unless_rotated_in,
        held_key=held_key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """All of a user's sessions that had started by `ended_at` are over, but the one that was `spared`."""

    ended_at: int
    spared: str | None = None

    def covers(self, session_id: str, started_at: int) -> bool:
        """Tell whether it ended the session."""
        return started_at <= self.ended_at and session_id != self.spared


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in: the row that a store keeps.

    `token` is the current refresh token; what is said of it is also when the session last rotated. The token of
    `parent_generation` is the one that it was traded for. `claims` are those that the sign-in gave. `kept_until` is
    when the last token that could verify expires: purging earlier would forget it.
    """

    token: RefreshToken
    parent_generation: int
    kept_until: int
    device: str = ""
    claims: Claims = field(default_factory=dict, hash=False)
    revoked_at: int | None = None
    revocation_reason: RevocationReason | None = None

    @classmethod
    def recalled(cls, token: RefreshToken) -> "Session":
        """Return what `token` tells of its session: all there is of a new one, and of one whose row was lost."""
        return cls(token=token, parent_generation=token.generation - 1, kept_until=token.expires_at)

    def rotated(self, rotation: Rotation) -> "Session":
        """Return the session after `rotation`. A store does the same in one conditional statement."""
        return replace(
            self,
            token=rotation.successor,
            parent_generation=rotation.parent_generation,
            kept_until=max(self.kept_until, rotation.kept_until),
            claims=rotation.opening_claims or self.claims,
        )

    def revoked(self, *, at: int, reason: RevocationReason) -> "Session":
        """Return the session ended. It is kept to its absolute end: a token whose write was lost lives so long."""
        return replace(
            self, revoked_at=at, revocation_reason=reason, kept_until=max(self.kept_until, self.token.ends_at)
        )

    def joined(self, other: "Session") -> "Session":
        """Return what two stores know of one session: the further generation, and that it is over if either does.

        It is bound if it is bound in either: whichever binding a store has missed, it was one.
        """
        further, behind = (self, other) if self.token.generation >= other.token.generation else (other, self)
        ended = self if self.revoked_at is not None else other
        return replace(
            further,
            token=replace(further.token, key_thumbprint=further.token.key_thumbprint or behind.token.key_thumbprint),
            kept_until=max(self.kept_until, other.kept_until),
            device=self.device or other.device,
            claims=self.claims or other.claims,
            revoked_at=ended.revoked_at,
            revocation_reason=ended.revocation_reason,
        )

    def is_young(self, *, now: int, grace: int) -> bool:
        """Tell whether the session rotated at most `grace` seconds ago. One that never did is not young."""
        return self.token.generation > FIRST_GENERATION and self.rotated_within(grace, now=now)

    def rotated_within(self, span: int, *, now: int) -> bool:
        """Tell whether the current token was made at most `span` seconds from `now`; never for a span of 0.

        It looks both ways: servers' clocks differ by moments, and one that is set back does not stretch the span.
        """
        return span > 0 and abs(now - self.token.issued_at) <= span
