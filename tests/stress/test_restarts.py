"""Reloads, rolling restarts and stops under load, and slow clients: no honest request goes without its answer."""

import random
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo, wait_for
from tests.figures import Figures
from tests.stress.traffic import slow_clients, traffic

_PER_SECOND = 200


@pytest.mark.stress
def test_a_reload_fails_no_request(kind: str, databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """SIGHUP, twice, at 200 requests a second: old workers finish what they have, new ones take over."""
    reloads = 2
    with Nuovo(tmp_path, databases.new(kind), workers=2) as nuovo:
        tokens = _sign_in(nuovo, 100)
        with traffic(lambda: nuovo.url, tokens, per_second=_PER_SECOND) as seen:
            for _ in range(reloads):
                before = nuovo.worker_pids
                nuovo.hup()
                wait_for("new workers alone", partial(_has_replaced, nuovo, before))
                time.sleep(0.5)
    assert seen.failures == []
    assert set(seen.statuses) == {200}
    figures.add(
        f"SIGHUP at {_PER_SECOND} requests a second, {kind}",
        f"{reloads} reloads, {len(seen.statuses):,} requests: 0 failed, 0 refused,"
        f" p99 {seen.percentile(99) * 1000:.0f} ms",
    )


@pytest.mark.stress
def test_a_rolling_restart_fails_no_request(kind: str, databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """Two services over one database, as behind a balancer: each is taken out, stopped, started again and put back."""
    url = databases.new(kind)
    services = [Nuovo(tmp_path, url, workers=1) for _ in range(2)]
    services[1].environment = services[0].environment
    services[1].service_credential = services[0].service_credential
    statuses: list[int] = []
    with services[0], services[1]:
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
    assert set(seen.statuses) == {200}
    figures.add(
        f"rolling restart at {_PER_SECOND} requests a second, {kind}",
        f"{len(seen.statuses):,} requests: 0 failed, 0 refused, p99 {seen.percentile(99) * 1000:.0f} ms",
    )


def test_a_stop_answers_all_that_was_accepted(
    kind: str, databases: Databases, tmp_path: Path, figures: Figures
) -> None:
    """SIGTERM while a lock in the database holds every thread, with more requests behind them: all are answered."""
    url = databases.new(kind)
    with Nuovo(tmp_path, url, workers=1, threads=4) as nuovo:
        tokens = _sign_in(nuovo, 24)
        lock = "UPDATE nuovo_sessions SET device = 'held'"
        statuses: list[int] = []
        threads = [threading.Thread(target=_ask, args=(nuovo.url, token, statuses)) for token in tokens]
        with Database(url).holding(lock):
            for thread in threads:
                thread.start()
            wait_for("all requests to be accepted", lambda: _connections(nuovo) == len(tokens))
            nuovo.terminate()
            nuovo.await_log("Handling signal: term")
            time.sleep(0.2)
        for thread in threads:
            thread.join()
        assert nuovo.wait() == 0
    assert statuses == [200] * len(tokens)
    figures.add(f"SIGTERM with {len(tokens)} requests under way, {kind}", "all answered by 200")


@pytest.mark.stress
def test_a_stop_under_load_answers_all_that_was_accepted(
    kind: str, databases: Databases, tmp_path: Path, figures: Figures
) -> None:
    """At 200 requests a second the only ones without an answer are those that found nobody listening any more."""
    stops, answered, late = 3, 0, 0
    nuovo = Nuovo(tmp_path, databases.new(kind), workers=2)
    for _ in range(stops):
        with nuovo.start():
            tokens = _sign_in(nuovo, 60)
            with traffic(lambda: nuovo.url, tokens, per_second=_PER_SECOND) as seen:
                time.sleep(1)
                signalled = time.monotonic()
                assert nuovo.stop() == 0
        assert set(seen.statuses) == {200}
        assert [why for begun, why in seen.failures if "Refused" not in why and begun < signalled] == []
        answered += len(seen.statuses)
        late += len(seen.failures)
    figures.add(
        f"SIGTERM at {_PER_SECOND} requests a second, {kind}",
        f"{stops} stops: {answered:,} answered by 200, {late} came later and were refused, 0 lost",
    )


@pytest.mark.stress
def test_slow_clients_hold_nobody_up(databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """A hundred connections that stall and a hundred that drip, against two workers of two threads."""
    with Nuovo(tmp_path, databases.new("sqlite"), workers=2, threads=2) as nuovo:
        tokens = _sign_in(nuovo, 50)
        with (
            slow_clients(nuovo.url, stalled=100, dripping=100),
            traffic(lambda: nuovo.url, tokens, per_second=50) as seen,
        ):
            time.sleep(15)  # longer than the service waits for a request
    assert seen.failures == []
    assert set(seen.statuses) == {200}
    assert seen.percentile(99) < 0.5
    figures.add(
        "200 stalled and dripping connections, 15 s",
        f"{len(seen.statuses):,} honest requests: p50 {seen.percentile(50) * 1000:.1f} ms,"
        f" p99 {seen.percentile(99) * 1000:.1f} ms",
    )


def _sign_in(nuovo: Nuovo, count: int) -> list[str]:
    with Client(nuovo.url) as client:
        return [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(count)]


def _ask(url: str, token: str, statuses: list[int]) -> None:
    with Client(url) as client:
        statuses.append(client.refresh(token).status)


def _has_replaced(nuovo: Nuovo, workers: set[int]) -> bool:
    return len(nuovo.worker_pids) == len(workers) and not nuovo.worker_pids & workers


def _connections(nuovo: Nuovo) -> int:
    """Return how many connections the service has accepted: those of which it has a descriptor."""
    port = int(nuovo.url.rpartition(":")[2])
    accepted = 0
    for pid in nuovo.worker_pids:
        for connection in psutil.Process(pid).net_connections("tcp"):
            accepted += connection.laddr.port == port and connection.status == psutil.CONN_ESTABLISHED
    return accepted
