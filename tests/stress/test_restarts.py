"""Reloads, rolling restarts, stops and deaths under load, bare and behind nginx: no honest request goes unanswered."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from infrastructure.redis.address import Address
from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.nginx import SERVERS, Nginx, ProxiedNuovo, address_of
from tests.e2e.server import USER, Nuovo, wait_for
from tests.figures import Figures
from tests.stress.traffic import traffic

_PER_SECOND = 200
_ON_ITS_WAY = 0.05
"""Seconds that a request may need until the kernel has accepted it."""


@pytest.fixture(params=SERVERS, ids=list(SERVERS))
def nuovo(request: pytest.FixtureRequest, prepared_url: str, tmp_path: Path) -> Nuovo:
    """Return a service of two workers that does not run yet."""
    return SERVERS[request.param](tmp_path, prepared_url, workers=2)


@pytest.fixture
def where(kind: str, nuovo: Nuovo) -> str:
    """Return in words what the service has below it and in front of it, for the figures."""
    return f"{kind}, {'behind nginx' if isinstance(nuovo, ProxiedNuovo) else 'bare'}"


@pytest.mark.stress
def test_a_reload_fails_no_request(nuovo: Nuovo, where: str, figures: Figures) -> None:
    """SIGHUP, twice, at 200 requests a second: old workers finish what they have, new ones take over."""
    reloads = 2
    with nuovo:
        tokens = _sign_in(nuovo, 100)
        with traffic(lambda: nuovo.url, tokens, per_second=_PER_SECOND) as seen:
            for _ in range(reloads):
                nuovo.reload()
                time.sleep(0.5)
    assert seen.failures == []
    figures.add(
        f"SIGHUP at {_PER_SECOND} requests a second, {where}",
        f"{reloads} reloads, {len(seen.statuses):,} requests: 0 failed, p99 {seen.percentile(99) * 1000:.0f} ms",
    )


@pytest.mark.stress
def test_a_rolling_restart_fails_no_request(kind: str, databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """Two services over one database, as behind a balancer: each is taken out, stopped, started again and put back."""
    statuses: list[int] = []
    with _pair(Nuovo, kind, databases, tmp_path) as services:
        tokens = _sign_in(services[0], 100)
        balancer = [service.url for service in services]
        with traffic(lambda: random.choice(balancer), tokens, per_second=_PER_SECOND) as seen:  # noqa: S311  no secret
            for service in services:
                time.sleep(0.5)
                balancer.remove(service.url)
                statuses.append(service.stop())
                service.start()
                balancer.append(service.url)
            time.sleep(0.5)
    assert statuses == [0, 0]
    assert seen.failures == []
    figures.add(
        f"rolling restart at {_PER_SECOND} requests a second, {kind}",
        f"{len(seen.statuses):,} requests: 0 failed, p99 {seen.percentile(99) * 1000:.0f} ms",
    )


@pytest.mark.stress
def test_nginx_goes_on_with_whoever_is_there(kind: str, databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """One of two services is stopped, and one killed, without a word to nginx, which asks the other."""
    with _pair(_OnASocket, kind, databases, tmp_path) as services:
        first, second = services
        with Nginx(tmp_path, nuovo=(first.bind, second.bind), replaced={"rate=50r/s": "rate=100000r/s"}) as nginx:
            inner, public = (f"http://127.0.0.1:{port}" for port in (nginx.inner, nginx.public))
            with Client(inner) as client:
                tokens = [client.sign_in(first.service_credential, USER).refresh_token for _ in range(100)]
            with traffic(lambda: public, tokens, per_second=_PER_SECOND) as seen:
                time.sleep(0.5)
                assert first.stop() == 0
                time.sleep(0.5)
                first.spawn()
                first.await_log("Booting worker")
                time.sleep(1)
                second.kill()
                time.sleep(0.5)
    assert seen.failures == []
    figures.add(
        f"one of two stopped, then the other killed, behind nginx, {kind}",
        f"{len(seen.statuses):,} requests: 0 failed, p99 {seen.percentile(99) * 1000:.0f} ms",
    )


@pytest.mark.stress
def test_behind_nginx_nobody_notices_that_workers_die(
    kind: str, databases: Databases, tmp_path: Path, figures: Figures
) -> None:
    """Nginx asks once more, and the same refresh gets the same token."""
    kills = 10
    with ProxiedNuovo(tmp_path, databases.new(kind), workers=2) as nuovo:
        tokens = _sign_in(nuovo, 100)
        with traffic(lambda: nuovo.url, tokens, per_second=_PER_SECOND) as seen:
            for _ in range(kills):
                wait_for("both workers", lambda: len(nuovo.worker_pids) == 2)
                time.sleep(0.7)
                os.kill(nuovo.worker_pids.pop(), signal.SIGKILL)
    assert seen.failures == []
    figures.add(
        f"SIGKILL of a worker at {_PER_SECOND} requests a second behind nginx, {kind}",
        f"{kills} kills, {len(seen.statuses):,} requests: 0 failed, p99 {seen.percentile(99) * 1000:.0f} ms",
    )


def test_a_stop_answers_all_that_was_accepted(nuovo: Nuovo, where: str, prepared_url: str, figures: Figures) -> None:
    """SIGTERM while the store holds both workers, with more requests behind them: all are answered."""
    with nuovo:
        tokens = _sign_in(nuovo, 24)
        statuses: list[int] = []
        threads = [threading.Thread(target=_ask, args=(nuovo.url, token, statuses)) for token in tokens]
        with _holding_steps(prepared_url):
            for thread in threads:
                thread.start()
            wait_for("all requests to be on their way", lambda: _connections_to(nuovo.url) == len(tokens))
            time.sleep(0.2)
            nuovo.terminate()
            nuovo.await_log("Handling signal: term")
            time.sleep(0.2)
            assert statuses == [], "all of them are held"
        for thread in threads:
            thread.join()
        assert nuovo.wait() == 0
    assert statuses == [200] * len(tokens)
    figures.add(f"SIGTERM with {len(tokens)} requests under way, {where}", "all answered by 200")


@pytest.mark.stress
def test_a_stop_under_load_answers_all_that_was_accepted(nuovo: Nuovo, where: str, figures: Figures) -> None:
    """At 200 requests a second the only ones without a refresh are those that came when it was told to stop."""
    stops, answered, late = 3, 0, 0
    for _ in range(stops):
        with nuovo.start():
            tokens = _sign_in(nuovo, 60)
            with traffic(lambda: nuovo.url, tokens, per_second=_PER_SECOND) as seen:
                time.sleep(1)
                signalled = time.monotonic()
                nuovo.terminate()
                status = nuovo.ended()
            assert status == 0
        assert [why for begun, why in seen.failures if begun < signalled - _ON_ITS_WAY] == []
        answered += seen.statuses.count(200)
        late += len(seen.failures)
    figures.add(
        f"SIGTERM at {_PER_SECOND} requests a second, {where}",
        f"{stops} stops: {answered:,} answered by 200, {late} came later and were refused, 0 lost",
    )


@contextmanager
def _holding_steps(url: str) -> Iterator[None]:
    """Let each step of a session wait until the block ends."""
    if not url.startswith("redis://"):
        with Database(url).holding("UPDATE nuovo_sessions SET device = 'held'"):
            yield
        return
    servers = [redis.Redis(*node, socket_timeout=10) for node in Address.parse(url).nodes]
    for server in servers:
        server.client_pause(30_000, all=False)
    try:
        yield
    finally:
        for server in servers:
            server.client_unpause()
            server.close()


class _OnASocket(Nuovo):
    """A service that a proxy of the test's own reaches."""

    def __init__(self, folder: Path, database_url: str, *, workers: int) -> None:
        super().__init__(folder, database_url, workers=workers)
        self.bind = f"unix:{folder}/{id(self)}.sock"


@contextmanager
def _pair(server: type[Nuovo], kind: str, databases: Databases, folder: Path) -> Iterator[list[Nuovo]]:
    """Run two services with one database and one key."""
    url = databases.new(kind)
    services = [server(folder, url, workers=1) for _ in range(2)]
    services[1].environment = services[0].environment
    services[1].service_credential = services[0].service_credential
    try:
        for service in services:
            service.spawn()
            service.await_log("Booting worker")
        yield services
    finally:
        for service in services:
            service.kill()


def _sign_in(nuovo: Nuovo, count: int) -> list[str]:
    with Client(nuovo.inner_url) as client:
        return [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(count)]


def _ask(url: str, token: str, statuses: list[int]) -> None:
    with Client(url) as client:
        statuses.append(client.refresh(token).status)


def _connections_to(url: str) -> int:
    """Return how many connections clients of this machine have to `url`."""
    address = address_of(url)
    return sum(
        connection.raddr == address and connection.status == psutil.CONN_ESTABLISHED
        for connection in psutil.net_connections("tcp")
    )
