"""One session as if it were served by one thread: what it may answer to a refresh, and what it is afterwards.

Written from the documentation, not from the code: it knows no row, no claims and no database. There is one such model.
The explorer and the state machines of this folder know the second of each call, and then it allows one answer alone.
`tests/stress` knows between which two instants a call was served: where that leaves room, either answer is right.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.model.sessions import SessionPolicy

SECOND = 1_000_000_000
FOR_EVER = 2**63
Span: TypeAlias = tuple[int, int]
"""The first and the last instant at which something may have happened, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The spans that a service was started with, in seconds."""

    grace: int = 30
    recovery: int = 86_400

    @classmethod
    def of(cls, policy: SessionPolicy) -> "Rules":
        return cls(policy.replay_grace, policy.lost_answer_recovery)


@dataclass(frozen=True, slots=True)
class State:
    """A session. One of generation 1 has never rotated."""

    generation: int = 1
    parent: int = 0
    rotated: Span = (0, 0)
    dead: bool = False


NOT_BEGUN = State(generation=0)
Outcome: TypeAlias = tuple[int | None, State]
"""The generation that is handed out, or `None` for a refusal, and the session after it."""


def at(second: int) -> Span:
    """Return the span of an instant that is known."""
    return second * SECOND, second * SECOND


def refreshed(state: State, presented: int, when: Span, rules: Rules) -> Iterator[Outcome]:
    """Yield all that may come of it when the token of a generation is presented. Without an outcome, nothing may."""
    if state.dead:
        yield None, state
        return
    if presented > state.generation:
        return  # the service signed for more than it knows of
    is_current, is_parent = presented == state.generation, presented == state.parent
    if (is_current and state.generation > 1) or is_parent:
        possible, certain = _within(rules.grace, state.rotated, when)
        if possible:
            yield state.generation, state
        if certain:
            return
    if is_parent and not is_current:
        possible, certain = _within(rules.recovery, state.rotated, when)
        if possible:
            yield _rotated(state, presented, when)
        if certain:
            return
    if is_current:
        yield _rotated(state, presented, when)
    else:
        yield None, replace(state, dead=True)


def _rotated(state: State, presented: int, when: Span) -> Outcome:
    successor = state.generation + 1
    return successor, State(generation=successor, parent=presented, rotated=when)


def _within(span: int, then: Span, when: Span) -> tuple[bool, bool]:
    """Tell whether two instants may lie at most `span` apart, and whether they must. Clocks count whole seconds."""
    nearest = max(0, when[0] - then[1], then[0] - when[1])
    farthest = max(when[1] - then[0], then[1] - when[0])
    return span > 0 and nearest < (span + 1) * SECOND, span > 0 and farthest <= span * SECOND
