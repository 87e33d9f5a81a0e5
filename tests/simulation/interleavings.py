"""Every interleaving of a client and a thief, step by step, on the real use case.

A step is a wait and a word: somebody presents a token that they hold. States that no rule can tell apart are
explored once, and the interleavings that lead to them are counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from domain.model.errors import InvalidRefreshTokenError
from domain.model.sessions import Session, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, AccessToken, RefreshToken
from tests.fakes.clock import START
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.simulation.model import Rules, State, at, refreshed

DAY = 86_400
WAITS = (1, 8, 31, DAY + 1)
"""At once; within the grace; beyond the grace; beyond the recovery."""
_KEY = ("ada", "one-session")
_LIFE = 300 * DAY


class ViolationError(AssertionError):
    """The rule broke a promise. The message is the shortest interleaving that leads there."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who holds tokens."""

    held: frozenset[int]
    replaced: tuple[tuple[int, int], ...] = ()
    """What was the newest before, and until when: other tabs may have sent it a moment earlier."""
    served: bool = False
    """Whether they were given a new token since the theft, or since the two last came together or parted."""

    @property
    def newest(self) -> int:
        return max(self.held)

    def given(self, generation: int, now: int, *, new: bool) -> "Party":
        replaced = self.replaced
        if generation > self.newest:
            replaced = (*replaced, (self.newest, now))
        return Party(self.held | {generation}, replaced, self.served or new)

    def with_fresh_memory(self, now: int, grace: int) -> "Party":
        """Forget what nobody would send any more."""
        replaced = tuple((generation, since) for generation, since in self.replaced if now - since <= grace)
        held = frozenset({self.newest, *(generation for generation, _ in replaced)})
        return replace(self, held=held, replaced=replaced)


@dataclass(frozen=True, slots=True)
class World:
    """A session, the two who use it, and how it came to this."""

    row: Session
    now: int
    session: State
    trades: tuple[tuple[int, int, int], ...]
    """Which token was traded for which, and when, in the order of the new ones."""
    honest: Party
    thief: Party | None
    parted_at: int | None = None
    """When both had been served, from chains of which neither goes on from the other: one alone may be served again."""
    leapt: bool = False
    """Whether the clock was once ahead."""
    answers: frozenset[str] = frozenset()
    """Every refresh token that was handed out, as it was written."""
    trace: tuple[str, ...] = ()

    def superseded_at(self, generation: int) -> int:
        """Return when a token that is not the current one was last traded or left behind."""
        return next(at for presented, issued, at in reversed(self.trades) if presented <= generation < issued)

    def descends(self, generation: int, ancestor: int) -> bool:
        """Tell whether one token came of another, trade by trade, or is the same."""
        for presented, issued, _ in reversed(self.trades):
            if generation <= ancestor:
                break
            if issued == generation:
                generation = presented
        return generation == ancestor

    def key(self, policy: SessionPolicy) -> tuple[object, ...]:
        """Return all that can make a difference later: generations and ages relative to now."""
        grace, recovery, top = policy.replay_grace, policy.lost_answer_recovery, self.session.generation

        def age(at: int) -> int:
            # Beyond the grace only two ages differ: within the recovery, and past it.
            old = self.now - at
            return old if old <= grace else grace + 1 if old <= recovery else recovery + grace + 1

        held = self.honest.held | self.thief.held if self.thief else self.honest.held
        return (
            self.row.token.generation - top,
            self.row.parent_generation - top,
            top == FIRST_GENERATION,
            age(self.row.token.issued_at),
            tuple((g - top, self.now - at, age(self.superseded_at(g))) for g, at in self.honest.replaced),
            frozenset((a - top, b - top) for a in held for b in held if a > b and self.descends(a, b)),
            tuple(p and (frozenset(g - top for g in p.held), p.served) for p in (self.honest, self.thief)),
            None if self.parted_at is None else age(self.parted_at),
            self.leapt,
            self.session.dead,
        )


class RefreshTokensAlone(FakeTokenCodec):
    def write_access_token(self, token: AccessToken) -> str:
        return ""


class Explorer:
    """Takes every step from every world, and checks each answer against the model.

    For one presentation the clock may be ahead by one of the spans `ahead`; then what is served within a grace of the
    parting does not count. A `client_alone` is served whatever it
    says, unless it comes back for a lost answer later than grace and recovery promise.
    """

    def __init__(
        self, policy: SessionPolicy, sessions: FakeSessions, *, ahead: tuple[int, ...] = (), client_alone: bool = False
    ) -> None:
        self.policy = replace(policy, refresh_token_ttl=_LIFE, session_ttl=_LIFE)
        self.sessions, self._log = sessions, FakeSecurityLog()
        self._service = FakeService(policy=self.policy, sessions=sessions, log=self._log, tokens=RefreshTokensAlone())
        self._refresh = self._service.refresh
        self._rules, self._ahead, self._client_alone = Rules.of(policy), (0, *ahead), client_alone
        self._texts: dict[int, str] = {}

    def start(self) -> World:
        row = Session.recalled(_token(FIRST_GENERATION))
        return World(row, START, State(), (), Party(frozenset({FIRST_GENERATION})), None)

    def say(self, world: World, who: str, generation: int, wait: int, *, lost: bool = False, ahead: int = 0) -> World:
        """Let somebody present a token after a wait. Raises `ViolationError` if the answer is not as it must be."""
        now = world.now + wait
        ((expected, session),) = refreshed(world.session, generation, at(now + ahead), self._rules)
        text = self._present(world, generation, now + ahead)
        issued = None if text is None else self._service.tokens.read_refresh_token(text).generation
        trace = (*world.trace, _told(who, generation, issued, wait, lost=lost, ahead=ahead))
        row, is_new = self.sessions.rows[_KEY], issued != world.session.generation
        if issued != expected:
            raise ViolationError("must be refused" if expected is None else f"must get {expected}", *trace)
        world = replace(world, row=row, now=now, session=session, leapt=world.leapt or ahead > 0, trace=trace)
        if text is None or issued is None:
            promised = max(self._rules.grace, self._rules.recovery)
            if self._client_alone and now - world.row.token.issued_at <= promised:
                raise ViolationError("an honest client is refused", *trace)
            if row.revoked_at is None:
                raise ViolationError("the session is refused and not ended", *trace)
            return world
        if not is_new and text not in world.answers:
            raise ViolationError("two tokens of one generation", *trace)
        trades = (*world.trades, (generation, issued, now)) if is_new else world.trades
        world = replace(world, trades=trades, answers=world.answers | {text})
        return world if lost else self._learn(world, who, issued, new=is_new)

    def _present(self, world: World, generation: int, now: int) -> str | None:
        self.sessions.rows[_KEY] = world.row
        self._service.clock.time = now
        self._log.events.clear()
        if generation not in self._texts:
            self._texts[generation] = self._service.tokens.write_refresh_token(_token(generation))
        try:
            return self._refresh(self._texts[generation]).refresh_token
        except InvalidRefreshTokenError:
            return None

    def _learn(self, world: World, who: str, issued: int, *, new: bool) -> World:
        if world.leapt and world.parted_at is not None:
            new = new and world.now - world.parted_at > self.policy.replay_grace
        if who == "client":
            world = replace(world, honest=world.honest.given(issued, world.now, new=new))
        elif world.thief is not None:
            world = replace(world, thief=world.thief.given(issued, world.now, new=new))
        return _parted_or_not(world)

    def explore(self, layer: Iterable[World], steps: int) -> Iterator["Layer"]:
        """Yield what is reached after each step, from all of `layer`."""
        states = {world.key(self.policy): (world, 1) for world in map(self._tidied, layer)}
        for step in range(steps):
            following: dict[tuple[object, ...], tuple[World, int]] = {}
            taken = 0
            for world, paths in states.values():
                for after in self._steps(world):
                    taken += paths
                    if not after.session.dead and step < steps - 1:  # the last worlds need not be kept
                        world_after = self._tidied(after)
                        key = world_after.key(self.policy)
                        known, so_far = following.get(key, (world_after, 0))
                        following[key] = (known, so_far + paths)
            yield Layer(interleavings=taken, states=len(states))
            states = following

    def _steps(self, world: World) -> Iterator[World]:
        for wait, ahead in product(WAITS, (0,) if world.leapt else self._ahead):
            for generation, lost in self._honest_words(world, world.now + wait):
                yield self.say(world, "client", generation, wait, lost=lost, ahead=ahead)
            for generation in sorted(world.thief.held if world.thief else ()):
                yield self.say(world, "thief", generation, wait, ahead=ahead)
        if world.thief is not None and world.honest.newest not in world.thief.held:
            yield steal(world, world.honest.newest)

    def _tidied(self, world: World) -> World:
        """Forget what the client would not send any more, and all but one of the thief's dead tokens."""
        honest, thief = world.honest.with_fresh_memory(world.now, self.policy.replay_grace), world.thief
        world = replace(world, honest=honest)
        if thief is None:
            return world
        dead = thief.held - {world.session.generation, world.session.parent}
        held = thief.held - dead | {max(dead)} if dead else thief.held
        return replace(world, thief=replace(thief, held=held))

    def _honest_words(self, world: World, now: int) -> Iterator[tuple[int, bool]]:
        """Yield the newest token, with and without an answer, and older ones, each for a grace after it was superseded.

        Other tabs have sent them before they were replaced in the jar.
        """
        yield world.honest.newest, False
        yield world.honest.newest, True
        for generation, since in world.honest.replaced:
            if now - min(since, world.superseded_at(generation)) <= self.policy.replay_grace:
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
    return _counting_anew(replace(world, thief=Party(held | {generation}), trace=trace), parted_at=None)


def _token(generation: int) -> RefreshToken:
    user_id, session_id = _KEY
    return RefreshToken(
        session_id=session_id,
        user_id=user_id,
        generation=generation,
        started_at=START,
        ends_at=START + _LIFE,
        issued_at=START,
        expires_at=START + _LIFE,
    )


def _told(who: str, generation: int, issued: int | None, wait: int, *, lost: bool, ahead: int) -> str:
    clock = f", by a clock {ahead} s ahead" if ahead else ""
    answer = "is refused" if issued is None else f"gets {issued}"
    return f"+{wait} s{clock}: {who} presents {generation} and {answer}{', which is lost' if lost else ''}"


def _parted_or_not(world: World) -> World:
    """Note when the two part and when they come together again; from a parting on, one alone may be served."""
    honest, thief = world.honest, world.thief
    if thief is None:
        return world
    older, newer = sorted((honest.newest, thief.newest))
    in_line = world.descends(newer, older)
    if older == newer or (in_line and world.parted_at is not None):
        return _counting_anew(world, parted_at=None)
    if in_line or not (honest.served and thief.served):
        return world
    if world.parted_at is not None:
        raise ViolationError("both were served again after they had parted", *world.trace)
    return _counting_anew(world, parted_at=world.now)


def _counting_anew(world: World, *, parted_at: int | None) -> World:
    thief = world.thief and replace(world.thief, served=False)
    return replace(world, honest=replace(world.honest, served=False), thief=thief, parted_at=parted_at)


def stolen_worlds(explorer: Explorer, rotations: int) -> Iterator[World]:
    """Every world in which a client has rotated so often, at any pace, and a thief has any one of its tokens."""
    for waits in product(WAITS, repeat=rotations):
        world = explorer.start()
        for wait in waits:
            world = explorer.say(world, "client", world.honest.newest, wait)
        for generation in sorted(world.honest.held):
            yield steal(world, generation)
