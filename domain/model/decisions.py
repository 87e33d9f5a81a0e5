"""The rule that decides what a presented refresh token is worth.

Every decision compares generations; none compares times of issue.
"""

from dataclasses import dataclass
from enum import Enum

from domain.model.proofs import DeviceBinding, ProvenKey, key_for, key_to_bind
from domain.model.sessions import CutOff, Session, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, AccessToken, RefreshToken


class Decision(Enum):
    """What is to be done with an authentic, unexpired refresh token of an existing user."""

    REFUSE = "refuse"
    """The session is over."""
    HEAL = "heal"
    """This service signed for a generation that the store has lost: move the store forward."""
    KEEP = "keep"
    """It is the current token, and rotation is off: it stays in use."""
    REPEAT = "repeat"
    """The session rotated a moment ago: hand out the current token once more."""
    ROTATE = "rotate"
    """It is the current token: trade it for the next one."""
    RECOVER = "recover"
    """Its successor never came back, most likely lost on the way: leave that one behind and rotate."""
    REUSE = "reuse"
    """Two parties hold tokens of one session, and one of them stole it: end the session, then refuse."""
    UNPROVEN = "unproven"
    """The session is bound to a key that was not proven: refuse, and let its own device go on."""


def may_rotate_unseen(token: RefreshToken, proven: ProvenKey | None, *, policy: SessionPolicy) -> bool:
    """Tell whether `token` may be traded without a look at the session, if it is the current one.

    The store then takes no step of a session that is bound to a key which `token` does not name.
    """
    if token.key_thumbprint is not None:
        return token.key_thumbprint == key_for(token.session_id, proven)
    if policy.device_binding is not DeviceBinding.REQUIRE or token.generation <= FIRST_GENERATION:
        return True
    return key_to_bind(token.session_id, proven) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that a store knows about a session and its user, read at one moment.

    `session` is `None` if there is no row. Without a row, a token that expires at or before `purged_until` is over,
    whatever the clock says now: its session may have been purged, and a revocation with it. `cut_off` is the user's
    own; a session that had started by `everybody_cut_off` is over, whoever its user is.
    """

    session: Session | None
    cut_off: CutOff | None
    purged_until: int | None
    everybody_cut_off: int | None = None

    def decide(
        self, token: RefreshToken, *, now: int, policy: SessionPolicy, proven: ProvenKey | None = None
    ) -> Decision:
        """Return what is to be done with `token`, presented with or without a proof of a key.

        Of an unbound session generations alone decide; the other lines are what a binding adds. docs/rotation.md has
        both as tables.
        """
        if self._is_over(token):
            return Decision.REFUSE
        session, key = self.session, key_for(token.session_id, proven)
        if token.key_thumbprint not in (None, key):
            return Decision.UNPROVEN  # whoever has stolen a bound token and not its key ends nothing
        decision = self._by_generation(token, now=now, policy=policy)
        if decision is Decision.REUSE:
            return decision
        if token.key_thumbprint is not None and (decision is Decision.HEAL or self.held_key is None):
            return Decision.HEAL  # what a store that has lost the binding holds would unbind the session
        if session is not None and session.token.key_thumbprint not in (None, key):
            # APPSEC: whoever binds a stolen session to a key of theirs must not switch reuse detection off: the holder
            # of a token from before ends it, but for the tab that was not told of a binding of a moment ago.
            is_young = session.is_young(now=now, grace=policy.replay_grace)
            return Decision.UNPROVEN if is_young else Decision.REUSE
        is_served = decision is Decision.REPEAT or not self._waits_for_a_key(token, proven, policy)
        return decision if is_served else Decision.UNPROVEN

    def _by_generation(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        """Return what is to be done with a token by its generation alone. The order of the lines is the rule."""
        session, generation = self.session, token.generation
        if session is None or session.token.generation < generation:
            return Decision.HEAL
        is_current, is_parent = session.token.generation == generation, session.parent_generation == generation
        if is_current and not policy.rotation:
            return Decision.KEEP
        if (is_current or is_parent) and session.is_young(now=now, grace=policy.replay_grace):
            return Decision.REPEAT
        if is_current:
            return Decision.ROTATE
        if is_parent and session.rotated_within(policy.lost_answer_recovery, now=now):
            return Decision.RECOVER
        return Decision.REUSE

    @property
    def held_key(self) -> str | None:
        """The thumbprint of the key that the session is bound to, as far as the store knows."""
        return None if self.session is None else self.session.token.key_thumbprint

    def may_bind(self, token: RefreshToken, policy: SessionPolicy) -> bool:
        """Tell whether the session may be bound to a key of its device. One that is bound stays with its key."""
        return policy.device_binding is not DeviceBinding.OFF and token.key_thumbprint is None and self.held_key is None

    def _waits_for_a_key(self, token: RefreshToken, proven: ProvenKey | None, policy: SessionPolicy) -> bool:
        """Tell whether the session must be bound before it goes on, had its chance, and is not bound by this request."""
        if policy.device_binding is not DeviceBinding.REQUIRE or not self.may_bind(token, policy):
            return False
        held = 0 if self.session is None else self.session.token.generation
        # The first rotation carries the offer. Where nothing rotates nothing could ever be bound.
        is_past_the_offer = max(held, token.generation) > FIRST_GENERATION or not policy.rotation
        return is_past_the_offer and key_to_bind(token.session_id, proven) is None

    def earliest_start(self, now: int) -> int:
        """Return when a session that begins at `now` counts as started: later than a cut-off of the same second."""
        cut_off = -1 if self.cut_off is None else self.cut_off.ended_at
        everybody = -1 if self.everybody_cut_off is None else self.everybody_cut_off
        return max(now, cut_off + 1, everybody + 1)

    def is_live_for(self, token: AccessToken) -> bool:
        """Tell whether the session that issued `token` is not known to be over. Its row may have been lost."""
        return not self._is_over(token.proven_session() if self.session is None else self.session.token)

    def _is_over(self, token: RefreshToken) -> bool:
        if self.cut_off is not None and self.cut_off.covers(token.session_id, token.started_at):
            return True
        if self.everybody_cut_off is not None and token.started_at <= self.everybody_cut_off:
            return True
        if self.session is None:
            return self.purged_until is not None and token.expires_at <= self.purged_until
        return self.session.revoked_at is not None
