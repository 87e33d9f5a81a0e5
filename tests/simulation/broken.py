"""Stores and rules that are wrong on purpose, one way each. Every check has to find its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from domain.model.decisions import Decision, Standing
from domain.model.sessions import Mark, RevocationReason, Rotation, Session, SessionPolicy
from domain.model.tokens import RefreshToken
from tests.fakes.sessions import FakeSessions


class TakesAnyGeneration(FakeSessions):
    """The compare-and-set compares `<=` instead of `=`: a stale token wins too."""

    def advance(self, rotation: Rotation) -> bool:
        row = self.rows.get(rotation.session_id)
        if row is None or rotation.replaces is None or rotation.replaces > row.generation:
            return super().advance(rotation)
        return super().advance(
            replace(rotation, replaces=row.generation, generation=max(rotation.generation, row.generation + 1))
        )


class GivesOneGenerationTwice(FakeSessions):
    """A recovery writes the generation after the parent's again, with another token."""

    def advance(self, rotation: Rotation) -> bool:
        if rotation.replaces is None or rotation.replaces <= rotation.parent_generation:
            return super().advance(rotation)
        taken = super().advance(rotation)
        if taken:
            self.rows[rotation.session_id] = replace(
                self.rows[rotation.session_id], generation=rotation.parent_generation + 1
            )
        return taken


class LosesItsMarks(FakeSessions):
    """No mark is kept: only the direct parent has a grace."""

    def advance(self, rotation: Rotation) -> bool:
        taken = super().advance(rotation)
        if taken:
            row = self.rows[rotation.session_id]
            self.rows[rotation.session_id] = replace(row, newer_mark=None, older_mark=None)
        return taken


class KeepsOneMark(FakeSessions):
    """The older mark is dropped while it still proves something."""

    def advance(self, rotation: Rotation) -> bool:
        taken = super().advance(rotation)
        if taken:
            self.rows[rotation.session_id] = replace(self.rows[rotation.session_id], older_mark=None)
        return taken


class MovesItsMarksAlways(FakeSessions):
    """Marks have no spacing: two quick rotations push a third tab's proof out."""

    def advance(self, rotation: Rotation) -> bool:
        return super().advance(replace(rotation, mark_spacing=-1))


class MarksTheWrongGeneration(FakeSessions):
    """A mark stands at the new generation instead of the one that it superseded."""

    def advance(self, rotation: Rotation) -> bool:
        taken = super().advance(rotation)
        row = self.rows.get(rotation.session_id)
        if taken and row and row.newer_mark and row.newer_mark.superseded_at == rotation.rotated_at:
            mark = Mark(generation=rotation.generation, superseded_at=rotation.rotated_at)
            self.rows[row.id] = replace(row, newer_mark=mark)
        return taken


class RevokesNothing(FakeSessions):
    """Reuse is refused, but never committed: the session lives on."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return True


class RevokesTheWholeUser(FakeSessions):
    """Ending one session ends all of its user's."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        self.end_all(token.user_id, at=at)
        return super().revoke(token, at=at, reason=reason)


class HealsTheRevoked(FakeSessions):
    """A token further than the row is believed, even if the row is revoked."""

    def get(self, session_id: str, user_id: str) -> Standing:
        return _standing(_HealingStanding, super().get(session_id, user_id))

    def advance(self, rotation: Rotation) -> bool:
        row = self.rows.get(rotation.session_id)
        if row is not None and row.revoked_at is not None and rotation.lost_generations:
            self.rows[row.id] = replace(row, revoked_at=None)
        return super().advance(rotation)


class ForgetsRevocationsOnPurge(FakeSessions):
    """A purge deletes by the current token's expiry and leaves no mark."""

    def purge(self, *, until: int) -> Iterator[int]:
        gone = [row.id for row in self.rows.values() if row.expires_at <= until]
        for id_ in gone:
            del self.rows[id_]
        yield len(gone)


class LeavesNoPurgeMark(FakeSessions):
    """A purge deletes what it may, and does not remember that it did."""

    def purge(self, *, until: int) -> Iterator[int]:
        yield from super().purge(until=until)
        self.purged_until = None


class ForgetsCutOffsOnPurge(FakeSessions):
    """A purge deletes all cut-offs."""

    def purge(self, *, until: int) -> Iterator[int]:
        yield from super().purge(until=until)
        self.cut_offs.clear()


class EndsOnlyThePast(FakeSessions):
    """A cut-off stands at the clock, so that a clock set back spares the sessions it should end."""

    def end_all(self, user_id: str, *, at: int) -> None:
        self.cut_offs[user_id] = at


class KeepsHealedRowsTooShort(FakeSessions):
    """A row is kept for the tokens that the last step knew, not for those that the store has lost."""

    def advance(self, rotation: Rotation) -> bool:
        taken = super().advance(rotation)
        if taken:
            row = self.rows[rotation.session_id]
            self.rows[row.id] = replace(row, kept_until=rotation.expires_at)
        return taken


class LeavesNoTombstone(FakeSessions):
    """A session without a row is not revoked."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return self.revoke_by_id(token.session_id, owner=None, at=at, reason=reason)


@dataclass(frozen=True, kw_only=True)
class _HealingStanding(Standing):
    def _is_over_for(self, token: RefreshToken) -> bool:
        ahead = self.session is not None and self.session.generation < token.generation
        return not ahead and super()._is_over_for(token)


@dataclass(frozen=True, kw_only=True)
class _NeverRefuses(Standing):
    """Reuse is taken for a lost answer."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = super().decide(token, now=now, policy=policy)
        return Decision.RECOVER if decision is Decision.END_SESSION else decision


@dataclass(frozen=True, kw_only=True)
class _RefusesWithoutEnding(Standing):
    """Reuse is refused as if the session were over, and it is not."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = super().decide(token, now=now, policy=policy)
        return Decision.REFUSE if decision is Decision.END_SESSION else decision


@dataclass(frozen=True, kw_only=True)
class _SharesLate(Standing):
    """A lost answer is made up for with the same successor, however late."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = super().decide(token, now=now, policy=policy)
        return Decision.REPLAY if decision is Decision.RECOVER else decision


@dataclass(frozen=True, kw_only=True)
class _RecoversForEver(Standing):
    """A lost answer is recovered after any time."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        return super().decide(token, now=now, policy=replace(policy, lost_answer_recovery=10**9))


@dataclass(frozen=True, kw_only=True)
class _RecoversNothing(Standing):
    """A lost answer is taken for reuse as soon as the grace is over."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        return super().decide(token, now=now, policy=replace(policy, lost_answer_recovery=0))


@dataclass(frozen=True, kw_only=True)
class _GraceOutlivesRevocation(Standing):
    """The grace is looked at before the revocation."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        session = self.session
        if session is not None and session.superseded_within(policy.replay_grace, token.generation, now=now):
            return Decision.REPLAY
        return super().decide(token, now=now, policy=policy)


@dataclass(frozen=True, kw_only=True)
class _ComparesTimesOfIssue(Standing):
    """A token is current if it was issued when the current one was: within one second they all were."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        session = self.session
        if session is not None and session.revoked_at is None and token.issued_at == session.rotated_at:
            return Decision.REPLAY
        return super().decide(token, now=now, policy=policy)


@dataclass(frozen=True, kw_only=True)
class _ClockStretchesGrace(Standing):
    """Times are subtracted without looking at the sign."""

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        session = self.session
        later = now if session is None else max(now, session.rotated_at)
        return super().decide(token, now=later, policy=policy)


class ExtendsTheGrace(FakeSessions):
    """Each replay starts the grace anew."""

    def get(self, session_id: str, user_id: str) -> Standing:
        standing = super().get(session_id, user_id)
        return _ExtendingStanding(**_fields(standing), replayed=self._replayed)

    def _replayed(self, session: Session, now: int) -> None:
        marks = [m and replace(m, superseded_at=now) for m in (session.newer_mark, session.older_mark)]
        self.rows[session.id] = replace(session, rotated_at=now, newer_mark=marks[0], older_mark=marks[1])


@dataclass(frozen=True, kw_only=True)
class _ExtendingStanding(Standing):
    replayed: Callable[[Session, int], None]

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = super().decide(token, now=now, policy=policy)
        if decision is Decision.REPLAY and self.session is not None:
            self.replayed(self.session, now)
        return decision


def deciding(standing: type[Standing]) -> type[FakeSessions]:
    """Return a store whose sessions are judged by a wrong rule."""

    class Deciding(FakeSessions):
        def get(self, session_id: str, user_id: str) -> Standing:
            return _standing(standing, super().get(session_id, user_id))

    Deciding.__name__ = standing.__name__.lstrip("_")
    return Deciding


def _standing(kind: type[Standing], standing: Standing) -> Standing:
    return kind(**_fields(standing))


def _fields(standing: Standing) -> dict[str, Any]:
    return {
        "session": standing.session,
        "cut_off": standing.cut_off,
        "purged_until": standing.purged_until,
    }


NeverRefuses = deciding(_NeverRefuses)
RefusesWithoutEnding = deciding(_RefusesWithoutEnding)
SharesLate = deciding(_SharesLate)
RecoversForEver = deciding(_RecoversForEver)
RecoversNothing = deciding(_RecoversNothing)
GraceOutlivesRevocation = deciding(_GraceOutlivesRevocation)
ComparesTimesOfIssue = deciding(_ComparesTimesOfIssue)
ClockStretchesGrace = deciding(_ClockStretchesGrace)
