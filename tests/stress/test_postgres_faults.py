"""PostgreSQL killed, its connections cut, its transactions refused: nobody is logged out, and all is well at once."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo
from tests.figures import Figures
from tests.postgres import PostgresServer
from tests.simulation.model import Rules
from tests.stress.checker import breaches_of
from tests.stress.crowd import Crowd, Target, add_users, ended, snapshot
from tests.stress.history import Event
from tests.stress.stories import ENDING, EVERY, HONEST

_RULES = Rules(grace=1)
_SHORT_GRACE = {"NUOVO_REPLAY_GRACE": f"{_RULES.grace}"}
"""So that sessions rotate often, and repeat in between."""
_RECOVERY_LIMIT = 5


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server of the test's own."""
    server = PostgresServer()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


def test_the_server_is_killed_and_comes_back(server: PostgresServer, tmp_path: Path, figures: Figures) -> None:
    """While it is away there is only 503; when it is back, every connection of every thread serves."""
    with Nuovo(tmp_path, server.create_database("nuovo"), workers=2).prepare() as nuovo:
        with Client(nuovo.url) as client:
            token = client.sign_in(nuovo.service_credential, USER).refresh_token
            for _ in range(20):
                token = client.refresh(token).refresh_token
        server.kill()
        with Client(nuovo.url) as client:
            away = [client.refresh(token), client.refresh_by_cookie(token), client.refresh(token)]
            assert {(answer.status, answer.headers.get("retry-after")) for answer in away} == {(503, "1")}
            assert all("set-cookie" not in answer.headers for answer in away)
            assert client.get("/health/live").status == 200
            assert client.get("/health/ready").status == 503
        server.start()
        seconds, token = _recovered(nuovo.url, token)
        _serves_everywhere(nuovo.url, token)
    figures.add("PostgreSQL killed and started again, once", f"back {seconds:.2f} s after its return")


@pytest.mark.stress
@pytest.mark.parametrize(("durability", "kills"), [("process", 10), ("disk", 4)])
def test_the_server_is_killed_again_and_again_under_load(
    *, durability: str, kills: int, server: PostgresServer, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """Rotations that did not wait for the disk may be lost with the server, and their tokens bring them back."""
    url = server.create_database("nuovo")
    recoveries: list[float] = []
    environment = {**_SHORT_GRACE, "NUOVO_ROTATION_DURABILITY": durability}
    with Nuovo(tmp_path, url, workers=3, environment=environment).prepare() as nuovo:
        database = Database(url)
        users = add_users(database, 1200)
        with Client(nuovo.url) as client:
            token = client.sign_in(nuovo.service_credential, USER).refresh_token
        with _under_load(nuovo, crowd, users, seconds=3 * kills) as events:
            for _ in range(kills):
                time.sleep(1)
                server.kill()
                time.sleep(0.5)
                server.start()
                seconds, token = _recovered(nuovo.url, token)
                recoveries.append(seconds)
        _serves_everywhere(nuovo.url, token)
        healed = nuovo.log_text.count("refresh_healed")
        lossy = durability == "process"
        breaches = breaches_of(events, _RULES, snapshots=[snapshot(database)], trouble=True, lossy=lossy)
    assert not breaches, "\n".join(map(str, breaches))
    assert max(recoveries) < _RECOVERY_LIMIT
    assert lossy or not healed
    _report(
        figures, f"PostgreSQL killed and started again under load, {kills} times, rotations to {durability}", events
    )
    figures.add(
        f"PostgreSQL killed and started again under load, rotations to {durability}: recovery",
        f"{max(recoveries):.2f} s after its return at most, {healed} sessions healed",
    )


@pytest.mark.stress
@pytest.mark.parametrize("workers", [1, 2])
def test_the_server_stands_still(server: PostgresServer, tmp_path: Path, figures: Figures, workers: int) -> None:
    """As behind a network that swallows everything: nobody waits for ever, and all is well when it goes on."""
    with Nuovo(tmp_path, server.create_database("nuovo"), workers=workers).prepare() as nuovo:
        with Client(nuovo.url) as client:
            tokens = [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(4)]
        server.freeze()
        try:
            begun = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                assert list(pool.map(partial(_status_of_refresh, nuovo.url), tokens)) == [503] * 4
            seconds = time.monotonic() - begun
        finally:
            server.thaw()
        recovery, _ = _recovered(nuovo.url, tokens[0])
        assert [_status_of_refresh(nuovo.url, token) for token in tokens] == [200] * 4
    figures.add(
        f"PostgreSQL stands still, 4 requests to {workers} workers",
        f"all answered 503 within {seconds:.0f} s, served {recovery:.2f} s after it went on",
    )


@pytest.mark.stress
def test_connections_are_terminated_at_random(
    databases: Databases, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    url = databases.new("postgres")
    database = Database(url)
    users = add_users(database, 500)
    cut, rng = 0, random.Random(1)  # noqa: S311  no secret
    with Nuovo(tmp_path, url, workers=3, environment=_SHORT_GRACE) as nuovo:
        with _under_load(nuovo, crowd, users, seconds=15) as events, psycopg.connect(url, autocommit=True) as other:
            stop = time.monotonic() + 15
            while time.monotonic() < stop:
                pids = other.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'nuovo' AND datname = current_database()"
                ).fetchall()
                if pids:
                    other.execute("SELECT pg_terminate_backend(%s)", rng.choice(pids))
                    cut += 1
                time.sleep(0.02)
        breaches = breaches_of(events, _RULES, snapshots=[snapshot(database)], trouble=True)
    assert not breaches, "\n".join(map(str, breaches))
    _report(figures, f"PostgreSQL connections terminated at random, {cut:,} times", events)


@pytest.mark.stress
@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_history_at_a_higher_isolation_breaks_no_invariant(
    isolation: str, databases: Databases, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """Here the server itself refuses transactions that meet, as many as three times each."""
    url = databases.new("postgres")
    database = Database(url)
    users = add_users(database, 200)
    name = url.rpartition("/")[2]
    database.run(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{isolation}'")
    environment = {"NUOVO_REPLAY_GRACE": "2"}
    rules = Rules(grace=2)
    with Nuovo(tmp_path, url, workers=3, environment=environment) as nuovo:
        target = Target(url=nuovo.url, credential=nuovo.service_credential, rules=rules, patience=10)
        events = ended(crowd.begin(target, EVERY, users, seed=3, seconds=20))
        breaches = breaches_of(events, rules, snapshots=[snapshot(database)], trouble=True)
    assert not breaches, "\n".join(map(str, breaches))
    _report(figures, f"history at {isolation}", events)


@pytest.mark.stress
def test_the_database_is_away_at_the_start(tmp_path: Path, figures: Figures) -> None:
    """The service starts, says that it lives and is not ready, and is when the database has come."""
    server = PostgresServer()
    try:
        server.create()
        nuovo = Nuovo(tmp_path, server.url)
        nuovo.start(until="/health/live")
        with nuovo:
            with Client(nuovo.url) as client:
                assert client.get("/health/ready").status == 503
                assert client.sign_in(nuovo.service_credential, USER).status == 503
            server.start()
            begun = time.monotonic()
            with Client(nuovo.url) as client:
                assert client.get("/health/ready").status == 503  # it is there, and not migrated
            nuovo.prepare()
            nuovo.await_ok("/health/ready")
            with Client(nuovo.url) as client:
                token = client.sign_in(nuovo.service_credential, USER).refresh_token
                assert client.refresh(token).status == 200
        figures.add("PostgreSQL away at the start", f"serves {time.monotonic() - begun:.1f} s after it came, migrated")
    finally:
        server.remove()


def _status_of_refresh(url: str, token: str) -> int:
    with Client(url, timeout=60) as client:
        return client.refresh(token).status


@contextmanager
def _under_load(nuovo: Nuovo, crowd: Crowd, users: list[str], *, seconds: float) -> Iterator[list[Event]]:
    """Play honest stories, and those of their endings, while the block runs. The list is filled at its end."""
    events: list[Event] = []
    target = Target(url=nuovo.url, credential=nuovo.service_credential, rules=_RULES, patience=30)
    running = crowd.begin(target, (*HONEST, *ENDING), users, seed=5, seconds=seconds)
    try:
        yield events
    finally:
        events += ended(running)


def _recovered(url: str, token: str) -> tuple[float, str]:
    """Return how long it takes until a refresh is served, and its token."""
    begun = time.monotonic()
    with Client(url) as client:
        while (answer := client.refresh(token)).status == 503:
            assert time.monotonic() < begun + 30
    assert answer.status == 200
    return time.monotonic() - begun, answer.refresh_token


def _serves_everywhere(url: str, token: str) -> None:
    """Many clients at once, so that every thread of every worker is asked: none has kept a dead connection."""
    statuses: list[int] = []

    def ask() -> None:
        with Client(url) as client:
            statuses.extend(client.refresh(token).status for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 160


def _report(figures: Figures, what: str, events: list[Event]) -> None:
    by_status = {
        status: len(list(group)) for status, group in itertools.groupby(sorted(str(event.status) for event in events))
    }
    answers = ", ".join(f"{count:,} of {status}" for status, count in by_status.items())
    figures.add(what, f"{len(events):,} calls ({answers}): 0 breaches")
