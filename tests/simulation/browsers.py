"""Honest browsers, event by event.

A session is one cookie jar that several tabs share. Each wake-up makes some of the tabs refresh, one shortly after
another. Requests and answers travel for a while, some for seconds; some are lost; a tab that is reloaded forgets its
request, and the answer's cookie may or may not still be stored. Events have fractions of a second, the server's clock
has none.
"""

import heapq
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TypeAlias

from tests.fakes.clock import START
from tests.simulation.rules import Rule, Served

Process: TypeAlias = Generator[float, None, None]
"""Something that goes on: it yields how many seconds pass until it acts again."""

MINUTE, HOUR = 60.0, 3600.0
RETRIES = (2.0, 31.0, 5 * MINUTE)
"""What a tab waits before it tries again; after the last of them it waits for the next morning."""
GIVE_UP_AFTER = 10.0
"""How long a tab waits for an answer that is lost."""


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad the network is, and the habits of the user."""

    lost: float = 0.02
    slow: float = 0.05
    slow_by: float = 2.0
    """Mean of the exponential tail that a slow journey adds, in seconds."""
    slowest: float = 10.0
    """What no journey exceeds."""
    reloads: float = 0.03
    most_tabs: int = 5
    overtaking: bool = False
    """Whether an answer may overtake an earlier one, as on two connections; on one of HTTP/2 it cannot."""


IN_ORDER = Weather()
OVERTAKING = Weather(overtaking=True)
AWFUL = Weather(lost=0.05, slow=0.1, slow_by=4.0, slowest=60.0, most_tabs=8, overtaking=True)


@dataclass(kw_only=True)
class Journal:
    """What happened in a session."""

    requests: int = 0
    refused: str | None = None
    """Who was refused, which ended the session."""
    wake_ups: int = 0


def seeded(seed: int) -> Random:
    """Return the chance of one session: the same seed, the same story."""
    return Random(seed)  # noqa: S311  no secret hangs on it


class Timeline:
    """Runs processes in the order of their events."""

    def __init__(self) -> None:
        self.time = float(START)
        self._order = count()
        self._due: list[tuple[float, int, Process]] = []

    def spawn(self, process: Process, after: float = 0.0) -> None:
        heapq.heappush(self._due, (self.time + after, next(self._order), process))

    def run(self) -> None:
        due, order = self._due, self._order
        while due:
            self.time, _, process = heapq.heappop(due)
            for delay in process:
                heapq.heappush(due, (self.time + delay, next(order), process))
                break

    def stop(self) -> None:
        self._due.clear()


class Browser:
    """One honest user with one cookie jar."""

    def __init__(
        self, rule: Rule, random: Random, *, wake_ups: int, weather: Weather, timeline: Timeline | None = None
    ) -> None:
        self.rule, self.random, self.weather = rule, random, weather
        self.timeline = timeline or Timeline()
        self.tabs = random.randint(1, weather.most_tabs)
        self.jar = rule.sign_in(int(self.timeline.time))
        self.issued = [self.jar]
        self.parents: dict[str, str] = {}
        """Which token each token was traded for, whoever did it."""
        self.journal = Journal()
        self.watch: Callable[[str, Served | None], None] | None = None
        """Is told of every answer, and to whom it was given."""
        self._last_arrival = self.timeline.time
        self.is_over = False
        self.timeline.spawn(self._live(wake_ups))

    def _live(self, wake_ups: int) -> Process:
        random, timeline = self.random, self.timeline
        for _ in range(wake_ups):
            self.journal.wake_ups += 1
            spread = random.choice((0.05, 1.0, 5.0, 20.0))
            for _ in range(random.randint(1, self.tabs)):
                timeline.spawn(self._refresh(), random.uniform(0.0, spread))
            yield self._pause()
        self.is_over = True

    def _pause(self) -> float:
        """Return how long until the user's next wake-up: mostly the life of an access token."""
        kind = self.random.random()
        if kind < 0.6:
            return 15 * MINUTE
        if kind < 0.7:
            return self.random.uniform(5.0, 60.0)
        if kind < 0.92:
            return self.random.uniform(0.5, 3.0) * HOUR
        return self.random.uniform(8.0, 14.0) * HOUR

    def _refresh(self) -> Process:
        """One tab's effort until it has an answer. What it sends is whatever the jar holds when it sends."""
        random, weather = self.random, self.weather
        for attempt in count():
            there, back = self._journey(), self._journey()
            if random.random() < weather.reloads:
                # Its answer is forgotten by the page, but the browser may have stored the cookie already.
                after = random.uniform(0.0, there + back)
                self.timeline.spawn(self._travel(there, back, stored=random.random() < 0.5))
                yield after + 0.3
                continue
            if random.random() >= weather.lost:
                yield from self._travel(there, back)
                return
            arrives = random.random() < 0.5
            if arrives:
                self.timeline.spawn(self._travel(there, back, stored=False))
            yield GIVE_UP_AFTER + (RETRIES[attempt] if attempt < len(RETRIES) else random.uniform(8.0, 14.0) * HOUR)

    def _travel(self, there: float, back: float, *, stored: bool = True) -> Process:
        presented = self.jar
        yield there
        answer = self.ask(presented)
        if stored and answer is not None:
            now = self.timeline.time
            arrival = now + back if self.weather.overtaking else max(now + back, self._last_arrival)
            self._last_arrival = arrival
            yield arrival - now
            self.jar = answer.token

    def ask(self, presented: str, who: str = "client") -> Served | None:
        """Let the server answer at once, and note what it did. A refusal is the end of the story."""
        self.journal.requests += 1
        answer = self.rule.refresh(presented, int(self.timeline.time))
        if answer is None:
            self.journal.refused = who
            self.timeline.stop()
        else:
            self.issued.append(answer.token)
            if not answer.shared:
                self.parents[answer.token] = presented
        if self.watch is not None:
            self.watch(who, answer)
        return answer

    def _journey(self) -> float:
        random, weather = self.random, self.weather
        base = 0.02 + random.expovariate(20.0)
        if random.random() >= weather.slow:
            return base
        return min(base + random.expovariate(1 / weather.slow_by), weather.slowest)
