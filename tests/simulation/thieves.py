"""A thief beside an honest browser: any token, stolen at any time, used at any time, once or again and again."""

from dataclasses import dataclass, field
from random import Random

from tests.simulation.browsers import HOUR, MINUTE, Browser, Process
from tests.simulation.rules import GRACE, Served

SOURCES = ("jar", "backup", "log")
"""The cookie jar as it is; an older copy of it; anything that was ever sent."""


@dataclass(kw_only=True)
class Loot:
    """What a thief made of it."""

    source: str
    persistent: bool
    served: int = 0
    parted: bool = False
    """Whether the two ever held tokens of which neither came of the other."""
    served_after_parting: int = 0
    client_after_parting: int = 0
    escaped: bool = False
    """Whether both were served again, later than a grace after they had parted."""


@dataclass
class Thief:
    """Steals once; asks now and then. Watches the client, which no real thief can, to tell when the two part."""

    browser: Browser
    random: Random
    loot: Loot
    held: list[str] = field(default_factory=list)
    _parted_at: float | None = None
    _spoke: set[str] = field(default_factory=set)

    def live(self, first_at: float) -> Process:
        """Steal at `first_at` seconds from now, use it sooner or later, and go on if persistent."""
        browser, random = self.browser, self.random
        yield first_at
        self.held = [self._steal()]
        browser.watch = self.heard
        yield self._patience()
        while not browser.is_over:
            presented = self.held[-1] if random.random() < 0.9 else random.choice(self.held)
            answer = browser.ask(presented, "thief")
            if answer is None or not self.loot.persistent:
                return
            self.held.append(answer.token)
            yield self._patience()

    def heard(self, who: str, answer: Served | None) -> None:
        """Keep account of what happens after the two have parted."""
        loot, browser, now = self.loot, self.browser, self.browser.timeline.time
        if answer is None:
            return
        loot.served += who == "thief"
        mine = answer.token if who == "thief" else self.held[-1]
        if self._in_line(mine, answer.token if who == "client" else browser.jar):
            self._parted_at = None
            self._spoke.clear()
            return
        loot.parted = True
        if self._parted_at is None:
            self._parted_at = now
        elif now > self._parted_at + GRACE + 1:
            self._spoke.add(who)
            loot.served_after_parting += who == "thief"
            loot.client_after_parting += who == "client"
            loot.escaped = loot.escaped or len(self._spoke) == 2

    def _in_line(self, a: str, b: str) -> bool:
        return self._descends(a, b) or self._descends(b, a)

    def _descends(self, token: str, ancestor: str) -> bool:
        while token != ancestor:
            parent = self.browser.parents.get(token)
            if parent is None:
                return False
            token = parent
        return True

    def _steal(self) -> str:
        browser = self.browser
        if self.loot.source == "jar":
            return browser.jar
        if self.loot.source == "backup":
            return self.random.choice(browser.issued[-5:])
        return self.random.choice(browser.issued)

    def _patience(self) -> float:
        """Return how long the thief waits: at once, within a grace, minutes, or hours."""
        random = self.random
        return random.choice(
            (
                random.uniform(0.0, 2.0),
                random.uniform(2.0, GRACE),
                random.uniform(GRACE, 15 * MINUTE),
                random.uniform(0.25, 12.0) * HOUR,
            )
        )
