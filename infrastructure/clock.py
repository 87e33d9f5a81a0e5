"""The clock of this machine."""

import time

from ports.clock import Clock


class SystemClock(Clock):
    """Reads the operating system's clock, which is expected to be kept by NTP."""

    def now(self) -> int:
        """Return the whole seconds since the epoch, UTC."""
        return int(time.time())
