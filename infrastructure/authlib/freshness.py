"""What a challenge says of time: when it was new. Nothing is stored, and the client's clock is never looked at."""

from ports.clock import Clock

_CLOCKS_DIFFER = 60
"""Seconds by which another server of this service may be ahead."""


class Freshness:
    """Tells when the present challenge was new, and whether one of that time is still accepted.

    After `new_for` seconds the next one takes its place; until then it is the same for everybody. It is accepted for
    `good_for` seconds from when it was new, so that whoever is given one has the difference at least.
    """

    def __init__(self, clock: Clock, *, new_for: int, good_for: int) -> None:
        self._clock = clock
        self._new_for = new_for
        self._good_for = good_for

    def new_at(self) -> int:
        """Return when the present challenge was new."""
        now = self._clock.now()
        return now - now % self._new_for

    def accepts(self, new_at: int) -> bool:
        """Tell whether a challenge that was new then is one of the last minutes."""
        return -_CLOCKS_DIFFER <= self._clock.now() - new_at < self._good_for
