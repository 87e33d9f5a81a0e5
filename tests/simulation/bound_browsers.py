"""Browsers that bind their session to a key of their device, and thieves beside them.

A browser takes the offer of a binding, and from then on holds a presence of 300 s. One that is missing is renewed when
a request needs it; the request waits for that, and goes out without if it cannot be done. The key outlives restarts,
but a proxy's stray answer may make the browser forget it.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TypeAlias

from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from tests.simulation.browsers import GIVE_UP_AFTER, HOUR, RETRIES, Browser, Process, Weather, seeded
from tests.simulation.rules import NotProven, Nuovo, Served
from tests.simulation.thieves import Loot, Thief

Answer: TypeAlias = Served | NotProven | None
PRESENCE_TTL = 300.0
_THIEFS_KEY = "T" * 43


@dataclass(frozen=True, kw_only=True)
class Device:
    """What may go wrong between the browser's binding and the service."""

    fails: float = 0.05
    """How often an exchange for a presence fails; the browser tries three times."""
    away: float = 0.005
    """How often it fails until the request goes out without presence, whatever the browser tries."""
    forgets: float = 0.0
    """How often its answer is one that makes the browser forget its key."""


class BoundBrowser(Browser):
    """As every browser, with one key and one presence for all of its tabs."""

    rule: Nuovo

    def __init__(
        self, rule: Nuovo, random: Random, *, wake_ups: int, weather: Weather, device: Device, binds: bool = True
    ) -> None:
        super().__init__(rule, random, wake_ups=wake_ups, weather=weather)
        self.device, self.binds = device, binds
        self.key: str | None = None
        self.presence_until = 0.0
        self.is_locked_out = False
        """Whether the browser has lost the key to which its session is bound: its user signs in again."""
        self.refused = 0
        self._keys = count()
        self._is_registering = False
        self._session = rule.session_of(self.jar)

    def presence(self, key: str | None, until: float) -> ProvenKey | None:
        """Return what a presence proves that the browser had when it sent a request."""
        if key is None or until <= self.timeline.time:
            return None
        return ProvenKey(thumbprint=key, session_id=self._session)

    def prove(self, presented: str, who: str, proven: ProvenKey | None) -> Answer:
        """Let the server answer at once, and note what it did."""
        self.journal.requests += 1
        answer = self.rule.prove(presented, int(self.timeline.time), proven)
        if answer is None:
            self.journal.refused = who
            self.timeline.stop()
        elif isinstance(answer, Served):
            self.issued.append(answer.token)
            if not answer.shared:
                self.parents[answer.token] = presented
        if self.watch is not None and not isinstance(answer, NotProven):
            self.watch(who, answer)
        return answer

    def _refresh(self) -> Process:
        random, weather = self.random, self.weather
        for attempt in count():
            yield from self._renew()
            there, back = self._journey(), self._journey()
            if random.random() < weather.reloads:
                after = random.uniform(0.0, there + back)
                self.timeline.spawn(self._alone(there, back, stored=random.random() < 0.5))
                yield after + 0.3
                continue
            if random.random() >= weather.lost:
                if (yield from self._exchange(there, back, stored=True)):
                    return
            elif random.random() < 0.5:
                self.timeline.spawn(self._alone(there, back, stored=False))
            # Told to prove its key, or without an answer: wait, and try again.
            yield GIVE_UP_AFTER + (RETRIES[attempt] if attempt < len(RETRIES) else random.uniform(8.0, 14.0) * HOUR)

    def _alone(self, there: float, back: float, *, stored: bool) -> Process:
        yield from self._exchange(there, back, stored=stored)

    def _exchange(self, there: float, back: float, *, stored: bool) -> Generator[float, None, bool]:
        """Send what the jar holds; return whether that is the end of the matter: there are tokens, or never will be."""
        presented, key, until = self.jar, self.key, self.presence_until
        yield there
        proven = self.presence(key, until)
        answer = self.prove(presented, "client", proven)
        if answer is None or not stored:
            return True
        now = self.timeline.time
        arrival = now + back if self.weather.overtaking else max(now + back, self._last_arrival)
        self._last_arrival = arrival
        yield arrival - now
        if answer.may_bind and self.binds and self.key is None and not self._is_registering:
            self._is_registering = True
            self.timeline.spawn(self._register())
        if isinstance(answer, Served):
            self.jar = answer.token
            return True
        self.refused += 1
        # Its key is gone, or it has another than the one that the session was bound to.
        if not answer.may_bind and (self.key is None or proven is not None):
            self.is_locked_out = True
            self.timeline.stop()
        return self.is_locked_out

    def _register(self) -> Process:
        yield self._journey() + self._journey()
        self._is_registering = False
        if self.random.random() >= self.device.fails:
            self.key = f"{next(self._keys):043d}"
            self.presence_until = self.timeline.time + PRESENCE_TTL

    def _renew(self) -> Process:
        """Renew a presence that is missing; or let the request go without."""
        random, device = self.random, self.device
        if self.key is None or self.presence_until > self.timeline.time or random.random() < device.away:
            return
        for _ in range(3):
            yield self._journey() + self._journey()
            chance = random.random()
            if chance < device.forgets:
                self.key = None
                return
            if chance >= device.forgets + device.fails:
                self.presence_until = self.timeline.time + PRESENCE_TTL
                return


KINDS = ("the refresh cookie alone", "both cookies", "a key of their own")


@dataclass
class BoundThief(Thief):
    """Has stolen one or both cookies, or binds the session to a key of their own as soon as that is offered."""

    browser: BoundBrowser
    kind: str = KINDS[0]
    presence: ProvenKey | None = None
    presence_until: float = 0.0
    too_late: int = 0
    """How often a bound token was served to the thief after the presence that they stole had ended."""
    not_proven: int = 0
    of_bound: int = 0
    """How often they were served with a bound token."""

    def live(self, first_at: float) -> Process:
        browser = self.browser
        yield first_at
        self.held = [self._steal()]
        if self.kind == KINDS[1]:
            self.presence_until = browser.presence_until
            self.presence = browser.presence(browser.key, browser.presence_until)
        browser.watch = self.heard
        yield self._patience()
        while not browser.is_over and self.not_proven < 20:
            presented = self.held[-1]
            has_presence = self.kind == KINDS[2] or browser.timeline.time < self.presence_until
            answer = browser.prove(presented, "thief", self.presence if has_presence else None)
            if answer is None:
                return
            if answer.may_bind and self.kind == KINDS[2] and self.presence is None:
                self.presence = ProvenKey(thumbprint=_THIEFS_KEY, session_id=browser.rule.session_of(presented))
            if isinstance(answer, NotProven):
                self.not_proven += 1
            else:
                self.held.append(answer.token)
                is_bound = browser.rule.is_bound(presented)
                self.of_bound += is_bound
                self.too_late += is_bound and not (has_presence and self.presence is not None)
            yield self._patience()


@dataclass
class Outcome:
    """What became of sessions."""

    sessions: int = 0
    bound: int = 0
    killed: int = 0
    locked_out: int = 0
    refused: int = 0
    requests: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    too_late: int = 0
    of_bound: int = 0

    def __str__(self) -> str:
        told = f"{self.killed:,} of {self.sessions:,} honest sessions killed, {self.locked_out:,} locked out"
        return f"{told} ({self.bound:,} bound, {self.requests:,} requests, {self.refused:,} told to prove their key)"


def honest(policy: SessionPolicy, seeds: Sequence[int], wake_ups: int, weather: Weather, device: Device) -> Outcome:
    """Run one session for each seed; one in four browsers binds none, unless bindings are required."""
    outcome = Outcome()
    for seed in seeds:
        binds = policy.device_binding.value == "require" or seed % 4 != 3
        rule = Nuovo(policy)
        browser = BoundBrowser(rule, seeded(seed), wake_ups=wake_ups, weather=weather, device=device, binds=binds)
        browser.timeline.run()
        outcome.sessions += 1
        outcome.bound += rule.is_bound(browser.jar)
        outcome.killed += browser.journal.refused is not None
        outcome.locked_out += browser.is_locked_out
        outcome.refused += browser.refused
        outcome.requests += browser.journal.requests
    return outcome


def stolen(policy: SessionPolicy, kind: str, seeds: Sequence[int], wake_ups: int, weather: Weather) -> Outcome:
    """Run one session with a thief of a kind for each seed."""
    outcome = Outcome()
    for seed in seeds:
        random = seeded(seed)
        browser = BoundBrowser(Nuovo(policy), random, wake_ups=wake_ups, weather=weather, device=Device())
        loot = Loot(source="jar", persistent=True)
        thief = BoundThief(browser=browser, random=random, loot=loot, kind=kind)
        # A session is bound within an hour: half of the thieves come before, half come later.
        browser.timeline.spawn(thief.live(random.uniform(0.0, 0.5 * HOUR if seed % 2 else wake_ups / 2 * HOUR)))
        browser.timeline.run()
        end = _end_of(browser, thief)
        outcome.sessions += 1
        outcome.ends[end] = outcome.ends.get(end, 0) + 1
        outcome.too_late += thief.too_late
        outcome.of_bound += thief.of_bound
    return outcome


def _end_of(browser: BoundBrowser, thief: BoundThief) -> str:
    if thief.loot.escaped:
        return "escaped"
    if browser.journal.refused:
        return "caught"
    if browser.is_locked_out:
        return "the device is locked out"
    if thief.not_proven:
        return "worth nothing to the thief"
    return "silent after parting" if thief.loot.parted else "never parted"
