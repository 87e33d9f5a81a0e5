"""The rule, wrong on purpose in one way each: for every line of `Standing.decide` and every condition in it.

Each variant is a store in memory whose sessions are judged wrongly, so that any test that is given a store can be
given a wrong rule. What a variant's line means stands in `docs/rotation.md`.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from domain.model.decisions import Decision, Standing
from domain.model.proofs import DeviceBinding, ProvenKey
from domain.model.sessions import CutOff, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, RefreshToken
from tests.fakes.sessions import FakeSessions

_EVER = 10**9
Proof: TypeAlias = ProvenKey | None


class WronglyRuled(FakeSessions):
    """Says `instead` where the rule says `rightly`; variants that are wrong in another way have a `judge` of theirs."""

    rightly: ClassVar[Decision]
    instead: ClassVar[Decision]

    def get(self, user_id: str, session_id: str) -> Standing:
        true = super().get(user_id, session_id)
        return _Judged(session=true.session, cut_off=true.cut_off, purged_until=true.purged_until, store=self)

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        return self.instead if decision is self.rightly else decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged(Standing):
    store: WronglyRuled

    def decide(
        self, token: RefreshToken, *, now: int, policy: SessionPolicy, proven: ProvenKey | None = None
    ) -> Decision:
        true = Standing(session=self.session, cut_off=self.cut_off, purged_until=self.purged_until)
        return self.store.judge(true, token, now, policy, proven)


# ---- refuse: the session is over --------------------------------------------------------------------


class OverlooksRevocations(WronglyRuled):
    """What is revoked goes on, above all within its grace."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        session = standing.session and replace(standing.session, revoked_at=None)
        return replace(standing, session=session).decide(token, now=now, policy=policy, proven=proven)


class OverlooksCutOffs(WronglyRuled):
    """What was cut off with all of its user's sessions goes on."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return replace(standing, cut_off=None).decide(token, now=now, policy=policy, proven=proven)


class OverlooksTheSpare(WronglyRuled):
    """The one session that a cut-off spared is over, too."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        cut_off = standing.cut_off and CutOff(ended_at=standing.cut_off.ended_at)
        return replace(standing, cut_off=cut_off).decide(token, now=now, policy=policy, proven=proven)


class OverlooksPurges(WronglyRuled):
    """What a purge may have forgotten is healed."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return replace(standing, purged_until=None).decide(token, now=now, policy=policy, proven=proven)


# ---- heal: the store has lost what this service signed for ------------------------------------------


class HealsBeforeItRefuses(WronglyRuled):
    """A token that is further than the row is believed, even if the row is revoked."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        session = standing.session
        if session is not None and session.token.generation < token.generation:
            return Decision.HEAL
        return standing.decide(token, now=now, policy=policy, proven=proven)


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

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(token, now=now, policy=replace(policy, rotation=True), proven=proven)


class KeepsEveryToken(WronglyRuled):
    """With rotation off, tokens that were superseded before stay in use beside the current one."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_over = decision in (Decision.REFUSE, Decision.HEAL)
        return decision if policy.rotation or is_over else Decision.KEEP


# ---- repeat: the session rotated a moment ago -------------------------------------------------------


class RepeatsNothing(WronglyRuled):
    """There is no grace: a second tab gets a token of its own."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(token, now=now, policy=replace(policy, replay_grace=0), proven=proven)


class RepeatsTheParentAlone(WronglyRuled):
    """The current token rotates again within the grace."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_current = standing.session is not None and standing.session.token.generation == token.generation
        return Decision.ROTATE if decision is Decision.REPEAT and is_current else decision


class RepeatsTheCurrentAlone(WronglyRuled):
    """The parent is reuse as soon as it has been traded."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_parent = standing.session is not None and standing.session.parent_generation == token.generation
        return Decision.REUSE if decision is Decision.REPEAT and is_parent else decision


class RepeatsForAnyOlder(WronglyRuled):
    """Within the grace any older token gets the current one."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_young = standing.session is not None and standing.session.is_young(now=now, grace=policy.replay_grace)
        return Decision.REPEAT if decision is Decision.REUSE and is_young else decision


class RepeatsTheFirst(WronglyRuled):
    """A session that has never rotated counts as young."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision, session = standing.decide(token, now=now, policy=policy, proven=proven), standing.session
        is_new = session is not None and session.rotated_within(policy.replay_grace, now=now)
        return Decision.REPEAT if decision is Decision.ROTATE and is_new else decision


class RepeatsForEver(WronglyRuled):
    """The parent gets the current token, however late: a thief may follow one step behind."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(token, now=now, policy=replace(policy, replay_grace=_EVER), proven=proven)


class RepeatsASecondLess(WronglyRuled):
    """Of the grace the last second is missing."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(
            token, now=now, policy=replace(policy, replay_grace=max(0, policy.replay_grace - 1)), proven=proven
        )


class RepeatsASecondMore(WronglyRuled):
    """The grace, and a second on top."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(
            token, now=now, policy=replace(policy, replay_grace=policy.replay_grace + 1), proven=proven
        )


class ExtendsTheGrace(WronglyRuled):
    """Each repeat starts the grace anew."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision, session = standing.decide(token, now=now, policy=policy, proven=proven), standing.session
        if decision is Decision.REPEAT and session is not None:
            self.rows[token.user_id, token.session_id] = replace(session, token=replace(session.token, issued_at=now))
        return decision


class StretchesSpansWithTheClock(WronglyRuled):
    """Times are subtracted without a look at the sign: a clock that is set back stretches grace and recovery."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        later = now if standing.session is None else max(now, standing.session.token.issued_at)
        return standing.decide(token, now=later, policy=policy, proven=proven)


# ---- rotate: it is the current token ----------------------------------------------------------------


class NeverRotates(WronglyRuled):
    """The current token is handed out again for ever."""

    rightly, instead = Decision.ROTATE, Decision.REPEAT


class ComparesTimesOfIssue(WronglyRuled):
    """A token is current if it was issued when the current one was: within one second they all were."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision, session = standing.decide(token, now=now, policy=policy, proven=proven), standing.session
        is_current = session is not None and token.issued_at == session.token.issued_at
        return Decision.REPEAT if decision is Decision.REUSE and is_current else decision


# ---- recover: the successor never came back ---------------------------------------------------------


class RecoversNothing(WronglyRuled):
    """A lost answer is taken for reuse as soon as the grace is over."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(token, now=now, policy=replace(policy, lost_answer_recovery=0), proven=proven)


class RecoversForEver(WronglyRuled):
    """A lost answer is recovered after any time."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return standing.decide(token, now=now, policy=replace(policy, lost_answer_recovery=_EVER), proven=proven)


class RecoversASecondLess(WronglyRuled):
    """Of the recovery the last second is missing."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        recovery = max(0, policy.lost_answer_recovery - 1)
        return standing.decide(token, now=now, policy=replace(policy, lost_answer_recovery=recovery), proven=proven)


class RecoversAnyOlder(WronglyRuled):
    """Any older token is taken for one whose answer was lost, for a day."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision, session = standing.decide(token, now=now, policy=policy, proven=proven), standing.session
        is_recent = session is not None and session.rotated_within(policy.lost_answer_recovery, now=now)
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

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        bearer = replace(token, key_thumbprint=None)
        return _unbound(standing).decide(bearer, now=now, policy=policy, proven=proven)


class BelievesAnyKey(WronglyRuled):
    """Whoever proves some key is let in."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        for key in (token.key_thumbprint, standing.held_key):
            if key is not None and proven is not None:
                proven = replace(proven, thumbprint=key)
        return standing.decide(token, now=now, policy=policy, proven=proven)


class BelievesAnotherSessionsPresence(WronglyRuled):
    """For which session a key was proven does not matter."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        here = proven and (replace(proven, session_id=token.session_id) if proven.session_id else proven)
        return standing.decide(token, now=now, policy=policy, proven=here)


class AsksTheTokenAlone(WronglyRuled):
    """A token from before the binding is served as it was."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        return _unbound(standing).decide(token, now=now, policy=policy, proven=proven)


class AsksTheRowAlone(WronglyRuled):
    """A store that has lost the binding serves bound tokens to anybody."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        bearer = replace(token, key_thumbprint=None)
        return standing.decide(bearer, now=now, policy=policy, proven=proven)


class EndsWhateverLacksItsKey(WronglyRuled):
    """Whoever has stolen a bound token logs its user out."""

    rightly, instead = Decision.UNPROVEN, Decision.REUSE


class CallsAMissingKeyTheEnd(WronglyRuled):
    """A device without its presence is told that its session is over."""

    rightly, instead = Decision.UNPROVEN, Decision.REFUSE


class ForgivesWhatWasLeftBehind(WronglyRuled):
    """A thief who binds the session first switches reuse detection off."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        key = None if proven is None else proven.thumbprint
        is_bound = standing.held_key not in (None, key)
        return Decision.UNPROVEN if decision is Decision.REUSE and is_bound else decision


class EndsATabThatWasNotTold(WronglyRuled):
    """A request without presence, sent a moment before another tab bound the session, ends it."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_its_holder = token.key_thumbprint is None and standing.held_key is not None
        return Decision.REUSE if decision is Decision.UNPROVEN and is_its_holder else decision


class HandsOutUnboundTokens(WronglyRuled):
    """A store that has lost the binding repeats what it has, to whoever holds the bound token."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        if decision is Decision.HEAL and token.key_thumbprint and standing.session and not standing.held_key:
            bearer = replace(token, key_thumbprint=None)
            return standing.decide(bearer, now=now, policy=policy, proven=proven)
        return decision


class HealsNoOtherKey(WronglyRuled):
    """What was signed later than the store knows counts for generations, and not for keys."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_other = token.key_thumbprint is not None and standing.held_key not in (None, token.key_thumbprint)
        return Decision.REUSE if decision is Decision.HEAL and is_other else decision


class RequiresNothing(WronglyRuled):
    """Where bindings are required they are only offered."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        is_required = policy.device_binding is DeviceBinding.REQUIRE
        offered = replace(policy, device_binding=DeviceBinding.OFFER) if is_required else policy
        return standing.decide(token, now=now, policy=offered, proven=proven)


class RequiresABindingOfTokensAlone(WronglyRuled):
    """Where bindings are required, whoever never goes on from the first token needs none. So it was decided first."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_first = token.generation == FIRST_GENERATION and token.key_thumbprint is standing.held_key is None
        if decision is Decision.UNPROVEN and is_first:
            offered = replace(policy, device_binding=DeviceBinding.OFFER)
            return standing.decide(token, now=now, policy=offered, proven=proven)
        return decision


class RequiresABindingOfWhatRotatesAlone(WronglyRuled):
    """Where bindings are required, clients that never take another token need none. So it was decided before."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        if decision is Decision.UNPROVEN and not policy.rotation and token.key_thumbprint is standing.held_key is None:
            return standing.decide(token, now=now, policy=replace(policy, device_binding=DeviceBinding.OFFER))
        return decision


class RepeatsNothingUnbound(WronglyRuled):
    """Where bindings are required, the tabs of a new session are told so one after another."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        decision = standing.decide(token, now=now, policy=policy, proven=proven)
        is_unbound = token.key_thumbprint is standing.held_key is None
        is_required = policy.device_binding is DeviceBinding.REQUIRE
        return Decision.UNPROVEN if decision is Decision.REPEAT and is_unbound and is_required else decision


class ReplacesKeys(WronglyRuled):
    """Any device may take a session over from the one that it is bound to."""

    def judge(
        self, standing: Standing, token: RefreshToken, now: int, policy: SessionPolicy, proven: Proof
    ) -> Decision:
        names_session = proven is not None and proven.names(token.session_id)
        taken_over = ProvenKey(thumbprint=token.key_thumbprint or standing.held_key or "") if names_session else proven
        return standing.decide(token, now=now, policy=policy, proven=taken_over)


RULES = {kind.__name__: kind for kind in WronglyRuled.__subclasses__()}
