"""Where a worker's figures are kept: in the library's own files, reached in memory.

The library finds a figure's place anew and asks for the process's number each time that it counts, which would be most
of what metrics cost. A worker here knows its number, and each figure its place.
"""

import os
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict, mmap_key

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder of the files. Whoever starts several workers sets it, and begins with an empty one."""
SLOT_VARIABLE = "PROMETHEUS_WORKER_SLOT"
"""Numbers a worker, from 1. Without it the library names files by process, and each worker that dies leaves some."""


def number_this_worker(slot: int) -> None:
    """Count in the files of `slot`, which no living worker shares, and go on from what an earlier one left there."""
    folder, files = Path(os.environ[FOLDER_VARIABLE]), dict[str, _File]()

    class Figure(_Figure):
        __slots__ = ()

        def __init__(self, kind: str, *named: Any) -> None:
            if kind not in files:
                files[kind] = _File(str(folder / f"{kind}_{slot}.db"))  # type: ignore[no-untyped-call]
            super().__init__(files[kind], mmap_key(*named))

    values.ValueClass = Figure


class _File(MmapedDict):
    """All of a worker's figures of one kind."""

    def place_of(self, key: str) -> tuple["memoryview[float]", int]:
        """Return the memory of the figure called `key`, as numbers, and its index there. A new figure is 0."""
        self.read_value(key)  # type: ignore[no-untyped-call]
        # When the file outgrows its memory the library maps it once more: what was mapped before stays the same file.
        return memoryview(self._m).cast("d"), self._positions[key] // 8


_LOCK = Lock()
"""Held for one sum at a time, so that one is enough for all of them, and stays in the processor's cache."""


class _Figure:
    """A sum that several threads may add to. It takes the place of the library's own class of values."""

    __slots__ = ("_index", "_numbers")

    def __init__(self, file: _File, key: str) -> None:
        self._numbers, self._index = file.place_of(key)

    def inc(self, amount: float) -> None:
        """Add `amount`. Eight bytes that are written at once: who reads the file sees the sum before or after."""
        with _LOCK:
            self._numbers[self._index] += amount

    def get(self) -> float:
        """Return the sum."""
        return float(self._numbers[self._index])

    def get_exemplar(self) -> None:
        """Return nothing: there are no exemplars over several processes."""
