"""Stores and rules that are broken on purpose, one way each. The checker has to find every one of them out."""

import random
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.model.decisions import Decision, Standing
from domain.model.errors import InvalidRefreshTokenError, RefusalCause
from domain.model.sessions import Mark, RevocationReason, Rotation, Session, SessionPolicy
from domain.model.tokens import RefreshToken
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.fakes.sessions import FakeSessions

_END = Decision.END_SESSION


class UpdatesWhateverTheGeneration(FakeSessions):
    """The update lost its condition on the generation: any old token turns the session back."""

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            row = self.rows.get(rotation.session_id)
            if row is None or row.revoked_at is not None:
                return False
            self.rows[row.id] = row.rotated(rotation)
            return True


class UpdatesTheRevoked(FakeSessions):
    """The update lost its condition that the session is not revoked."""

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            row = self.rows.get(rotation.session_id)
            if row is None or row.revoked_at is None or row.generation != rotation.replaces:
                return super().advance(rotation)
            self.rows[row.id] = row.rotated(rotation)
            return True


class UpdatesTheCutOff(FakeSessions):
    """The update lost its condition that the user's sessions were not ended."""

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            ended = self.cut_offs.pop(rotation.user_id, None)
            done = super().advance(rotation)
            if ended is not None:
                self.cut_offs[rotation.user_id] = ended
            return done


class ForgetsRevocations(FakeSessions):
    """A revocation is answered and never committed."""

    def revoke_by_id(self, session_id: str, *, owner: str | None, at: int, reason: RevocationReason) -> bool:
        return True


class RollsBackReuse(FakeSessions):
    """The revocation of a stolen session is rolled back by the refusal that follows it."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        return reason is RevocationReason.REUSE or super().revoke(token, at=at, reason=reason)


class RevokesTooMuch(FakeSessions):
    """A revocation goes by the user instead of the session."""

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        self.end_all(token.user_id, at=at)
        return super().revoke(token, at=at, reason=reason)


class RevokesTheUnborn(FakeSessions):
    """A cut-off reaches into the future: it ends the sign-in that follows it."""

    def end_all(self, user_id: str, *, at: int) -> None:
        super().end_all(user_id, at=at)
        self.lasting = {**getattr(self, "lasting", {}), user_id: 2**40}

    def get(self, session_id: str, user_id: str) -> Standing:
        return replace(super().get(session_id, user_id), cut_off=getattr(self, "lasting", {}).get(user_id))


class PurgesRevocations(FakeSessions):
    """A purge removes what is revoked, as if nothing could be presented for it, and leaves no mark."""

    def purge(self, *, until: int) -> Iterator[int]:
        with self.lock:
            gone = [row.id for row in self.rows.values() if row.revoked_at is not None]
            for id_ in gone:
                del self.rows[id_]
        yield len(gone)


class AnswersBeforeItWrites(FakeSessions):
    """Every fifth rotation is answered and lost."""

    turn = 0

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            before = self.rows.get(rotation.session_id)
            done = super().advance(rotation)
            self.turn += 1
            if done and before is not None and self.turn % 5 == 0:
                self.rows[before.id] = before
            return done


class ReadsThenWrites(FakeSessions):
    """The compare-and-set is two steps, and the second does not look again."""

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            row = self.rows.get(rotation.session_id)
        if row is None or row.generation != rotation.replaces or row.revoked_at is not None:
            return False
        threading.Event().wait(0.003 * random.random())  # noqa: S311  no secret
        with self.lock:
            self.rows[row.id] = row.rotated(rotation)
        return True


class CallsTroubleInvalid(FakeSessions):
    """Trouble below is told to the client as a refusal."""

    turn = 0

    def get(self, session_id: str, user_id: str) -> Standing:
        self.turn += 1
        if self.turn % 7 == 0:
            raise InvalidRefreshTokenError(RefusalCause.REVOKED)
        return super().get(session_id, user_id)


class FailsWithADefect(FakeSessions):
    """Trouble below reaches the client as a defect."""

    turn = 0

    def get(self, session_id: str, user_id: str) -> Standing:
        self.turn += 1
        if self.turn % 7 == 0:
            raise OSError("disk")
        return super().get(session_id, user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Altered(Standing):
    """A rule that says `instead` where the real one says one of `where`, under a policy that may be altered."""

    where: tuple[Decision, ...] = ()
    instead: Decision = Decision.REFUSE

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = Standing.decide(self, token, now=now, policy=policy)
        return self.instead if decision in self.where else decision


class _Ruling(FakeSessions):
    where: tuple[Decision, ...]
    instead: Decision

    def get(self, session_id: str, user_id: str) -> Standing:
        true = super().get(session_id, user_id)
        return _Altered(
            session=true.session,
            cut_off=true.cut_off,
            purged_until=true.purged_until,
            where=self.where,
            instead=self.instead,
        )


class KnowsNoGrace(_Ruling):
    """Any superseded token is reuse at once."""

    where, instead = (Decision.REPLAY,), _END


class MintsAChildForEveryReplay(_Ruling):
    """A replay advances, so that each of three tabs gets another token."""

    where, instead = (Decision.REPLAY,), Decision.RECOVER


class KnowsNoRecovery(_Ruling):
    """A lost answer ends the session once the grace is over."""

    where, instead = (Decision.RECOVER,), _END


class SharesTheLostSuccessor(_Ruling):
    """A lost answer is given once more instead of being left behind."""

    where, instead = (Decision.RECOVER,), Decision.REPLAY


class KnowsNoReuse(_Ruling):
    """A stale token gets the current one, whenever it comes."""

    where, instead = (_END,), Decision.REPLAY


class RefusesReuseAlone(_Ruling):
    """A stale token is refused, and the session goes on."""

    where, instead = (_END,), Decision.REFUSE


class KnowsTheParentAlone(FakeSessions):
    """Rows without marks: the grace is for the direct parent only."""

    def get(self, session_id: str, user_id: str) -> Standing:
        true = super().get(session_id, user_id)
        session = true.session and replace(true.session, newer_mark=None, older_mark=None)
        return replace(true, session=session)


class ExtendsTheGrace(FakeSessions):
    """A mark that moves on with every rotation: old tokens stay good for as long as the client is busy."""

    def get(self, session_id: str, user_id: str) -> Standing:
        true = super().get(session_id, user_id)
        if true.session is None:
            return true
        mark = Mark(generation=1, superseded_at=true.session.rotated_at)
        return replace(true, session=replace(true.session, older_mark=mark))


class ForkingCodec(AuthlibTokenCodec):
    """Signs the current token as if it were new whenever it is asked for: two tokens of one generation."""

    def __init__(self) -> None:
        super().__init__(KeyRing(secrets.token_urlsafe(48), []), issuer="nuovo", audience="api", client_id="frontend")

    def write_refresh_token(self, token: RefreshToken) -> str:
        return super().write_refresh_token(replace(token, issued_at=token.issued_at - random.randrange(99)))  # noqa: S311


class RevivesAtSignIn(FakeSessions):
    """A sign-in gives the user's revoked sessions back."""

    def start(self, session: Session) -> None:
        with self.lock:
            for row in list(self.rows.values()):
                if row.user_id == session.user_id:
                    self.rows[row.id] = replace(row, revoked_at=None, revocation_reason=None)
            super().start(session)


class _ByTime(Standing):
    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        decision = super().decide(token, now=now, policy=policy)
        is_recent = self.session is not None and token.issued_at >= self.session.rotated_at
        return Decision.REPLAY if decision is _END and is_recent else decision


class ComparesTimes(FakeSessions):
    """Tokens are told apart by their second of issue: all of one second count as the current one."""

    def get(self, session_id: str, user_id: str) -> Standing:
        true = super().get(session_id, user_id)
        return _ByTime(session=true.session, cut_off=true.cut_off, purged_until=true.purged_until)


class BackToLife(FakeSessions):
    """A row is written as a whole from what was read before: a revocation in between is undone."""

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            before: Session | None = self.rows.get(rotation.session_id)
        threading.Event().wait(0.002 * random.random())  # noqa: S311  no secret
        with self.lock:
            now = self.rows.get(rotation.session_id)
            if before is None or now is None or now.generation != rotation.replaces or before.revoked_at is not None:
                return False
            self.rows[now.id] = before.rotated(rotation)
            return True


STORES: dict[type[FakeSessions], set[int]] = {
    UpdatesWhateverTheGeneration: {0, 1, 4},
    UpdatesTheRevoked: {2},
    UpdatesTheCutOff: {2},
    ForgetsRevocations: {2, 4},
    RollsBackReuse: {4},
    RevokesTooMuch: {3},
    RevokesTheUnborn: {3},
    PurgesRevocations: {2, 4, 8},
    AnswersBeforeItWrites: {0, 1, 5},
    ReadsThenWrites: {0, 1, 2},
    CallsTroubleInvalid: {3},
    FailsWithADefect: {9},
    KnowsNoGrace: {3},
    MintsAChildForEveryReplay: {0},
    KnowsNoRecovery: {3},
    SharesTheLostSuccessor: {0, 4},
    KnowsNoReuse: {4},
    RefusesReuseAlone: {4},
    KnowsTheParentAlone: {0},
    ExtendsTheGrace: {4},
    BackToLife: {2},
    RevivesAtSignIn: {6},
}
"""Every broken store, and the invariants of which it breaks one at the least."""
