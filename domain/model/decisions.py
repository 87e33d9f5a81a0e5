"""The rule that decides what a presented refresh token is worth.

Every decision compares generations; none compares times of issue.
"""

from dataclasses import dataclass
from enum import Enum

from domain.model.sessions import Session, SessionPolicy, is_within
from domain.model.tokens import RefreshToken


class Decision(Enum):
    """What is to be done with an authentic, unexpired refresh token of an existing user."""

    ADVANCE = "advance"
    """It is the current token: rotate."""
    HEAL = "heal"
    """This service signed for a generation that the store has lost: move the store forward, then rotate."""
    REPLAY = "replay"
    """It was current a moment ago: hand out the current token once more."""
    RECOVER = "recover"
    """Its successor never came back, most likely lost on the way: leave that one behind and rotate."""
    REFUSE = "refuse"
    """The session is over."""
    END_SESSION = "end_session"
    """Reuse: two parties hold tokens of one session, and one of them stole it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that a store knows about a session and its user, read at one moment.

    `session` is `None` if there is no row. Sessions that started at or before `cut_off` are over: all of the user's
    were ended then. Without a row, tokens that expire at or before `purged_until` are over, whatever the clock says
    now: their session may have been purged, and its revocation with it.
    """

    session: Session | None
    cut_off: int | None
    purged_until: int | None

    def decide(self, token: RefreshToken, *, now: int, policy: SessionPolicy) -> Decision:
        """Return what is to be done with `token`. The order of the lines is the rule."""
        session, generation = self.session, token.generation
        if self._is_over_for(token):
            return Decision.REFUSE
        if session is None or session.generation < generation:
            return Decision.HEAL
        if session.generation == generation:
            return Decision.ADVANCE
        if session.superseded_within(policy.replay_grace, generation, now=now):
            return Decision.REPLAY
        if session.parent_generation == generation and is_within(policy.lost_answer_recovery, session.rotated_at, now):
            return Decision.RECOVER
        return Decision.END_SESSION

    @property
    def live_session(self) -> Session | None:
        """The session, if there is one and neither it nor all of the user's sessions were ended."""
        session = self.session
        if session is None or session.revoked_at is not None:
            return None
        return None if self.cut_off is not None and session.started_at <= self.cut_off else session

    def _is_over_for(self, token: RefreshToken) -> bool:
        if self.cut_off is not None and token.started_at <= self.cut_off:
            return True
        if self.session is None:
            return self.purged_until is not None and token.expires_at <= self.purged_until
        return self.session.revoked_at is not None
