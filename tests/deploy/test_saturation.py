"""Twice as many refreshes as the service can do: what it cannot do it refuses at once, and what it answers is right.

A database that is far away makes the peak so low that one machine can send twice as much and measure it. What happens
past it is the same at every speed: the queue is as long as gunicorn's backlog allows, and no longer.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from entrypoints.gunicorn import conf
from tests.e2e.client import Client
from tests.e2e.nginx import ProxiedNuovo
from tests.figures import Figures
from tests.stores import Stores

ONE_WAY = 0.004
"""Seconds that each message between Nuovo and its database takes."""
SESSIONS = 300
WORKERS = 2
SECONDS = 12.0


class FarAway:
    """A TCP proxy that makes a database far away."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
            await asyncio.sleep(0.1)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection(*self._to)
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while some := await reader.read(1 << 16):
                await asyncio.sleep(ONE_WAY)
                writer.write(some)
                await writer.drain()
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and how long it took."""

    status: int
    seconds: float
    retry_after: bool


class Devices:
    """Sessions that refresh whenever they are told to, each with the last token that it was given."""

    def __init__(self, nuovo: ProxiedNuovo) -> None:
        self._nuovo = nuovo
        with Client(nuovo.inner_url) as client:
            signed_in = (client.sign_in(nuovo.service_credential, "ada") for _ in range(SESSIONS))
            self.tokens = [answer.refresh_token for answer in signed_in]

    async def at_a_rate(self, rate: float, seconds: float) -> list[Answer]:
        """Send so many requests a second, whatever becomes of them."""
        begun, requests = time.monotonic(), list[asyncio.Task[Answer]]()
        while (elapsed := time.monotonic() - begun) < seconds:
            while len(requests) < elapsed * rate:
                requests.append(asyncio.create_task(self._refresh(len(requests) % SESSIONS)))
            await asyncio.sleep(0.005)
        return list(await asyncio.gather(*requests))

    async def as_fast_as_they_are_answered(self, at_once: int, seconds: float) -> list[Answer]:
        """Send the next request when one is answered."""
        until = time.monotonic() + seconds

        async def one(number: int) -> list[Answer]:
            answers = []
            while time.monotonic() < until:
                answers.append(await self._refresh(number))
            return answers

        return [answer for some in await asyncio.gather(*map(one, range(at_once))) for answer in some]

    async def _refresh(self, number: int) -> Answer:
        begun = time.monotonic()
        address = urlsplit(self._nuovo.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        token = self.tokens[number]
        head = f"POST /refresh_token HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(-1)
        writer.close()
        head_of, _, body = answer.partition(b"\r\n\r\n")
        status = int(head_of.split(b" ", 2)[1])
        if status == 200:
            self.tokens[number] = orjson.loads(body)["data"]["refresh_token"]
        return Answer(status, time.monotonic() - begun, b"retry-after: 1" in head_of.lower())


@pytest.fixture
def nuovo(stores: Stores, tmp_path: Path) -> Iterator[ProxiedNuovo]:
    url = stores["postgres"].new()
    parts = urlsplit(url)
    far_away = FarAway(parts.hostname or "127.0.0.1", parts.port or 5432)
    far_url = url.replace(f":{parts.port}/", f":{far_away.port}/")
    try:
        with ProxiedNuovo(tmp_path, far_url, workers=WORKERS) as nuovo:
            assert nuovo.run("users", "add", "ada").returncode == 0
            yield nuovo
    finally:
        far_away.close()


def test_twice_the_peak(nuovo: ProxiedNuovo, figures: Figures) -> None:
    devices = Devices(nuovo)
    alone = asyncio.run(devices.as_fast_as_they_are_answered(1, 2))
    usual = sorted(answer.seconds for answer in alone)[len(alone) // 2]
    busy = asyncio.run(devices.as_fast_as_they_are_answered(16 * WORKERS, 5))
    assert {answer.status for answer in alone + busy} == {200}
    peak = len(busy) / 5

    flood = asyncio.run(devices.at_a_rate(2 * peak, SECONDS))
    ended = time.monotonic()

    served = [answer for answer in flood if answer.status == 200]
    shed = [answer for answer in flood if answer.status == 503]
    assert len(served) + len(shed) == len(flood)
    assert shed, "it was not past its peak"
    assert all(answer.retry_after for answer in shed)
    longest = max(answer.seconds for answer in flood)
    in_queue = conf.backlog / peak
    figures.add(
        "twice the peak",
        f"peak {peak:.0f}/s; sent {len(flood) / SECONDS:.0f}/s; served {len(served) / SECONDS:.0f}/s,"
        f" refused {len(shed) / len(flood):.0%}; longest {longest:.2f} s, a full queue is {in_queue:.2f} s",
    )
    assert len(served) / SECONDS > peak / 2
    assert longest < 2 * in_queue + 2

    # Nobody was logged out, and the next request is served as if nothing had been.
    again = asyncio.run(devices.as_fast_as_they_are_answered(1, 1))
    recovered_after = time.monotonic() - ended
    assert sorted(answer.seconds for answer in again)[len(again) // 2] < 3 * usual + 0.1
    assert recovered_after < 5
    with Client(nuovo.url) as client:
        for token in devices.tokens:
            assert client.refresh(token).status == 200
