"""A watchdog device that is played: Patroni's own driver for tests writes to a pipe what it would tell the kernel's.

Who lets its time run out is killed with all that it runs, as a machine that is reset.
"""

import os
import re
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

_CLOSED = b"V"
"""The last byte to a device that is not needed any more."""


class Watchdog(threading.Thread):
    """One node's device. It waits for a first sign of life."""

    def __init__(self, device: Path, reset: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        os.mkfifo(device)
        device.chmod(0o666)
        self._pipe = os.open(device, os.O_RDWR | os.O_NONBLOCK)  # to write, too, or it would end with its first writer
        self._reset = reset
        self._has_ended = threading.Event()
        self.fired_at: float | None = None
        """When it has reset its node, on the monotonic clock."""
        self.timeout = 60.0
        self.start()

    def run(self) -> None:
        deadline: float | None = None
        while not self._has_ended.is_set():
            if select.select([self._pipe], [], [], 0.05)[0]:
                said = os.read(self._pipe, 4096)
                if told := re.search(rb"timeout=(\d+)", said):
                    self.timeout = float(told[1])
                deadline = None if said.endswith(_CLOSED) else time.monotonic() + self.timeout
            elif deadline is not None and time.monotonic() > deadline:
                self.fired_at, deadline = time.monotonic(), None
                self._reset()

    def close(self) -> None:
        self._has_ended.set()
        self.join(30)
        os.close(self._pipe)
