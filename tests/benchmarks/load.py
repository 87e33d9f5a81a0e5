"""The load: clients that refresh over keep-alive connections, each with the token of its last answer.

A process of its own (`python load.py < job.json`), one thread, raw sockets: it must not be what is measured, so it
reports its own share of a processor. The job's fields are those of `Job`, the report's those of `Report`.
"""

import gc
import json
import os
import random
import select
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_LONGEST_WAIT = 30.0
"""Seconds without any answer after which a server counts as broken."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to send, to whom, how long and how fast.

    `head` and `body` make a request, with the token in place of `{token}` and the body's size in place of `{length}`.
    `token_name` is what an answer calls the next token. Without a `rate`, in requests a second, each client sends as
    soon as it has its answer; with one, requests fall due at random (a Poisson process), and a request's time counts
    from when it fell due, so that a server that stalls cannot hide it.
    """

    port: int
    head: str
    tokens: list[str]
    token_name: str
    seconds: float
    body: str = ""
    warm_up: float = 1.0
    rate: float | None = None
    server_pids: list[int] = field(default_factory=list)
    store_pids: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened after the warm-up. Times are in seconds, shares in parts of one processor."""

    requests: int
    seconds: float
    p50: float
    p90: float
    p99: float
    p999: float
    longest: float
    server_cpu: float
    store_cpu: float
    generator_share: float
    tokens: list[str]
    """The clients' tokens now, so that a next load can go on with them."""


class _Client:
    """One session, and its connection while it has one."""

    def __init__(self, job: Job, token: str) -> None:
        self._job = job
        self.token = token
        self._marker = f'"{job.token_name}"'.encode()
        self._received = b""
        self.connection: socket.socket | None = None
        self.started = 0.0

    def send(self, started: float) -> socket.socket | None:
        """Send the next request; return the connection if a new one had to be opened for it."""
        self.started = started
        body = self._job.body.replace("{token}", self.token)
        head = self._job.head.replace("{token}", self.token).replace("{length}", str(len(body)))
        opened = None
        if self.connection is None:
            opened = self.connection = socket.create_connection(("127.0.0.1", self._job.port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(f"{head}{body}".encode("ascii"))
        return opened

    def receive(self) -> bool:
        """Take what has come; tell whether the answer is complete."""
        assert self.connection is not None
        data = self._received + self.connection.recv(65536)
        if not data or not data.startswith(b"HTTP/1.1 200 "[: len(data)]):
            raise RuntimeError(f"not the answer of a refresh: {data[:600]!r}")
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end].lower()
        at = head.find(b"content-length:") + 15
        if end < 4 or len(data) < end + int(head[at : head.index(b"\r\n", at)]):
            self._received = data
            return False
        self._received = b""
        at = data.find(self._marker, end)
        if at >= 0:
            at = data.index(b'"', at + len(self._marker)) + 1
            self.token = data[at : data.index(b'"', at)].decode("ascii")
        if b"connection: close" in head:
            self.connection.close()
            self.connection = None
        return True


class _Crowd:
    """All clients in one loop."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._poll = select.epoll()
        self._idle = [_Client(job, token) for token in job.tokens]
        self._busy: dict[int, _Client] = {}
        self._random = random.Random(1)  # noqa: S311  the same arrivals for every server

    def measure(self) -> Report:
        """Warm the server up, then note the processors' time around the load that counts."""
        job = self._job
        self._refresh_for(job.warm_up)
        server_before, store_before, own_before = _cpu(job.server_pids), _cpu(job.store_pids), time.process_time()
        started = time.perf_counter()
        times = sorted(self._refresh_for(job.seconds))
        seconds = time.perf_counter() - started
        return Report(
            requests=len(times),
            seconds=seconds,
            p50=_quantile(times, 0.5),
            p90=_quantile(times, 0.9),
            p99=_quantile(times, 0.99),
            p999=_quantile(times, 0.999),
            longest=times[-1],
            server_cpu=_cpu(job.server_pids) - server_before,
            store_cpu=_cpu(job.store_pids) - store_before,
            generator_share=(time.process_time() - own_before) / seconds,
            tokens=[client.token for client in self._idle],
        )

    def _refresh_for(self, seconds: float) -> list[float]:
        """Keep the load up for a while, let the last answers come, and return how long each took."""
        times: list[float] = []
        waiting: deque[float] = deque()
        rate = self._job.rate
        now = due = time.perf_counter()
        until = now + seconds
        while now < until or self._busy:
            if rate is None:
                while self._idle and now < until:
                    self._send(now)
            else:
                while due <= now and due < until:
                    waiting.append(due)
                    due += self._random.expovariate(rate)
                while waiting and self._idle:
                    self._send(waiting.popleft())
                # Unlike epoll's own, this timeout is finer than a millisecond.
                select.select([self._poll], [], [], max(0.0, min(due, until) - now))
            events = self._poll.poll(_LONGEST_WAIT if rate is None or now >= until else 0)
            now = time.perf_counter()
            for number, _ in events:
                client = self._busy[number]
                if client.receive():
                    times.append(now - client.started)
                    self._idle.append(self._busy.pop(number))
        return times

    def _send(self, started: float) -> None:
        client = self._idle.pop()
        if opened := client.send(started):
            self._poll.register(opened, select.EPOLLIN)
        assert client.connection is not None
        self._busy[client.connection.fileno()] = client


def _quantile(times: list[float], q: float) -> float:
    return times[min(len(times) - 1, int(q * len(times)))]


def _cpu(pids: list[int]) -> float:
    """Return the processor time that processes have used, and those of their children that have ended."""
    total = 0
    for pid in pids:
        # A database server's helper may have ended since: its time is its parent's now.
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total * _TICK


def main() -> None:
    """Read a job, do it, print the report."""
    gc.disable()
    job = Job(**json.load(sys.stdin))
    json.dump(asdict(_Crowd(job).measure()), sys.stdout)


if __name__ == "__main__":
    main()
