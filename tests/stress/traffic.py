"""Requests at a steady rate, whatever becomes of those before them, each on a session and a connection of its own."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

from tests.e2e.client import Client


@dataclass
class Traffic:
    """What became of the requests."""

    statuses: list[int] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When a request was begun that was not answered with 200, by the monotonic clock, and why."""
    seconds: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """Return how long a request took in seconds, `percent` of all taking no longer."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


Pick = Callable[[], str]


@contextmanager
def traffic(pick: Pick, tokens: Sequence[str], *, per_second: float) -> Iterator[Traffic]:
    """Refresh sessions in turn at a steady rate while the block runs. `pick` names the server for each request."""
    seen = Traffic()
    stop = threading.Event()
    jar = list(tokens)
    free = [threading.Lock() for _ in jar]

    def request(number: int) -> None:
        with free[number]:
            begun = time.monotonic()
            try:
                with Client(pick()) as client:
                    answer = client.refresh(jar[number])
            except (OSError, HTTPException) as error:
                why = "refused" if isinstance(error, ConnectionRefusedError) else repr(error)
                seen.failures.append((begun, why))
                return
            seen.seconds.append(time.monotonic() - begun)
            seen.statuses.append(answer.status)
            if answer.status == 200:
                jar[number] = answer.refresh_token
            else:
                seen.failures.append((begun, str(answer.status)))

    def drive(pool: ThreadPoolExecutor, sent: list[Future[None]]) -> None:
        begun = time.monotonic()
        for count in itertools.count():
            if stop.wait(max(0, begun + count / per_second - time.monotonic())):
                return
            sent.append(pool.submit(request, count % len(jar)))

    sent: list[Future[None]] = []
    with ThreadPoolExecutor(32) as pool:
        driver = threading.Thread(target=drive, args=(pool, sent))
        driver.start()
        try:
            yield seen
        finally:
            stop.set()
            driver.join()
            for future in sent:
                future.result()
