"""Every history of a session that may be bound to a key, step by step, on the real use case.

A device has one key, which it proves or does not: a presence may be missing at any time. A thief has tokens of the
device's and a key of their own; one who took both cookies proves the device's key as well. Rows are lost, settings
change. There is no model of the answers here but what must hold of each, written from the documentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Never

from domain.model.errors import InvalidRefreshTokenError, KeyNotProvenError
from domain.model.proofs import DeviceBinding, ProvenKey
from domain.model.sessions import Session, SessionPolicy
from domain.model.tokens import FIRST_GENERATION, RefreshToken
from tests.builders import KEY, OTHER_KEY
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation.interleavings import RefreshTokensAlone, ViolationError

DAY = 86_400
WAITS = (1, 31, 901, DAY + 1)
"""Within the grace; beyond it; beyond the life of an access token; beyond the recovery."""
_AGES = (30, 900, DAY)
ELSEWHERE = "elsewhere"
"""What proves the device's key for another session, and nothing for this one."""
_KEY_OF_ROW = ("ada", "one-session")
_LIFE = 300 * DAY
_OFF = SessionPolicy(refresh_token_ttl=_LIFE, session_ttl=_LIFE)
POLICIES = {
    "off": _OFF,
    "offer": replace(_OFF, device_binding=DeviceBinding.OFFER),
    "require": replace(_OFF, device_binding=DeviceBinding.REQUIRE),
    "no recovery": replace(_OFF, device_binding=DeviceBinding.OFFER, lost_answer_recovery=0),
    "no grace": replace(_OFF, device_binding=DeviceBinding.OFFER, replay_grace=0),
    "no rotation": replace(_OFF, rotation=False),
}


@dataclass(frozen=True, slots=True)
class Held:
    """A token that was handed out; `serial` tells it from another of its generation, after rows were lost."""

    generation: int
    key: str | None
    serial: int


@dataclass(frozen=True, slots=True)
class Holder:
    """The device or the thief: what they hold, newest last, and which keys they can prove."""

    tokens: tuple[Held, ...]
    keys: tuple[str, ...]
    since: int = START
    """When they were given the newest."""
    served: bool = False
    """Whether they were given a new token since the two last came together or parted."""


@dataclass(frozen=True, slots=True)
class World:
    """A session, who uses it, and how it came to this."""

    row: Session | None
    current: int
    """The serial of the row's token."""
    earlier: tuple[tuple[Session, int], ...]
    """What the store may fall back to, with the serial of its token."""
    now: int
    policy: str
    parents: tuple[int, ...]
    """Of each serial the one that it was traded for."""
    device: Holder
    thief: Holder | None = None
    parted: bool = False
    is_whole: bool = True
    """Whether the store has lost nothing, and nobody may bind a session once more."""
    trace: tuple[str, ...] = ()

    def descends(self, serial: int, ancestor: int) -> bool:
        while serial > ancestor:
            serial = self.parents[serial]
        return serial == ancestor

    def key(self) -> tuple[object, ...]:
        """Return all that can make a difference later."""
        top = 0 if self.row is None else self.row.token.generation

        def told(row: Session, serial: int) -> tuple[object, ...]:
            age = self.now - row.token.issued_at
            clipped = age if age <= _AGES[0] else min((each for each in _AGES if age <= each), default=_LIFE)
            generation, parent = row.token.generation - top, row.parent_generation - top
            first = row.token.generation == FIRST_GENERATION
            return generation, parent, first, clipped, row.token.key_thumbprint, row.revoked_at is None, serial

        return (
            self.row and told(self.row, self.current),
            tuple(told(*each) for each in self.earlier),
            self.policy,
            replace(self.device, since=max(-31, self.device.since - self.now)),
            self.thief and replace(self.thief, since=0),
            self.parted,
            self.is_whole,
            self.parents,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A token that is presented, with a key that is proven or with none, and what must hold of the answer."""

    world: World
    held: Held
    key: str | None

    @property
    def policy(self) -> SessionPolicy:
        return POLICIES[self.world.policy]

    @property
    def keys(self) -> set[str]:
        """The keys that must be proven: the token's, and the row's unless the store has lost what the token says."""
        row = self.world.row
        is_lost = row is not None and row.token.generation < self.held.generation and self.held.key is not None
        held_key = None if row is None or is_lost else row.token.key_thumbprint
        return {self.held.key, held_key} - {None}  # type: ignore[return-value]

    @property
    def is_its_holder(self) -> bool:
        return self.held.key in (None, self.key)

    def fail(self, what: str) -> Never:
        raise ViolationError(what, *self.world.trace)

    def require_right_to_be_served(self, given: RefreshToken, row: Session) -> None:
        """Require that a bound session is served for its key alone and stays bound; and one where that is required."""
        before, policy = self.world.row, self.policy
        if self.keys - {self.key}:
            self.fail("a bound session is served without its key")
        if given != row.token:
            self.fail("what was given is not what the store holds")
        if self.keys and None in (given.key_thumbprint, row.token.key_thumbprint):
            self.fail("a bound session is unbound")
        top = self.held.generation if before is None else max(before.token.generation, self.held.generation)
        is_new = row.token.generation > top
        wants = is_new and policy.device_binding is not DeviceBinding.OFF
        if wants and self.key is not None and given.key_thumbprint != self.key:
            self.fail("a presence binds nothing")
        is_required = is_new and policy.device_binding is DeviceBinding.REQUIRE
        if is_required and given.key_thumbprint is None and top > FIRST_GENERATION:
            self.fail("an unbound session goes on where bindings are required")

    def require_told(self, *, may_bind: bool) -> None:
        """Require that the holder of a token is refused for now alone: in a young session, or until it is bound."""
        row, policy = self.world.row, self.policy
        is_young = row is not None and row.is_young(now=self.world.now, grace=policy.replay_grace)
        if self.is_its_holder and not self.keys - {self.key}:
            is_required = policy.device_binding is DeviceBinding.REQUIRE and self.key is None
            is_repeated = row is not None and self.held.generation in (row.token.generation, row.parent_generation)
            if not (is_required and may_bind) or (is_young and is_repeated):
                self.fail("the holder of the key is refused")
        elif self.is_its_holder and not is_young:
            self.fail("two have the session, and it goes on")
        if may_bind and policy.device_binding is DeviceBinding.OFF:
            self.fail("a binding is offered that nobody wants")

    def require_right_to_end(self, row: Session | None) -> None:
        """Require that what is refused is over, and was ended by no bound token without its key, nor in the grace."""
        before = self.world.row
        if before is not None and before.revoked_at is not None:
            return
        if before is None or row is None or row.revoked_at is None:
            self.fail("a live session is refused and not ended")
        if before.token.generation < self.held.generation and not self.keys - {self.key}:
            self.fail("what the store has lost ends the session")
        if not self.is_its_holder:
            self.fail("a bound token without its key ends the session")
        is_young = before.is_young(now=self.world.now, grace=self.policy.replay_grace)
        if is_young and self.held.generation in (before.token.generation, before.parent_generation):
            self.fail("a tab that was not told ends the session")

    def reason_of_the_end(self) -> str:
        """Return how a device alone came to lose its session, which is one of the ways that are documented."""
        row = self.world.row
        assert row is not None
        span = max(self.policy.replay_grace, self.policy.lost_answer_recovery)
        if self.held.generation < row.token.generation and not row.rotated_within(span, now=self.world.now):
            return "an answer was lost, and recovery is over"
        if self.key is None and self.held.key is None and row.token.key_thumbprint is not None:
            return "the answer that bound the session was lost, and the next request has no presence"
        if self.world.is_whole:
            self.fail("a device alone is ended")
        return "the store has lost writes in between"


class Histories:
    """Takes every step from every world, and holds each answer against what must hold."""

    def __init__(self, sessions: FakeSessions, policies: tuple[str, ...], *, events: bool) -> None:
        """Take the settings to begin with; with `events` rows are lost and settings change to any of them."""
        self._sessions, self._policies, self._events = sessions, policies, events
        self._service = FakeService(sessions=sessions, tokens=RefreshTokensAlone())
        self.taken = 0
        self.ended_alone = set[str]()
        """How a device alone came to be refused for good, each way once."""

    def begin(self, policy: str, *, thief: tuple[str, ...] | None, rotations: int, is_bound: bool = False) -> World:
        """Return a session that has rotated so often, bound from the second time on; maybe beside a thief."""
        token = _token(Held(FIRST_GENERATION, None, 0))
        device = Holder((Held(FIRST_GENERATION, None, 0),), (KEY,))
        world = World(Session.recalled(token), 0, (), START, "offer", (0,), device)
        for number in range(rotations):
            key = KEY if is_bound and number else None
            served = self._step(world, 31, "device", world.device.tokens[-1], key)
            assert served is not None
            world = served
        if thief is not None:
            *older, newest = world.device.tokens
            unbound = [each for each in older if each.key is None]
            world = replace(world, thief=Holder((*unbound[-1:], newest), thief))
        device = replace(world.device, served=False)
        return replace(world, device=device, policy=policy)

    def run(self, worlds: list[World], steps: int) -> None:
        """Take so many steps from each."""
        layer = {world.key(): world for world in worlds}
        for _ in range(steps):
            following: dict[tuple[object, ...], World] = {}
            for world in layer.values():
                for after in self._steps(world):
                    following.setdefault(after.key(), after)
            layer = following

    def _steps(self, world: World) -> Iterator[World]:
        for wait in WAITS:
            for held, key in self._words(world, world.device, wait):
                after = self._step(world, wait, "device", held, key)
                if after is not None:
                    yield after
                    # Its answer may be lost: then they know nothing of it.
                    trace = (*after.trace, "which is lost")
                    yield replace(after, device=world.device, thief=world.thief, parted=world.parted, trace=trace)
            for held, key in product(world.thief.tokens[-2:], (None, *world.thief.keys)) if world.thief else ():
                after = self._step(world, wait, "thief", held, key)
                if after is not None:
                    yield after
        if self._events:
            yield from self._happenings(world)

    def _words(self, world: World, device: Holder, wait: int) -> Iterator[tuple[Held, str | None]]:
        """Yield what the device may send: what the jar holds; another tab may have sent what it held a moment ago."""
        is_recent = world.now + wait - device.since <= POLICIES[world.policy].replay_grace
        yield from product(device.tokens[-2 if is_recent else -1 :], (None, *device.keys))

    def _happenings(self, world: World) -> Iterator[World]:
        for row, serial in world.earlier[-1:]:
            trace = (*world.trace, "the store loses its last write")
            yield replace(world, row=row, current=serial, earlier=(), is_whole=False, trace=trace)
        if world.row is not None:
            yield replace(world, row=None, earlier=(), is_whole=False, trace=(*world.trace, "the row is lost"))
        for policy in self._policies:
            if policy != world.policy:
                yield replace(world, policy=policy, trace=(*world.trace, policy))

    def _step(self, world: World, wait: int, who: str, held: Held, key: str | None) -> World | None:
        """Let somebody present a token after a wait; return the world after, or `None` if they are not served."""
        self.taken += 1
        trace = (*world.trace, f"+{wait} s: {who} presents {held.generation} of {held.key} with {key}")
        world = replace(world, now=world.now + wait, trace=trace)
        asked = Asked(world, held, None if key == ELSEWHERE else key)
        sessions, service = self._sessions, self._service
        sessions.rows = {} if world.row is None else {_KEY_OF_ROW: world.row}
        if service.policy is not asked.policy:
            service.policy = asked.policy
        service.clock.time = world.now
        service.log.events.clear()
        named = ("another-session", KEY) if key == ELSEWHERE else (_KEY_OF_ROW[1], key)
        proven = None if key is None else ProvenKey(thumbprint=str(named[1]), session_id=named[0])
        try:
            answer = service.refresh(service.tokens.write_refresh_token(_token(held)), proven).refresh_token
        except KeyNotProvenError as error:
            if sessions.rows.get(_KEY_OF_ROW) != world.row:
                asked.fail("a missing key has changed the session")
            asked.require_told(may_bind=error.may_bind)
            return None
        except InvalidRefreshTokenError:
            asked.require_right_to_end(sessions.rows.get(_KEY_OF_ROW))
            if world.thief is None and world.row is not None and world.row.revoked_at is None:
                self.ended_alone.add(asked.reason_of_the_end())
            return None
        row = sessions.rows[_KEY_OF_ROW]
        given = row.token if answer is None else service.tokens.read_refresh_token(answer)
        asked.require_right_to_be_served(given, row)
        return self._learn(world, who, held, row, stays=answer is None)

    def _learn(self, world: World, who: str, held: Held, row: Session, *, stays: bool) -> World:
        is_new, earlier, parents, current = row != world.row, world.earlier, world.parents, world.current
        if is_new:
            if world.row is not None:
                earlier = (*earlier, (world.row, current))[-1:]
            if not (stays and row.token.generation == held.generation):
                parents, current = (*parents, held.serial), len(parents)
            else:
                current = held.serial
        given = held if stays else Held(row.token.generation, row.token.key_thumbprint, current)
        world = replace(world, row=row, current=current, parents=parents, earlier=earlier)
        holder = world.device if who == "device" else world.thief
        assert holder is not None
        tokens = (*(each for each in holder.tokens if each.serial != given.serial), given)[-3:]
        since = holder.since if given == holder.tokens[-1] else world.now
        holder = replace(holder, tokens=tokens, since=since, served=holder.served or (is_new and not stays))
        return _parted_or_not(replace(world, device=holder) if who == "device" else replace(world, thief=holder))


def _parted_or_not(world: World) -> World:
    """Note when the two part; from then on one alone may be served. A store that lost writes may serve both again."""
    device, thief = world.device, world.thief
    if thief is None or not world.is_whole:
        return world
    older, newer = sorted((device.tokens[-1].serial, thief.tokens[-1].serial))
    in_line = world.descends(newer, older)
    if older == newer or (in_line and world.parted):
        return replace(world, parted=False, device=replace(device, served=False), thief=replace(thief, served=False))
    if in_line or not (device.served and thief.served):
        return world
    if world.parted:
        raise ViolationError("both were served again after they had parted", *world.trace)
    return replace(world, parted=True, device=replace(device, served=False), thief=replace(thief, served=False))


def _token(held: Held) -> RefreshToken:
    user_id, session_id = _KEY_OF_ROW
    return RefreshToken(
        session_id=session_id,
        user_id=user_id,
        generation=held.generation,
        started_at=START,
        ends_at=START + _LIFE,
        issued_at=START,
        expires_at=START + _LIFE,
        key_thumbprint=held.key,
    )


def alone(sessions: FakeSessions, steps: int) -> Histories:
    """Go through the histories of a device alone, with lost rows and settings that change."""
    policies = ("offer", "off", "require", "no rotation", "no recovery")
    histories = Histories(sessions, policies, events=True)
    histories.run([histories.begin(policy, thief=None, rotations=n) for policy in policies for n in (0, 1)], steps)
    return histories


def robbed(sessions: FakeSessions, steps: int, policy: str) -> Histories:
    """Go through the histories of a device and a thief: with a key of their own, and with the device's as well."""
    histories = Histories(sessions, (policy,), events=False)
    thieves = ((ELSEWHERE,), (OTHER_KEY,), (KEY, OTHER_KEY))
    begun = ((0, False), (1, False), (2, True))
    histories.run([histories.begin(policy, thief=t, rotations=n, is_bound=b) for t in thieves for n, b in begun], steps)
    return histories


def robbed_and_broken(sessions: FakeSessions, steps: int) -> Histories:
    """Go through the same, with lost rows and settings that change; of being served twice nothing is said then."""
    histories = Histories(sessions, tuple(POLICIES), events=True)
    begun = ((1, False), (3, True))
    histories.run([histories.begin("offer", thief=(OTHER_KEY,), rotations=n, is_bound=b) for n, b in begun], steps)
    return histories
