"""Stores that are wrong on purpose in one way each: every condition of the step, every ending, every purge."""

import random
import threading
from collections.abc import Iterator
from dataclasses import replace

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.errors import InvalidRefreshTokenError, RefusalCause
from domain.model.sessions import CutOff, RevocationReason, Rotation, Session
from domain.model.tokens import RefreshToken
from tests.fakes.sessions import FakeSessions, key_of


class WrongSessions(FakeSessions):
    """What the wrong ones have in common."""

    def row_of(self, rotation: Rotation) -> Session | None:
        return self.rows.get(key_of(rotation.successor))

    def put(self, session: Session) -> None:
        self.rows[key_of(session.token)] = session


# ---- the conditions of the step ---------------------------------------------------------------------


class StepsFromAnyGeneration(WrongSessions):
    """The compare-and-set does not compare: a stale token wins, and turns the session back."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            row = self.row_of(rotation)
            if row is None or rotation.replaces is None:
                return super().rotate(rotation)
            return super().rotate(replace(rotation, replaces=row.token.generation))


class StepsFromAnyOlderGeneration(WrongSessions):
    """The compare-and-set compares `<=` instead of `=`: a stale token gets the generation after the current one."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            row = self.row_of(rotation)
            if row is not None and rotation.replaces is not None and rotation.replaces < row.token.generation:
                successor = replace(rotation.successor, generation=row.token.generation + 1)
                rotation = replace(rotation, replaces=row.token.generation, successor=successor)
            return super().rotate(rotation)


class StepsWhileYoung(WrongSessions):
    """The grace is no condition: the current token rotates at every use."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        return super().rotate(replace(rotation, unless_rotated_in=range(0)))


class StepsOfTheRevoked(WrongSessions):
    """That the session is not revoked is no condition."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            row = self.row_of(rotation)
            if row is None or row.revoked_at is None:
                return super().rotate(rotation)
            self.put(replace(row, revoked_at=None))
            claims = super().rotate(rotation)
            after = self.row_of(rotation) or row
            self.put(replace(after, revoked_at=row.revoked_at))
            return claims


class StepsOfTheCutOff(WrongSessions):
    """That the user's sessions were not ended is no condition."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            cut_off = self.cut_offs.pop(rotation.successor.user_id, None)
            claims = super().rotate(rotation)
            if cut_off is not None:
                self.cut_offs[rotation.successor.user_id] = cut_off
            return claims


class RefusesTheSpared(WrongSessions):
    """The step does not see that a cut-off spared the session."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            cut_off = self.cut_offs.get(rotation.successor.user_id)
            if cut_off is not None and cut_off.covers("", rotation.successor.started_at):
                return None
            return super().rotate(rotation)


class RestoresWhatWasPurged(WrongSessions):
    """A token whose session a purge may have forgotten brings it back."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            purged_until, self.purged_until = self.purged_until, None
            claims = super().rotate(rotation)
            self.purged_until = purged_until
            return claims


class RestoresOverWhatIsThere(WrongSessions):
    """A lost row is written whether or not there is one by now."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            if rotation.replaces is None:
                self.rows.pop(key_of(rotation.successor), None)
            return super().rotate(rotation)


# ---- what the step writes ---------------------------------------------------------------------------


class GivesOneGenerationTwice(WrongSessions):
    """A recovery writes the generation after the parent's again, with another token."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and row is not None and rotation.replaces == rotation.presented.generation + 1:
                self.put(replace(row, token=replace(row.token, generation=rotation.replaces)))
            return claims


class ForgetsTheParent(WrongSessions):
    """Which token was traded is not written down."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and row is not None:
                self.put(replace(row, parent_generation=0))
            return claims


class ForgetsWhenItRotated(WrongSessions):
    """The time of the step is not written down."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            before = self.row_of(rotation)
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and before is not None and row is not None:
                self.put(replace(row, token=replace(row.token, issued_at=before.token.issued_at)))
            return claims


class KeepsHealedRowsTooShort(WrongSessions):
    """A row is kept for the tokens that the last step knew, not for those that the store has lost."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and row is not None:
                self.put(replace(row, kept_until=rotation.successor.expires_at))
            return claims


class AnswersBeforeItWrites(WrongSessions):
    """Every fifth rotation is answered and lost."""

    turn = 0

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            before = self.row_of(rotation)
            claims = super().rotate(rotation)
            self.turn += 1
            if claims is not None and before is not None and self.turn % 5 == 0:
                self.put(before)
            return claims


class ReadsThenWrites(WrongSessions):
    """The compare-and-set is two steps, and the second does not look again."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            row = self.row_of(rotation)
        if row is None or row.token.generation != rotation.replaces or row.revoked_at is not None:
            return None
        if row.token.issued_at in rotation.unless_rotated_in:
            return None
        _meet(0.003)
        with self.lock:
            self.put(row.rotated(rotation))
        return row.claims


class WritesTheWholeRow(WrongSessions):
    """A row is written as a whole from what was read before: a revocation in between is undone."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            before = self.row_of(rotation)
        _meet(0.002)
        with self.lock:
            now = self.row_of(rotation)
            if before is None or now is None or now.token.generation != rotation.replaces:
                return None
            if before.revoked_at is not None or now.token.issued_at in rotation.unless_rotated_in:
                return None
            self.put(before.rotated(rotation))
            return before.claims


# ---- the key ----------------------------------------------------------------------------------------


class StepsOfAnotherKey(WrongSessions):
    """To which key the session is bound is no condition."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            row = self.row_of(rotation)
            held_key = None if row is None else row.token.key_thumbprint
            return super().rotate(replace(rotation, held_key=held_key))


class ForgetsTheKey(WrongSessions):
    """The key is not written with the step."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            before = self.row_of(rotation)
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and before is not None and row is not None:
                self.put(replace(row, token=replace(row.token, key_thumbprint=before.token.key_thumbprint)))
            return claims


class RestoresUnbound(WrongSessions):
    """A lost row comes back without the key that its token names."""

    def rotate(self, rotation: Rotation) -> Claims | None:
        with self.lock:
            claims = super().rotate(rotation)
            row = self.row_of(rotation)
            if claims is not None and rotation.replaces is None and row is not None:
                self.put(replace(row, token=replace(row.token, key_thumbprint=None)))
            return claims


# ---- endings ----------------------------------------------------------------------------------------


class RevokesNothing(WrongSessions):
    """A revocation is answered and never committed."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return True

    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        return True


class RollsBackReuse(WrongSessions):
    """The revocation of a stolen session is rolled back by the refusal that follows it."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return reason is RevocationReason.REUSE or super().revoke(token, at=at, reason=reason)


class RevokesTheWholeUser(WrongSessions):
    """A revocation goes by the user instead of the session."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        self.end_all(token.user_id, at=at)
        return super().revoke(token, at=at, reason=reason)


class LeavesNoTombstone(WrongSessions):
    """A session without a row is not revoked."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return self.end(token.user_id, token.session_id, at=at, reason=reason)


class CutsOffTheUnborn(WrongSessions):
    """A cut-off reaches into the future: it ends the sign-in that follows it."""

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        count = super().end_all(user_id, at=at, spare=spare)
        self.lasting = {**getattr(self, "lasting", {}), user_id: CutOff(ended_at=2**40, spared=spare)}
        return count

    def get(self, user_id: str, session_id: str) -> Standing:
        true = super().get(user_id, session_id)
        return true if true.session is None else replace(true, cut_off=getattr(self, "lasting", {}).get(user_id))


class CutsOffOnlyThePast(WrongSessions):
    """A cut-off stands at the clock, so that a clock set back spares the sessions it should end."""

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        self.cut_offs[user_id] = CutOff(ended_at=at, spared=spare)
        return 0


class SparesNobody(WrongSessions):
    """The session that an ending of all others should spare is over, too."""

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        return super().end_all(user_id, at=at)


class SparesWhatWasEnded(WrongSessions):
    """A later cut-off spares a session that an earlier one has ended, and so brings it back."""

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        count = super().end_all(user_id, at=at)
        self.cut_offs[user_id] = replace(self.cut_offs[user_id], spared=spare)
        return count


class RevivesAtSignIn(WrongSessions):
    """A sign-in gives the user's revoked sessions back."""

    def start(self, session: Session) -> None:
        with self.lock:
            for row in list(self.rows.values()):
                if row.token.user_id == session.token.user_id:
                    self.put(replace(row, revoked_at=None, revocation_reason=None))
            super().start(session)


# ---- purges -----------------------------------------------------------------------------------------


class PurgesRevocations(WrongSessions):
    """A purge removes what is revoked, as if nothing could be presented for it, and leaves no mark."""

    def purge(self, *, until: int) -> Iterator[int]:
        with self.lock:
            gone = [key for key, row in self.rows.items() if row.revoked_at is not None]
            for key in gone:
                del self.rows[key]
        yield len(gone)


class PurgesByExpiry(WrongSessions):
    """A purge deletes by the current token's expiry and leaves no mark."""

    def purge(self, *, until: int) -> Iterator[int]:
        with self.lock:
            gone = [key for key, row in self.rows.items() if row.token.expires_at <= until]
            for key in gone:
                del self.rows[key]
        yield len(gone)


class LeavesNoPurgeMark(WrongSessions):
    """A purge deletes what it may, and does not remember that it did."""

    def purge(self, *, until: int) -> Iterator[int]:
        yield from super().purge(until=until)
        self.purged_until = None


class PurgesCutOffs(WrongSessions):
    """A purge deletes all cut-offs."""

    def purge(self, *, until: int) -> Iterator[int]:
        yield from super().purge(until=until)
        self.cut_offs.clear()


# ---- trouble below ----------------------------------------------------------------------------------


class CallsTroubleInvalid(WrongSessions):
    """Trouble below is told to the client as a refusal."""

    turn = 0

    def get(self, user_id: str, session_id: str) -> Standing:
        self.turn += 1
        if self.turn % 7 == 0:
            raise InvalidRefreshTokenError(RefusalCause.REVOKED)
        return super().get(user_id, session_id)


class FailsWithADefect(WrongSessions):
    """Trouble below reaches the client as a defect."""

    turn = 0

    def get(self, user_id: str, session_id: str) -> Standing:
        self.turn += 1
        if self.turn % 7 == 0:
            raise OSError("disk")
        return super().get(user_id, session_id)


STORES = {kind.__name__: kind for kind in WrongSessions.__subclasses__()}


def _meet(seconds: float) -> None:
    """Give another thread the time to come in between."""
    threading.Event().wait(seconds * random.random())  # noqa: S311  no secret
