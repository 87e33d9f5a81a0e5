"""The rule, wrong on purpose in one way each: for every line of `Standing.decide` and every condition in it.

Each variant is a store in memory whose sessions are judged wrongly, so that any test that is given a store can be
given a wrong rule. What a variant's line means stands in `docs/rotation.md`.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from domain.model.decisions import Decision, Standing
from domain.model.proofs import DeviceBinding, ProvenKey, key_to_bind
from domain.model.sessions import CutOff, Session, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, RefreshToken
from tests.fakes.sessions import FakeSessions

_EVER = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the rule is asked."""

    standing: Standing
    token: RefreshToken
    now: int
    policy: SessionPolicy
    proven: ProvenKey | None

    @property
    def session(self) -> Session | None:
        return self.standing.session

    @property
    def held_key(self) -> str | None:
        return self.standing.held_key

    def decide(self, **changes: Any) -> Decision:
        """Return what the rule says of this case, or of another that differs in `changes`."""
        case = replace(self, **changes)
        return case.standing.decide(case.token, now=case.now, policy=case.policy, proven=case.proven)

    def decide_by(self, **changes: Any) -> Decision:
        """Return what the rule would say by another policy."""
        return self.decide(policy=replace(self.policy, **changes))


class WronglyRuled(FakeSessions):
    """Says `instead` where the rule says `rightly`; variants that are wrong in another way have a `judge` of theirs."""

    rightly: ClassVar[Decision]
    instead: ClassVar[Decision]

    def get(self, user_id: str, session_id: str) -> Standing:
        true = super().get(user_id, session_id)
        return _Judged(**{each.name: getattr(true, each.name) for each in fields(Standing)}, true=true, store=self)

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        return self.instead if decision is self.rightly else decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged(Standing):
    true: Standing
    store: WronglyRuled

    def decide(
        self, token: RefreshToken, *, now: int, policy: SessionPolicy, proven: ProvenKey | None = None
    ) -> Decision:
        return self.store.judge(Case(standing=self.true, token=token, now=now, policy=policy, proven=proven))


# ---- refuse: the session is over --------------------------------------------------------------------


class OverlooksRevocations(WronglyRuled):
    """What is revoked goes on, above all within its grace."""

    def judge(self, case: Case) -> Decision:
        session = case.session and replace(case.session, revoked_at=None)
        return case.decide(standing=replace(case.standing, session=session))


class OverlooksCutOffs(WronglyRuled):
    """What was cut off with all of its user's sessions goes on."""

    def judge(self, case: Case) -> Decision:
        return case.decide(standing=replace(case.standing, cut_off=None))


class OverlooksTheSpare(WronglyRuled):
    """The one session that a cut-off spared is over, too."""

    def judge(self, case: Case) -> Decision:
        cut_off = case.standing.cut_off and CutOff(ended_at=case.standing.cut_off.ended_at)
        return case.decide(standing=replace(case.standing, cut_off=cut_off))


class OverlooksPurges(WronglyRuled):
    """What a purge may have forgotten is healed."""

    def judge(self, case: Case) -> Decision:
        return case.decide(standing=replace(case.standing, purged_until=None))


# ---- heal: the store has lost what this service signed for ------------------------------------------


class HealsBeforeItRefuses(WronglyRuled):
    """A token that is further than the row is believed, even if the row is revoked."""

    def judge(self, case: Case) -> Decision:
        session = case.session
        if session is not None and session.token.generation < case.token.generation:
            return Decision.HEAL
        return case.decide()


class RefusesWhatItLost(WronglyRuled):
    """A store that lost its last writes logs everybody out."""

    rightly, instead = Decision.HEAL, Decision.REFUSE


class EndsWhatItLost(WronglyRuled):
    """A token that is further than the row is taken for a stolen one."""

    rightly, instead = Decision.HEAL, Decision.REUSE


class HandsOutWhatItHas(WronglyRuled):
    """A token that is further than the row gets the row's older one."""

    rightly, instead = Decision.HEAL, Decision.REPEAT


# ---- keep: rotation is off --------------------------------------------------------------------------


class RotatesAnyway(WronglyRuled):
    """Rotation cannot be switched off."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(rotation=True)


class KeepsEveryToken(WronglyRuled):
    """With rotation off, tokens that were superseded before stay in use beside the current one."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_over = decision in (Decision.REFUSE, Decision.HEAL)
        return decision if case.policy.rotation or is_over else Decision.KEEP


# ---- repeat: the session rotated a moment ago -------------------------------------------------------


class RepeatsNothing(WronglyRuled):
    """There is no grace: a second tab gets a token of its own."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(replay_grace=0)


class RepeatsTheParentAlone(WronglyRuled):
    """The current token rotates again within the grace."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_current = case.session is not None and case.session.token.generation == case.token.generation
        return Decision.ROTATE if decision is Decision.REPEAT and is_current else decision


class RepeatsTheCurrentAlone(WronglyRuled):
    """The parent is reuse as soon as it has been traded."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_parent = case.session is not None and case.session.parent_generation == case.token.generation
        return Decision.REUSE if decision is Decision.REPEAT and is_parent else decision


class RepeatsForAnyOlder(WronglyRuled):
    """Within the grace any older token gets the current one."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_young = case.session is not None and case.session.is_young(now=case.now, grace=case.policy.replay_grace)
        return Decision.REPEAT if decision is Decision.REUSE and is_young else decision


class RepeatsTheFirst(WronglyRuled):
    """A session that has never rotated counts as young."""

    def judge(self, case: Case) -> Decision:
        decision, session = case.decide(), case.session
        is_new = session is not None and session.rotated_within(case.policy.replay_grace, now=case.now)
        return Decision.REPEAT if decision is Decision.ROTATE and is_new else decision


class RepeatsForEver(WronglyRuled):
    """The parent gets the current token, however late: a thief may follow one step behind."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(replay_grace=_EVER)


class RepeatsASecondLess(WronglyRuled):
    """Of the grace the last second is missing."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(replay_grace=max(0, case.policy.replay_grace - 1))


class RepeatsASecondMore(WronglyRuled):
    """The grace, and a second on top."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(replay_grace=case.policy.replay_grace + 1)


class ExtendsTheGrace(WronglyRuled):
    """Each repeat starts the grace anew."""

    def judge(self, case: Case) -> Decision:
        decision, session = case.decide(), case.session
        if decision is Decision.REPEAT and session is not None:
            self.rows[case.token.user_id, case.token.session_id] = replace(
                session, token=replace(session.token, issued_at=case.now)
            )
        return decision


class StretchesSpansWithTheClock(WronglyRuled):
    """Times are subtracted without a look at the sign: a clock that is set back stretches grace and recovery."""

    def judge(self, case: Case) -> Decision:
        later = case.now if case.session is None else max(case.now, case.session.token.issued_at)
        return case.decide(now=later)


# ---- rotate: it is the current token ----------------------------------------------------------------


class NeverRotates(WronglyRuled):
    """The current token is handed out again for ever."""

    rightly, instead = Decision.ROTATE, Decision.REPEAT


class ComparesTimesOfIssue(WronglyRuled):
    """A token is current if it was issued when the current one was: within one second they all were."""

    def judge(self, case: Case) -> Decision:
        decision, session = case.decide(), case.session
        is_current = session is not None and case.token.issued_at == session.token.issued_at
        return Decision.REPEAT if decision is Decision.REUSE and is_current else decision


# ---- recover: the successor never came back ---------------------------------------------------------


class RecoversNothing(WronglyRuled):
    """A lost answer is taken for reuse as soon as the grace is over."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(lost_answer_recovery=0)


class RecoversForEver(WronglyRuled):
    """A lost answer is recovered after any time."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(lost_answer_recovery=_EVER)


class RecoversASecondLess(WronglyRuled):
    """Of the recovery the last second is missing."""

    def judge(self, case: Case) -> Decision:
        return case.decide_by(lost_answer_recovery=max(0, case.policy.lost_answer_recovery - 1))


class RecoversAnyOlder(WronglyRuled):
    """Any older token is taken for one whose answer was lost, for a day."""

    def judge(self, case: Case) -> Decision:
        decision, session = case.decide(), case.session
        is_recent = session is not None and session.rotated_within(case.policy.lost_answer_recovery, now=case.now)
        return Decision.RECOVER if decision is Decision.REUSE and is_recent else decision


class SharesTheLostSuccessor(WronglyRuled):
    """A lost answer is given once more instead of being left behind."""

    rightly, instead = Decision.RECOVER, Decision.REPEAT


# ---- reuse: two parties hold tokens of one session --------------------------------------------------


class TakesReuseForALostAnswer(WronglyRuled):
    """Whoever comes is served, for ever."""

    rightly, instead = Decision.REUSE, Decision.RECOVER


class SharesWithAThief(WronglyRuled):
    """A stale token gets the current one, whenever it comes."""

    rightly, instead = Decision.REUSE, Decision.REPEAT


class RefusesReuseAlone(WronglyRuled):
    """A stale token is refused, and the session goes on."""

    rightly, instead = Decision.REUSE, Decision.REFUSE


# ---- keys: a bound session is worth nothing without its own -----------------------------------------


def _unbound(standing: Standing) -> Standing:
    session = standing.session
    unbound = session and replace(session, token=replace(session.token, key_thumbprint=None))
    return replace(standing, session=unbound)


class AsksForNoKey(WronglyRuled):
    """A bound token is a bearer token after all."""

    def judge(self, case: Case) -> Decision:
        bearer = replace(case.token, key_thumbprint=None)
        return case.decide(standing=_unbound(case.standing), token=bearer)


class BelievesAnyKey(WronglyRuled):
    """Whoever proves some key is let in."""

    def judge(self, case: Case) -> Decision:
        key = case.held_key or case.token.key_thumbprint
        believed = replace(case.proven, thumbprint=key) if key and case.proven else case.proven
        return case.decide(proven=believed)


class BelievesAnotherSessionsPresence(WronglyRuled):
    """For which session a key was proven does not matter."""

    def judge(self, case: Case) -> Decision:
        if case.proven is None or case.proven.session_id is None:
            return case.decide()
        return case.decide(proven=replace(case.proven, session_id=case.token.session_id))


class AsksTheTokenAlone(WronglyRuled):
    """A token from before the binding is served as it was."""

    def judge(self, case: Case) -> Decision:
        return case.decide(standing=_unbound(case.standing))


class AsksTheRowAlone(WronglyRuled):
    """A store that has lost the binding serves bound tokens to anybody."""

    def judge(self, case: Case) -> Decision:
        return case.decide(token=replace(case.token, key_thumbprint=None))


class EndsWhateverLacksItsKey(WronglyRuled):
    """Whoever has stolen a bound token logs its user out."""

    rightly, instead = Decision.UNPROVEN, Decision.REUSE


class CallsAMissingKeyTheEnd(WronglyRuled):
    """A device without its presence is told that its session is over."""

    rightly, instead = Decision.UNPROVEN, Decision.REFUSE


class ForgivesWhatWasLeftBehind(WronglyRuled):
    """A thief who binds the session first switches reuse detection off."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        key = None if case.proven is None else case.proven.thumbprint
        is_bound = case.held_key not in (None, key)
        return Decision.UNPROVEN if decision is Decision.REUSE and is_bound else decision


class EndsATabThatWasNotTold(WronglyRuled):
    """A request without presence, sent a moment before another tab bound the session, ends it."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_its_holder = case.token.key_thumbprint is None and case.held_key is not None
        return Decision.REUSE if decision is Decision.UNPROVEN and is_its_holder else decision


class HandsOutUnboundTokens(WronglyRuled):
    """A store that has lost the binding repeats what it has, to whoever holds the bound token."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        if decision is Decision.HEAL and case.token.key_thumbprint and case.session and not case.held_key:
            return case.decide(token=replace(case.token, key_thumbprint=None))
        return decision


class HealsNoOtherKey(WronglyRuled):
    """What was signed later than the store knows counts for generations, and not for keys."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_other = case.token.key_thumbprint is not None and case.held_key not in (None, case.token.key_thumbprint)
        return Decision.REUSE if decision is Decision.HEAL and is_other else decision


class RequiresNothing(WronglyRuled):
    """Where bindings are required they are only offered."""

    def judge(self, case: Case) -> Decision:
        is_required = case.policy.device_binding is DeviceBinding.REQUIRE
        return case.decide_by(device_binding=DeviceBinding.OFFER) if is_required else case.decide()


class RequiresABindingOfTokensAlone(WronglyRuled):
    """Where bindings are required, whoever never goes on from the first token needs none. So it was decided first."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_first = case.token.generation == FIRST_GENERATION and case.token.key_thumbprint is case.held_key is None
        if decision is Decision.UNPROVEN and is_first:
            return case.decide_by(device_binding=DeviceBinding.OFFER)
        return decision


class RequiresABindingOfWhatRotatesAlone(WronglyRuled):
    """Where bindings are required, clients that never take another token need none. So it was decided before."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_unbound = case.token.key_thumbprint is case.held_key is None
        if decision is Decision.UNPROVEN and not case.policy.rotation and is_unbound:
            return case.decide_by(device_binding=DeviceBinding.OFFER)
        return decision


class RepeatsNothingUnbound(WronglyRuled):
    """Where bindings are required, the tabs of a new session are told so one after another."""

    def judge(self, case: Case) -> Decision:
        decision = case.decide()
        is_unbound = case.token.key_thumbprint is case.held_key is None
        is_required = case.policy.device_binding is DeviceBinding.REQUIRE
        return Decision.UNPROVEN if decision is Decision.REPEAT and is_unbound and is_required else decision


class ReplacesKeys(WronglyRuled):
    """Any device may take a session over from the one that it is bound to."""

    def judge(self, case: Case) -> Decision:
        if key_to_bind(case.token.session_id, case.proven) is None:
            return case.decide()
        return case.decide(proven=ProvenKey(thumbprint=case.token.key_thumbprint or case.held_key or ""))


RULES = {kind.__name__: kind for kind in WronglyRuled.__subclasses__()}
