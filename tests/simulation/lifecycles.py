"""Everything that can befall a session and its store, in every order: what is over must stay over.

Endings of every kind, purges, clocks that are set, policies that change, rotations and rows that the store loses. From
every state that these lead to, once the session has been ended, every token that it ever had is presented.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from domain.model.errors import InvalidRefreshTokenError, RefreshTokenExpiredError, SessionNotFoundError
from domain.model.sessions import CutOff, Session, SessionPolicy
from domain.use_cases.service import Service
from tests.fakes.clock import START
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions

HOUR, DAY, DECADE = 3_600, 86_400, 3_653 * 86_400
_USER, _OTHER = "ada", "another-session"

POLICIES = {
    "the usual policy": SessionPolicy(),
    "a long grace": SessionPolicy(replay_grace=300, lost_answer_recovery=7 * DAY, leeway=300),
    "short lives": SessionPolicy(refresh_token_ttl=DAY, session_ttl=2 * DAY, replay_grace=0, lost_answer_recovery=0),
    "long lives": SessionPolicy(refresh_token_ttl=200 * DAY, session_ttl=400 * DAY),
    "no rotation": SessionPolicy(rotation=False),
}
CLOCKS = {
    "clock +40 s": 40,
    "clock -1 h": -HOUR,
    "clock +15 days": 15 * DAY,
    "clock +10 years": DECADE,
    "clock -10 years": -DECADE,
}
ENDINGS: dict[str, Callable[[Service, "State"], object]] = {
    "logout": lambda service, state: service.revoke(state.tokens[0]),
    "all sessions ended": lambda service, _: service.end_all(_USER, by=LOGIN),
    "all sessions but another ended": lambda service, _: service.end_all(_USER, by=LOGIN, spare=_OTHER),
    "session ended by name": lambda service, state: service.end(_USER, state.session_id, by=LOGIN),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A session, its store, the clock and the settings."""

    session_id: str
    tokens: tuple[str, ...]
    row: Session | None = None
    earlier: tuple[Session, ...] = ()
    """The rows that the store held before, which it may fall back to."""
    cut_off: CutOff | None = None
    purged_until: int | None = None
    now: int = START
    policy: str = "the usual policy"
    over: bool = False
    trace: tuple[str, ...] = ()

    def key(self) -> tuple[object, ...]:
        return (self.row, self.earlier, self.cut_off, self.purged_until, self.now, self.policy, self.tokens, self.over)


class RevivedError(AssertionError):
    """A session that was over gave out a token. The message is how it came to that."""


class Lifecycles:
    """Goes through every order of events on one store."""

    def __init__(self, sessions: FakeSessions) -> None:
        self._sessions = sessions
        self._service = FakeService(sessions=sessions)
        self.states = 0

    def run(self, events: int) -> None:
        """Check every order of so many events in a session that is live, or was just ended. Raises `RevivedError`."""
        self._service.clock.time = START
        first = self._service.sign_in(_USER)
        assert first.refresh_token is not None
        state = self._read("sign-in", State(session_id=first.session_id, tokens=(first.refresh_token,)))
        for _ in range(2):
            state = self._present(replace(state, now=state.now + 31), state.tokens[-1]) or state
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
            for token in {state.tokens[0], state.tokens[-1]}:
                yield from filter(None, [self._present(state, token)])
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
        yield self._read("purge", state)
        # Once it is over, not even a cut-off that wants to spare it brings it back.
        self._enter(state)
        self._service.end_all(_USER, by=LOGIN, spare=state.session_id)
        yield self._read("all sessions but this one ended", state)

    def _lost(self, state: State) -> Iterator[State]:
        """Let the row fall back to an earlier one, or be lost with a backup that is older than the session."""
        if state.earlier:
            yield replace(state, row=state.earlier[0], earlier=(), trace=(*state.trace, "rotations lost"))
        yield replace(state, row=None, earlier=(), trace=(*state.trace, "row lost"))

    def _ended(self, state: State) -> Iterator[State]:
        for name, end in ENDINGS.items():
            if state.row is None and state.now < START and name.startswith("all"):
                continue  # a cut-off by a clock from before the sign-in ends what the store knows, and nothing else
            self._enter(state)
            try:
                end(self._service, state)
            except SessionNotFoundError:
                continue
            yield replace(self._read(name, state), over=True)

    def _present(self, state: State, token: str) -> State | None:
        self._enter(state)
        generation = state.tokens.index(token) + 1
        try:
            answer = self._service.refresh(token).refresh_token
        except RefreshTokenExpiredError:
            return None
        except InvalidRefreshTokenError:
            after = self._read(f"token {generation} refused", state)
            # What was lost and may have been purged is refused, and nothing is ended by that.
            return replace(after, over=after.row is not None and after.row.revoked_at is not None)
        tokens = state.tokens if answer in (None, *state.tokens) else (*state.tokens, str(answer))
        after = self._read(f"token {generation} presented", state)
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
        sessions.rows = {} if state.row is None else {(_USER, state.session_id): state.row}
        sessions.cut_offs = {} if state.cut_off is None else {_USER: state.cut_off}
        sessions.purged_until = state.purged_until
        service.clock.time, service.policy = state.now, POLICIES[state.policy]
        service.log.events.clear()

    def _read(self, event: str, before: State) -> State:
        sessions = self._sessions
        return replace(
            before,
            row=sessions.rows.get((_USER, before.session_id)),
            cut_off=sessions.cut_offs.get(_USER),
            purged_until=sessions.purged_until,
            trace=(*before.trace, event),
        )
