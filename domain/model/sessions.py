"""Sessions: one sign-in of one user on one device each, a *token family* in the terms of RFC 9700, section 4.14.2.

A session's whole state is one row, and every refresh is one step of it from a generation to the next.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.model.tokens import FIRST_GENERATION, RefreshToken

MAX_SESSION_TTL = 400 * 86_400
"""The longest life a policy may give a session, so that a cut-off need not be kept for ever."""
MAX_DEVICE_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How long things last, in whole seconds, and whether refresh tokens rotate.

    `refresh_token_ttl` is the idle life of a refresh token, `session_ttl` the absolute life of a session.
    `replay_grace` and `lost_answer_recovery` may be 0, which switches each off.
    """

    access_token_ttl: int = 15 * 60
    refresh_token_ttl: int = 14 * 86_400
    session_ttl: int = 60 * 86_400
    replay_grace: int = 30
    lost_answer_recovery: int = 86_400
    leeway: int = 0
    rotation: bool = True


class RevocationReason(StrEnum):
    """Why a session was ended."""

    LOGOUT = "logout"
    REUSE = "reuse"
    ENDED_BY_USER = "ended_by_user"
    ENDED_BY_OPERATOR = "ended_by_operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Proof for a while: the token of `generation` was superseded at `superseded_at`, later ones not before."""

    generation: int
    superseded_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One step of a session: the token of `parent_generation` is traded for the one of `generation`.

    `replaces` is the generation that the store must hold for the step to be taken, or `None` if it must know
    nothing of the session. It is the parent's own, unless the store has lost writes (then it is less) or the
    parent's successor is left behind (then it is that one's).
    """

    session_id: str
    user_id: str
    parent_generation: int
    generation: int
    replaces: int | None
    started_at: int
    ends_at: int
    rotated_at: int
    expires_at: int
    parent_expires_at: int
    mark_spacing: int
    """Marks stand further apart than this, so that two of them cover every token for half a grace."""

    @property
    def lost_generations(self) -> int:
        """How many rotations the store has lost, as this step proves: the token went further than the store."""
        return max(0, self.parent_generation - (self.replaces or 0))

    @property
    def kept_until(self) -> int:
        """How long the session must be remembered for the tokens that this step shows there are.

        A store that has lost rotations does not know how far the tokens went: it remembers to the session's end.
        """
        return self.ends_at if self.lost_generations else max(self.expires_at, self.parent_expires_at)

    def token(self) -> RefreshToken:
        """Return the refresh token of the new generation."""
        return RefreshToken(
            session_id=self.session_id,
            user_id=self.user_id,
            generation=self.generation,
            started_at=self.started_at,
            ends_at=self.ends_at,
            issued_at=self.rotated_at,
            expires_at=self.expires_at,
        )


def rotate(token: RefreshToken, *, now: int, policy: SessionPolicy, replaces: int | None) -> Rotation:
    """Return the step from `token` to its successor, for a store that holds generation `replaces`.

    The successor is one generation above both, and lives for the idle lifetime or to the session's end.
    """
    ends_at = min(token.ends_at, token.started_at + policy.session_ttl)
    expires_at = min(now + policy.refresh_token_ttl, ends_at)
    return Rotation(
        session_id=token.session_id,
        user_id=token.user_id,
        parent_generation=token.generation,
        generation=max(token.generation, replaces or 0) + 1,
        replaces=replaces,
        started_at=token.started_at,
        ends_at=token.ends_at,
        rotated_at=now,
        expires_at=expires_at,
        parent_expires_at=token.expires_at,
        mark_spacing=policy.replay_grace // 2,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in: the row that a store keeps.

    `parent_generation` is the token that the current one was traded for; while it is, the current one was never
    presented. `kept_until` is when the last token that could verify expires: purging earlier would forget it.
    `lost_generations` counts the rotations that the store lost and the tokens brought back.
    """

    id: str
    user_id: str
    device: str
    generation: int
    parent_generation: int
    started_at: int
    ends_at: int
    rotated_at: int
    expires_at: int
    kept_until: int
    newer_mark: Mark | None = None
    older_mark: Mark | None = None
    lost_generations: int = 0
    revoked_at: int | None = None
    revocation_reason: RevocationReason | None = None

    @classmethod
    def start(
        cls,
        *,
        session_id: str,
        user_id: str,
        device: str,
        now: int,
        cut_off: int | None,
        policy: SessionPolicy,
    ) -> "Session":
        """Return a new session of a user whose earlier sessions were ended at `cut_off`, if ever.

        A sign-in in the second of a cut-off counts as later than it.
        """
        started_at = now if cut_off is None else max(now, cut_off + 1)
        ends_at = started_at + policy.session_ttl
        expires_at = min(now + policy.refresh_token_ttl, ends_at)
        return cls(
            id=session_id,
            user_id=user_id,
            device=device,
            generation=FIRST_GENERATION,
            parent_generation=FIRST_GENERATION - 1,
            started_at=started_at,
            ends_at=ends_at,
            rotated_at=now,
            expires_at=expires_at,
            kept_until=expires_at,
        )

    @classmethod
    def recalled(cls, token: RefreshToken) -> "Session":
        """Return what `token` tells of a session whose row was lost: all but the device and the marks."""
        return cls(
            id=token.session_id,
            user_id=token.user_id,
            device="",
            generation=token.generation,
            parent_generation=token.generation - 1,
            started_at=token.started_at,
            ends_at=token.ends_at,
            rotated_at=token.issued_at,
            expires_at=token.expires_at,
            kept_until=token.expires_at,
        )

    def rotated(self, rotation: Rotation) -> "Session":
        """Return the session after `rotation`. A store does the same in one conditional statement."""
        newer, older = self.newer_mark, self.older_mark
        if newer is None or abs(rotation.rotated_at - newer.superseded_at) > rotation.mark_spacing:
            older = newer
            newer = Mark(generation=rotation.parent_generation, superseded_at=rotation.rotated_at)
        return replace(
            self,
            generation=rotation.generation,
            parent_generation=rotation.parent_generation,
            rotated_at=rotation.rotated_at,
            expires_at=rotation.expires_at,
            kept_until=max(self.kept_until, rotation.kept_until),
            newer_mark=newer,
            older_mark=older,
            lost_generations=self.lost_generations + rotation.lost_generations,
        )

    def revoked(self, *, at: int, reason: RevocationReason) -> "Session":
        """Return the session ended. It is kept to its absolute end: a token whose write was lost lives so long."""
        return replace(self, revoked_at=at, revocation_reason=reason, kept_until=max(self.kept_until, self.ends_at))

    def current_token(self) -> RefreshToken:
        """Return the session's one live refresh token, the same whenever it is asked for."""
        return RefreshToken(
            session_id=self.id,
            user_id=self.user_id,
            generation=self.generation,
            started_at=self.started_at,
            ends_at=self.ends_at,
            issued_at=self.rotated_at,
            expires_at=self.expires_at,
        )

    def superseded_within(self, grace: int, generation: int, *, now: int) -> bool:
        """Tell whether the token of `generation` was current at most `grace` seconds ago.

        The parent was superseded when the current token was made. Any other token was superseded no earlier than
        the one of a mark at or below it.
        """
        proofs = [mark for mark in (self.newer_mark, self.older_mark) if mark is not None]
        proofs.append(Mark(generation=self.parent_generation, superseded_at=self.rotated_at))
        return any(p.generation <= generation and is_within(grace, p.superseded_at, now) for p in proofs)


def is_within(span: int, instant: int, now: int) -> bool:
    """Tell whether `instant` is at most `span` away; a clock set back does not stretch a span of 0 or more."""
    return span > 0 and abs(now - instant) <= span
