"""What a session must answer, worked out from its whole history instead of from its row.

The store keeps a generation, a parent and two marks. This model keeps every trade that was ever made and looks
through all of them, so that the two can be held against each other.
"""

from dataclasses import dataclass
from enum import Enum

from domain.model.sessions import SessionPolicy


class Verdict(Enum):
    """What must come of a token that is presented."""

    NEW = "a token that nobody has had before"
    CURRENT = "the session's current token"
    CURRENT_OR_DEATH = "the current token, or the session's end: the second half of a grace"
    DEATH = "refused, and the session is dead for ever"


@dataclass(frozen=True, slots=True)
class Trade:
    """The token `presented` was traded for the new token `issued`."""

    presented: int
    issued: int
    at: int


@dataclass(frozen=True, slots=True)
class History:
    """All trades of a session, oldest first, and whether the session is dead."""

    trades: tuple[Trade, ...] = ()
    dead: bool = False
    first: int = 1

    @property
    def current(self) -> int:
        return self.trades[-1].issued if self.trades else self.first

    def superseded_at(self, generation: int) -> int:
        """Return when the token stopped being current, or was last traded or left behind."""
        return next(t.at for t in reversed(self.trades) if t.presented <= generation < t.issued)

    def descends(self, generation: int, ancestor: int) -> bool:
        """Tell whether one token came of another, trade by trade, or is the same."""
        for trade in reversed(self.trades):
            if generation <= ancestor:
                break
            if trade.issued == generation:
                generation = trade.presented
        return generation == ancestor

    def judge(self, generation: int, now: int, policy: SessionPolicy) -> Verdict:
        """Return what must come of the token of `generation`."""
        if self.dead:
            return Verdict.DEATH
        if generation == self.current:
            return Verdict.NEW
        last = self.trades[-1]
        age = abs(now - self.superseded_at(generation))
        grace = policy.replay_grace
        if grace and age <= grace:
            # A token is covered for half a grace, the direct parent for all of it.
            covered = generation == last.presented or age <= grace - grace // 2
            return Verdict.CURRENT if covered else Verdict.CURRENT_OR_DEATH
        if generation == last.presented and policy.lost_answer_recovery and age <= policy.lost_answer_recovery:
            return Verdict.NEW
        return Verdict.DEATH
