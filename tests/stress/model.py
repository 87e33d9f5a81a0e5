"""One session as if it were served by one thread: what it may answer, and what it is afterwards.

Written from the documentation, not from the code: it knows no marks, no rows and no databases. Where the documentation
leaves room (times are whole seconds, and a token that is not the parent is covered for at least half a grace and at
most a whole one) the model allows either answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.stress.history import Call, Event

_SECOND = 1_000_000_000
_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Rules:
    """The spans that the service was started with, in seconds."""

    grace: int = 30
    recovery: int = 86_400


@dataclass(frozen=True, slots=True)
class State:
    """A session. Generation 0 is one that has not begun.

    `superseded` tells for each generation below the current one between which instants it was superseded.
    """

    generation: int = 0
    parent: int = 0
    dead: bool = False
    superseded: tuple[tuple[int, int], ...] = ()


def after(state: State, event: Event, rules: Rules) -> Iterator[State]:
    """Yield every state in which the session may be after `event`, which saw the answer that it saw."""
    unknown = event.status is None or event.status == _UNAVAILABLE
    if unknown:
        yield state  # it may never have arrived, or failed before it changed anything
    for status, given, then in _outcomes(state, event, rules):
        if unknown or (status == event.status and given == event.given):
            yield then


_Outcome = tuple[int, int | None, State]


def _outcomes(state: State, event: Event, rules: Rules) -> Iterator[_Outcome]:
    if event.call is Call.SIGN_IN:
        if state.generation == 0:
            yield 201, 1, State(generation=1)
    elif event.call is Call.END_ALL:
        # Another session of the user's may have asked. One that has not begun is not touched.
        yield 200, None, replace(state, dead=state.generation > 0)
        if state.dead:
            yield 401, None, state
    elif state.generation == 0:
        return
    elif event.call is Call.LOG_OUT:
        yield 200, None, replace(state, dead=True)
    elif event.call is Call.LOOK:
        yield (401 if state.dead else 200), None, state
    else:
        yield from _refreshed(state, event, rules)


def _refreshed(state: State, event: Event, rules: Rules) -> Iterator[_Outcome]:
    presented, now = event.presented, (event.started, event.ended)
    if state.dead:
        yield 401, None, state
        return
    if presented == state.generation:
        yield _moved(state, event)
        return
    if presented > state.generation:
        return  # the service signed for more than it knows of
    age = _age(state.superseded[presented - 1], now)
    is_parent = presented == state.parent
    sure_grace = rules.grace if is_parent else rules.grace - rules.grace // 2
    if rules.grace and age[0] < (rules.grace + 1) * _SECOND:
        yield 200, state.generation, state
        if age[1] <= sure_grace * _SECOND:
            return
    if is_parent and rules.recovery and age[0] < (rules.recovery + 1) * _SECOND:
        yield _moved(state, event)
        if age[1] <= rules.recovery * _SECOND:
            return
    yield 401, None, replace(state, dead=True)


def _moved(state: State, event: Event) -> _Outcome:
    """Return the session with a new token. The presented one was superseded now, and so was the current one."""
    now = (event.started, event.ended or _FOR_EVER)
    superseded = [*state.superseded, now]
    superseded[event.presented - 1] = now
    successor = state.generation + 1
    return 200, successor, State(generation=successor, parent=event.presented, superseded=tuple(superseded))


_FOR_EVER = 2**63


def _age(since: tuple[int, int], now: tuple[int, int | None]) -> tuple[int, int]:
    """Return how long ago an instant was, at least and at most."""
    started, ended = now[0], _FOR_EVER if now[1] is None else now[1]
    return max(0, started - since[1]), ended - since[0]
