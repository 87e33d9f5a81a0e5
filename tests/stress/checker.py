"""Holds a history against the invariants, and each session's part of it against the sequential model."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from tests.simulation.model import FOR_EVER, NOT_BEGUN, Rules, State, refreshed
from tests.stress.history import Breach, Call, Event, Must, Row, is_bound

_ENDINGS = (Call.LOG_OUT, Call.END_ALL)
_UNAVAILABLE = 503


def breaches_of(
    events: Iterable[Event],
    rules: Rules,
    *,
    snapshots: Sequence[dict[str, Row]] = (),
    trouble: bool = False,
    lossy: bool = False,
) -> list[Breach]:
    """Return what the history breaks.

    With `trouble` below, calls may be answered by 503. A `lossy` store loses rotations that were answered: then one
    generation may have two tokens, and what clients have a right to still holds.
    """
    sessions = by_session(events)
    breaches = [*_snapshots(snapshots)]
    for id_, session in sessions.items():
        found = [*_statuses(session, trouble=trouble), *_finality(session), *_rights(session), *_keys(session)]
        if not lossy:
            found += _one_token(session)
        if snapshots:
            found += _durability(session, snapshots[-1].get(id_), lossy=lossy)
        if not found and not lossy and not is_linearizable(session, rules):
            found = [Breach(invariant=0, what="no order of these calls explains their answers")]
        first = {breach.invariant: breach for breach in reversed(found)}
        breaches += [Breach(invariant=i, what=f"{breach.what}\n{_told(session)}") for i, breach in first.items()]
    return breaches


def by_session(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Return the events by session in the order of their starts. Ending all of a user's sessions touches each."""
    sessions: dict[str, list[Event]] = defaultdict(list)
    of_user: dict[str, set[str]] = defaultdict(set)
    everything = sorted(events, key=lambda event: event.started)
    for event in everything:
        if event.session:
            of_user[event.user].add(event.session)
    for event in everything:
        if event.call is Call.END_ALL and event.status in (200, None, 503):
            for id_ in of_user[event.user]:
                sessions[id_].append(event)
        elif event.session:
            sessions[event.session].append(event)
    return sessions


def is_linearizable(session: Sequence[Event], rules: Rules) -> bool:
    """Tell whether some order of the calls, none before one that had ended, is a run of the model.

    The search of Wing and Gong (1993), with the memory of Lowe (2017): a set of calls done and a state are met once.
    """
    answered = sum(1 << i for i, event in enumerate(session) if event.ended is not None)
    seen: set[tuple[int, State]] = set()
    todo = [(0, NOT_BEGUN)]
    while todo:
        done, state = todo.pop()
        if done & answered == answered:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        for i in reversed(_next(session, done)):
            todo += [(done | 1 << i, then) for then in _after(state, session[i], rules)]
    return False


def _after(state: State, event: Event, rules: Rules) -> Iterator[State]:
    """Yield every state in which the session may be after a call, which saw the answer that it saw."""
    unknown = event.status is None or event.status == _UNAVAILABLE
    if unknown:
        yield state  # it may never have arrived, or failed before it changed anything
    for status, given, then in _outcomes(state, event, rules):
        if unknown or (status == event.status and given == event.given):
            yield then


def _outcomes(state: State, event: Event, rules: Rules) -> Iterator[tuple[int, int | None, State]]:
    over = replace(state, dead=state != NOT_BEGUN)
    match event.call:
        case Call.SIGN_IN if state == NOT_BEGUN:
            yield 201, 1, State()
        case Call.END_ALL:
            # Another session of the user's may have asked. One that has not begun is not touched.
            yield 200, None, over
            if state.dead:
                yield 401, None, state
        case Call.LOG_OUT if state != NOT_BEGUN:
            yield 200, None, over
        case Call.LOOK if state != NOT_BEGUN:
            yield (401 if state.dead else 200), None, state
        case Call.STEAL if state != NOT_BEGUN and event.unproven is not state.dead:
            yield 401, None, state
        case Call.REFRESH if state != NOT_BEGUN:
            when = event.started, FOR_EVER if event.ended is None else event.ended
            for given, then in refreshed(state, event.presented, when, rules):
                yield (401 if given is None else 200), given, then


def _next(session: Sequence[Event], done: int) -> list[int]:
    """Return the calls that may come next: those that began before any other that is left had ended."""
    left = [i for i in range(len(session)) if not done >> i & 1]
    horizon = min((_end(session[i]) for i in left), default=0)
    candidates = [i for i in left if session[i].started <= horizon]
    return sorted(candidates, key=lambda i: _end(session[i]))


def _end(event: Event) -> int:
    return FOR_EVER if event.ended is None else event.ended


def _statuses(session: Sequence[Event], *, trouble: bool) -> Iterator[Breach]:
    """Find answers that no trouble excuses: trouble below gives only 503."""
    for event in session:
        if event.status not in (200, 201, 401, 503, None):
            yield Breach(invariant=9, what=f"{event.call} was answered by {event.status}")
        if event.status == 503 and not trouble:
            yield Breach(invariant=9, what=f"{event.call} was answered by 503, with no trouble below")


def _one_token(session: Sequence[Event]) -> Iterator[Breach]:
    tokens: dict[int, str] = {}
    for event in session:
        if event.answer is not None and tokens.setdefault(event.given or 0, event.answer) != event.answer:
            yield Breach(invariant=1, what=f"two different tokens of generation {event.given}")


def _rights(session: Sequence[Event]) -> Iterator[Breach]:
    for event in session:
        if event.must is Must.SERVE and event.status not in (200, 503, None):
            yield Breach(invariant=3, what=f"an honest {event.call} was refused by {event.status}")
        if event.must is Must.REFUSE and event.status == 200:
            yield Breach(invariant=4, what=f"a {event.call} with a token that is no good was served")


def _keys(session: Sequence[Event]) -> Iterator[Breach]:
    """Find a bound session that was served without its key, or that was bound no more."""
    bound = {event.given or 0 for event in session if event.answer is not None and is_bound(event.answer)}
    for event in session:
        if event.call is Call.STEAL and event.status == 200:
            yield Breach(invariant=7, what="a bound session was served without its key")
        if (
            event.answer is not None
            and (event.given or 0) > min(bound, default=FOR_EVER)
            and not is_bound(event.answer)
        ):
            yield Breach(invariant=7, what=f"a token of generation {event.given} needs no key, as an earlier one did")


def _finality(session: Sequence[Event]) -> Iterator[Breach]:
    """Find what was served after the end, be it by its user (2) or by the refusal of a refresh (4)."""
    over: tuple[int, int] | None = None
    born = next((_end(event) for event in session if event.call is Call.SIGN_IN), 0)
    for ended, invariant in sorted(
        (event.ended, 2 if event.call in _ENDINGS else 4)
        for event in session
        if event.ended is not None
        and ((event.call in _ENDINGS and event.status == 200) or (event.call is Call.REFRESH and event.status == 401))
    ):
        if ended > born:
            over = (ended, invariant)
            break
    if over is not None:
        for event in session:
            if event.call in (Call.REFRESH, Call.LOOK) and event.status == 200 and event.started > over[0]:
                yield Breach(invariant=over[1], what=f"a {event.call} was served after the session was over")


def _durability(session: Sequence[Event], row: Row | None, *, lossy: bool) -> Iterator[Breach]:
    """Find what a client saw that is not in the table when all is over. A lossy store has each session's start."""
    seen = max(((not lossy and event.given) or int(event.status == 201) for event in session), default=0)
    if seen and (row is None or row.generation < seen):
        yield Breach(invariant=5, what=f"generation {seen} was answered, and the table has {row}")


def _snapshots(snapshots: Sequence[dict[str, Row]]) -> Iterator[Breach]:
    for earlier, later in pairwise(snapshots):
        for id_, row in earlier.items():
            then = later.get(id_)
            if then is None:
                yield Breach(invariant=8, what=f"the row of {id_} is gone")
            elif then.generation < row.generation or (row.revoked and then.generation != row.generation):
                yield Breach(invariant=1, what=f"{id_} went from {row} to {then}")
            elif row.revoked and not then.revoked:
                yield Breach(invariant=6, what=f"{id_} is live again")


def _told(session: Sequence[Event]) -> str:
    """Return the history of a session, a line a call, in milliseconds since its first."""
    begun = session[0].started
    lines = []
    for e in session:
        ended = "…" if e.ended is None else f"{(e.ended - begun) / 1e6:.1f}"
        why = "unproven" if e.unproven else ""
        what = f"{e.call} {e.presented or ''} -> {e.status} {e.given or ''} {e.must or ''} {why}"
        lines.append(f"  {(e.started - begun) / 1e6:10.1f} {ended:>10}  {what}")
    return "\n".join(lines)
