"""What a challenge says of time: when it was new. Nothing is stored, and the client's clock is never looked at."""

from ports.clock import Clock

_NEW_FOR = 300
"""Seconds after which the next challenge takes its place. Until then it is the same for everybody: Chromium signs six
times in nine minutes for one site, and counts no signature that it uses again."""
_GOOD_FOR = 600
"""Seconds from when it was new in which a challenge is accepted: five minutes and more for whoever is given it."""
_CLOCKS_DIFFER = 60
"""Seconds by which another server of this service may be ahead."""


class Freshness:
    """Tells when the present challenge was new, and whether one of that time is still accepted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new_at(self) -> int:
        """Return when the present challenge was new."""
        now = self._clock.now()
        return now - now % _NEW_FOR

    def accepts(self, new_at: int) -> bool:
        """Tell whether a challenge that was new then is one of the last minutes."""
        return -_CLOCKS_DIFFER <= self._clock.now() - new_at < _GOOD_FOR
