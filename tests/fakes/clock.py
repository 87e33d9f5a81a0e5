"""A clock that stands still until it is told to move."""

from ports.clock import Clock

START = 1_800_000_000


class FakeClock(Clock):
    def __init__(self, now: int = START) -> None:
        self.time = now

    def now(self) -> int:
        return self.time

    def advance(self, seconds: int) -> None:
        self.time += seconds
