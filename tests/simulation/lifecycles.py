"""Everything that can befall a session and its store, in every order: what is over must stay over.

Revocations, purges, clocks that are set, policies that change, rotations that the store loses. From every state that
these lead to, once the session has been ended, every token that it ever had is presented.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from domain.model.errors import InvalidRefreshTokenError, RefreshTokenExpiredError, SessionNotFoundError
from domain.model.sessions import Session, SessionPolicy
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions

HOUR, DAY, DECADE = 3_600, 86_400, 3_653 * 86_400

POLICIES = {
    "the usual policy": SessionPolicy(),
    "a long grace": SessionPolicy(replay_grace=300, lost_answer_recovery=7 * DAY, leeway=300),
    "short lives": SessionPolicy(refresh_token_ttl=DAY, session_ttl=2 * DAY, replay_grace=0, lost_answer_recovery=0),
    "long lives": SessionPolicy(refresh_token_ttl=200 * DAY, session_ttl=400 * DAY),
    "no rotation": SessionPolicy(rotation=False),
}


@dataclass(frozen=True, slots=True)
class State:
    """A session, its store, the clock and the settings."""

    row: Session | None
    earlier: tuple[Session, ...]
    """The rows that the store held before, which it may fall back to."""
    cut_off: int | None
    purged_until: int | None
    now: int
    policy: str
    tokens: tuple[str, ...]
    over: bool = False
    trace: tuple[str, ...] = ()

    def key(self) -> tuple[object, ...]:
        return (self.row, self.earlier, self.cut_off, self.purged_until, self.now, self.policy, self.tokens, self.over)


class RevivedError(AssertionError):
    """A session that was over gave out a token. The message is how it came to that."""


Event: TypeAlias = tuple[str, Callable[["Lifecycles", State], State | None]]


class Lifecycles:
    """Goes through every order of events on one store."""

    def __init__(self, sessions: FakeSessions) -> None:
        self._sessions = sessions
        self._service = FakeService(sessions=sessions)
        self.states = 0

    def run(self, events: int) -> None:
        """Check every order of so many events in a session that is live, or was just ended. Raises `RevivedError`."""
        self._service.clock.time = START
        first = self._service.start("ada")
        assert first.refresh_token is not None
        self._session_id = first.session_id
        state = self._read(START, "the usual policy", State(None, (), None, None, START, "", (first.refresh_token,)))
        for _ in range(2):
            state = self._present(state, state.tokens[-1]) or state
        layer = {start.key(): start for start in (state, *self._ended(state))}
        for _ in range(events):
            following: dict[tuple[object, ...], State] = {}
            for state in layer.values():
                for after in self._events(state):
                    if following.setdefault(after.key(), after) is after and after.over:
                        self._require_dead(after)
            self.states += len(following)
            layer = following

    def _events(self, state: State) -> Iterator[State]:
        if not state.over:
            yield from self._presented(state)
            yield from self._lost(state)
            yield from self._ended(state)
        for name, seconds in CLOCKS.items():
            yield replace(state, now=state.now + seconds, trace=(*state.trace, name))
        yield replace(state, now=0, trace=(*state.trace, "clock at 1970"))
        for name in POLICIES:
            if name != state.policy:
                yield replace(state, policy=name, trace=(*state.trace, name))
        self._enter(state)
        for _ in self._service.purge():
            pass
        yield self._read(state.now, "purge", state)

    def _presented(self, state: State) -> Iterator[State]:
        for token in {state.tokens[0], state.tokens[-1]}:
            after = self._present(state, token)
            if after is not None:
                yield after

    def _lost(self, state: State) -> Iterator[State]:
        """Let the row fall back to an earlier one: a rotation need not be on disk."""
        if state.earlier:
            yield replace(state, row=state.earlier[0], earlier=(), trace=(*state.trace, "rotations lost"))

    def _ended(self, state: State) -> Iterator[State]:
        self._enter(state)
        self._service.revoke(state.tokens[0])
        yield replace(self._read(state.now, "logout", state), over=True)
        self._enter(state)
        self._service.end_all("ada")
        yield replace(self._read(state.now, "all sessions ended", state), over=True)
        self._enter(state)
        try:
            self._service.end(self._session_id, owner="ada")
        except SessionNotFoundError:
            return
        yield replace(self._read(state.now, "session ended by its user", state), over=True)

    def _present(self, state: State, token: str) -> State | None:
        self._enter(state)
        generation = state.tokens.index(token) + 1
        try:
            answer = self._service.refresh(token).refresh_token
        except RefreshTokenExpiredError:
            return None
        except InvalidRefreshTokenError:
            return replace(self._read(state.now, f"token {generation} refused", state), over=True)
        tokens = state.tokens if answer in (None, *state.tokens) else (*state.tokens, str(answer))
        after = self._read(state.now, f"token {generation} presented", state)
        earlier = (*state.earlier, state.row) if state.row and after.row != state.row else state.earlier
        return replace(after, tokens=tokens, earlier=earlier[-2:])

    def _require_dead(self, state: State) -> None:
        for generation, token in enumerate(state.tokens, 1):
            self._enter(state)
            try:
                self._service.refresh(token)
            except (InvalidRefreshTokenError, RefreshTokenExpiredError):
                continue
            raise RevivedError(*state.trace, f"token {generation} is served")

    def _enter(self, state: State) -> None:
        """Put the store, the clock and the settings into a state."""
        sessions, service = self._sessions, self._service
        sessions.rows = {} if state.row is None else {state.row.id: state.row}
        sessions.cut_offs = {} if state.cut_off is None else {"ada": state.cut_off}
        sessions.purged_until = state.purged_until
        service.clock.time, service.policy = state.now, POLICIES[state.policy]
        service.log.events.clear()

    def _read(self, now: int, event: str, before: State) -> State:
        sessions = self._sessions
        return replace(
            before,
            row=sessions.rows.get(self._session_id),
            cut_off=sessions.cut_offs.get("ada"),
            purged_until=sessions.purged_until,
            now=now,
            policy=before.policy or "the usual policy",
            trace=(*before.trace, event),
        )


CLOCKS = {
    "clock +40 s": 40,
    "clock -1 h": -HOUR,
    "clock +15 days": 15 * DAY,
    "clock +10 years": DECADE,
    "clock -10 years": -DECADE,
}
