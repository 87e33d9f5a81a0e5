"""Every interleaving of a client and a thief, step by step, on the real use case.

A step is a wait and a word: somebody presents a token that they hold. States that no rule can tell apart are
explored once, and the interleavings that lead to them are counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from domain.model.errors import InvalidRefreshTokenError
from domain.model.sessions import Session, SessionPolicy
from domain.model.tokens import AccessToken, RefreshToken
from tests.fakes.clock import START
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.simulation.oracle import History, Trade, Verdict

DAY = 86_400
WAITS = (1, 8, 31, DAY + 1)
"""At once; within the grace, two of them past its half; beyond the grace; beyond the recovery."""
_SID = "one-session"


class ViolationError(AssertionError):
    """The rule broke a promise. The message is the shortest interleaving that leads there."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who holds tokens."""

    held: frozenset[int]
    served: bool = False
    """Whether they were given a new token since the theft, or since the two last came together or parted."""

    @property
    def newest(self) -> int:
        return max(self.held)

    def given(self, generation: int, *, new: bool) -> "Party":
        return Party(self.held | {generation}, self.served or new)


@dataclass(frozen=True, slots=True)
class World:
    """A session, the two who use it, and how it came to this."""

    row: Session
    now: int
    history: History
    honest: Party
    thief: Party | None
    parted: bool = False
    """Whether both were served, from chains of which neither goes on from the other: one alone may be served again."""
    answers: frozenset[str] = frozenset()
    """Every refresh token that was handed out, as it was written."""
    trace: tuple[str, ...] = ()

    def key(self, policy: SessionPolicy) -> tuple[object, ...]:
        """Return all that can make a difference later: generations and ages relative to now."""
        grace, recovery, row = policy.replay_grace, policy.lost_answer_recovery, self.row
        top = self.history.current

        def age(at: int) -> int:
            # Beyond the grace only two ages differ: within the recovery, and past it.
            old = self.now - at
            return old if old <= grace else grace + 1 if old <= recovery else recovery + grace + 1

        # A mark past the grace proves nothing any more, and is replaced like one that is not there.
        marks = tuple(
            (m.generation - top, age(m.superseded_at)) if m and age(m.superseded_at) <= grace else None
            for m in (row.newer_mark, row.older_mark)
        )
        held = self.honest.held | self.thief.held if self.thief else self.honest.held
        superseded = frozenset((g - top, age(self.history.superseded_at(g))) for g in held if g != top)
        kin = frozenset((a - top, b - top) for a in held for b in held if a > b and self.history.descends(a, b))
        parties = tuple(p and (frozenset(g - top for g in p.held), p.served) for p in (self.honest, self.thief))
        return (
            row.generation - top,
            row.parent_generation - top,
            age(row.rotated_at),
            marks,
            superseded,
            kin,
            parties,
            self.parted,
            self.history.dead,
        )


class _RefreshTokensAlone(FakeTokenCodec):
    def write_access_token(self, token: AccessToken) -> str:
        return ""


class Explorer:
    """Takes every step from every world, and checks each answer against the history."""

    def __init__(self, policy: SessionPolicy, sessions: FakeSessions) -> None:
        self.policy = replace(policy, refresh_token_ttl=300 * DAY, session_ttl=300 * DAY)
        self.sessions, self._log = sessions, FakeSecurityLog()
        self._service = FakeService(policy=self.policy, sessions=sessions, log=self._log, tokens=_RefreshTokensAlone())
        self._refresh = self._service.refresh
        self._texts: dict[int, str] = {}

    def start(self) -> World:
        row = Session.start(session_id=_SID, user_id="ada", device="", now=START, cut_off=None, policy=self.policy)
        self.sessions.rows.clear()
        self.sessions.start(row)
        return World(row, START, History(), Party(frozenset({1})), None)

    def say(self, world: World, who: str, generation: int, wait: int, *, lost: bool = False) -> World:
        """Let somebody present a token after a wait. Raises `ViolationError` if the answer is not as it must be."""
        now = world.now + wait
        trace = (*world.trace, f"+{wait} s: {who} presents {generation}{', answer lost' if lost else ''}")
        verdict = world.history.judge(generation, now, self.policy)
        text = self._present(world, generation, now)
        issued = None if text is None else self._service.tokens.read_refresh_token(text).generation
        answer = "refused" if issued is None else f"gets {issued}"
        trace = (*trace[:-1], f"{trace[-1]}, {answer}")
        row, history = self.sessions.rows[_SID], world.history
        if text is None or issued is None:
            if verdict not in (Verdict.DEATH, Verdict.CURRENT_OR_DEATH) or row.revoked_at is None:
                raise ViolationError(f"must be {verdict}", *trace)
            return replace(world, row=row, now=now, history=replace(history, dead=True), trace=trace)
        shared = issued == history.current
        if not (verdict is Verdict.NEW and issued > history.current) and not (
            verdict in (Verdict.CURRENT, Verdict.CURRENT_OR_DEATH) and shared
        ):
            raise ViolationError(f"must be {verdict}", *trace)
        if shared and text not in world.answers:
            raise ViolationError("two tokens of one generation", *trace)
        if not shared:
            history = replace(history, trades=(*history.trades, Trade(generation, issued, now)))
        world = replace(world, row=row, now=now, history=history, answers=world.answers | {text}, trace=trace)
        return world if lost else _learn(world, who, issued, new=not shared)

    def _present(self, world: World, generation: int, now: int) -> str | None:
        self.sessions.rows[_SID] = world.row
        self._service.clock.time = now
        self._log.events.clear()
        try:
            return self._refresh(self._text(generation)).refresh_token
        except InvalidRefreshTokenError:
            return None

    def _text(self, generation: int) -> str:
        if generation not in self._texts:
            token = RefreshToken(
                session_id=_SID,
                user_id="ada",
                generation=generation,
                started_at=START,
                ends_at=START + 300 * DAY,
                issued_at=START,
                expires_at=START + 300 * DAY,
            )
            self._texts[generation] = self._service.tokens.write_refresh_token(token)
        return self._texts[generation]

    def explore(self, layer: Iterable[World], steps: int) -> Iterator["Layer"]:
        """Yield what is reached after each step, from all of `layer`."""
        states = {world.key(self.policy): (world, 1) for world in layer}
        for step in range(steps):
            following: dict[tuple[object, ...], tuple[World, int]] = {}
            taken = 0
            for world, paths in states.values():
                for after in self._steps(world):
                    taken += paths
                    if not after.history.dead and step < steps - 1:  # the last worlds need not be kept
                        world_after = self._tidied(after)
                        key = world_after.key(self.policy)
                        known, so_far = following.get(key, (world_after, 0))
                        following[key] = (known, so_far + paths)
            yield Layer(interleavings=taken, states=len(states))
            states = following

    def _steps(self, world: World) -> Iterator[World]:
        for wait in WAITS:
            for generation, lost in self._honest_words(world, world.now + wait):
                yield self.say(world, "client", generation, wait, lost=lost)
            if world.thief is not None:
                for generation in sorted(world.thief.held):
                    yield self.say(world, "thief", generation, wait)
        if world.thief is not None and world.honest.newest not in world.thief.held:
            yield steal(world, world.honest.newest)

    def _tidied(self, world: World) -> World:
        """Forget what the client would not send any more, and all but one of the thief's dead tokens."""
        honest, thief, history, now = world.honest, world.thief, world.history, world.now
        young = {g for g in honest.held if g == honest.newest or self._in_grace(history, g, now)}
        world = replace(world, honest=replace(honest, held=frozenset(young)))
        if thief is None:
            return world
        dead = {g for g in thief.held if history.judge(g, now, self.policy) is Verdict.DEATH}
        held = thief.held - dead | {max(dead)} if dead else thief.held
        return replace(world, thief=replace(thief, held=held))

    def _in_grace(self, history: History, generation: int, now: int) -> bool:
        if generation == history.current:
            return True
        return now - history.superseded_at(generation) <= self.policy.replay_grace

    def _honest_words(self, world: World, now: int) -> Iterator[tuple[int, bool]]:
        """Yield the newest token, with and without an answer, and the older ones that other tabs have just sent."""
        history, newest = world.history, world.honest.newest
        yield newest, False
        yield newest, True
        for generation in sorted(world.honest.held - {newest}):
            if self._in_grace(history, generation, now):
                yield generation, False


@dataclass(frozen=True, slots=True)
class Layer:
    """How many interleavings have this many steps, and from how many states their last steps were taken."""

    interleavings: int
    states: int


def steal(world: World, generation: int) -> World:
    """Give the thief one more token: any that the client has ever held."""
    held = world.thief.held if world.thief else frozenset[int]()
    trace = (*world.trace, f"thief steals {generation}")
    return _counting_anew(replace(world, thief=Party(held | {generation}), trace=trace), parted=False)


def _learn(world: World, who: str, issued: int, *, new: bool) -> World:
    if who == "client":
        world = replace(world, honest=world.honest.given(issued, new=new))
    elif world.thief is not None:
        world = replace(world, thief=world.thief.given(issued, new=new))
    return _parted_or_not(world)


def _parted_or_not(world: World) -> World:
    """Note when the two part and when they come together again; from a parting on, one alone may be served."""
    honest, thief, history = world.honest, world.thief, world.history
    if thief is None:
        return world
    older, newer = sorted((honest.newest, thief.newest))
    in_line = history.descends(newer, older)
    if older == newer or (in_line and world.parted):
        return _counting_anew(world, parted=False)
    if in_line or not (honest.served and thief.served):
        return world
    if world.parted:
        raise ViolationError("both were served again after they had parted", *world.trace)
    return _counting_anew(world, parted=True)


def _counting_anew(world: World, *, parted: bool) -> World:
    thief = world.thief and replace(world.thief, served=False)
    return replace(world, honest=replace(world.honest, served=False), thief=thief, parted=parted)


def stolen_worlds(explorer: Explorer, rotations: int) -> Iterator[World]:
    """Every world in which a client has rotated so often, at any pace, and a thief has any one of its tokens."""
    for waits in product(WAITS, repeat=rotations):
        world = explorer.start()
        for wait in waits:
            world = explorer.say(world, "client", world.honest.newest, wait)
        for generation in sorted(world.honest.held):
            yield steal(world, generation)
