"""Many simulated sessions at once, on all cores if asked, and what came of them in figures."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from statistics import median
from typing import TypeVar

from tests.simulation.browsers import HOUR, Browser, Weather, seeded
from tests.simulation.rules import GRACES, RULES
from tests.simulation.thieves import SOURCES, Loot, Thief

_PROCESSES = 2
_RULES = RULES | GRACES
_Result = TypeVar("_Result")


@dataclass
class Tally:
    """Honest sessions: how many there were, how many of them ended in a refusal."""

    sessions: int = 0
    killed: int = 0
    wake_ups: int = 0
    requests: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.sessions + other.sessions,
            self.killed + other.killed,
            self.wake_ups + other.wake_ups,
            self.requests + other.requests,
        )

    def __str__(self) -> str:
        return (
            f"{self.killed:,} of {self.sessions:,} honest sessions killed"
            f" ({self.wake_ups:,} wake-ups, {self.requests:,} requests)"
        )


@dataclass
class Plunder:
    """Stolen sessions: how they ended, and how much the thieves got."""

    ends: Counter[str] = field(default_factory=Counter)
    served: list[int] = field(default_factory=list)
    """How many answers each caught thief had got."""
    after_parting: list[int] = field(default_factory=list)
    """How many of them later than a grace after the two had parted."""

    def __add__(self, other: "Plunder") -> "Plunder":
        return Plunder(self.ends + other.ends, self.served + other.served, self.after_parting + other.after_parting)

    def __str__(self) -> str:
        ends = ", ".join(f"{count:,} {end}" for end, count in sorted(self.ends.items()))
        if not self.served:
            return f"{self.ends.total():,} thefts: {ends}"
        served, most = sorted(self.served), max(self.after_parting)
        return (
            f"{self.ends.total():,} thefts: {ends}; answers to a thief until caught: median {median(served):g},"
            f" p95 {served[len(served) * 95 // 100]}, most {served[-1]}; after the parting: most {most}"
        )


def honest(rule: str, seeds: Sequence[int], wake_ups: int, weather: Weather) -> Tally:
    """Run one session for each seed. Equal arguments give equal results."""
    tally = Tally()
    for seed in seeds:
        browser = Browser(_RULES[rule](), seeded(seed), wake_ups=wake_ups, weather=weather)
        browser.timeline.run()
        journal = browser.journal
        tally += Tally(1, journal.refused is not None, journal.wake_ups, journal.requests)
    return tally


def stolen(rule: str, seeds: Sequence[int], wake_ups: int, weather: Weather) -> Plunder:
    """Run one session with a thief for each seed: every source of tokens, thieves who come once and who stay."""
    plunder = Plunder()
    for seed in seeds:
        random = seeded(seed)
        browser = Browser(_RULES[rule](), random, wake_ups=wake_ups, weather=weather)
        loot = Loot(source=SOURCES[seed % 3], persistent=bool(seed // 3 % 2))
        thief = Thief(browser, random, loot)
        browser.timeline.spawn(thief.live(random.uniform(0.0, wake_ups / 2 * HOUR)))
        browser.timeline.run()
        plunder.ends[_end_of(browser, loot)] += 1
        if browser.journal.refused:
            plunder.served.append(loot.served)
            plunder.after_parting.append(loot.served_after_parting)
    return plunder


def _end_of(browser: Browser, loot: Loot) -> str:
    if loot.escaped:
        return "escaped"
    if browser.journal.refused:
        return "caught"
    if loot.parted:
        return "silent after parting"
    return "never parted"


def on_all_cores(
    work: Callable[[str, Sequence[int], int, Weather], _Result],
    rule: str,
    sessions: int,
    wake_ups: int,
    weather: Weather,
) -> list[_Result]:
    """Split the sessions between processes that share nothing, and return what each of them made of its part."""
    parts = [range(first, sessions, _PROCESSES) for first in range(_PROCESSES)]
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, rule, part, wake_ups, weather) for part in parts]
        return [future.result() for future in futures]
