"""Whatever happens to a database, its stores do their work or raise `StoreUnavailableError`, and recover.

Every method of every port that Peewee implements is tried in each kind of trouble.
"""

import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import psycopg
import pytest
from peewee import SqliteDatabase

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee import engine as engine_module
from infrastructure.peewee import postgres, sqlite
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.postgres import PostgresEngine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.sqlite import SqliteEngine
from tests.builders import held, new_session
from tests.peewee.conftest import DATABASES, MigratedUrl
from tests.peewee.engines import Engines, administer
from tests.peewee.methods import METHODS, READS, SESSION, WRITES, Method, call_all


def assert_unavailable(engine: Engine, methods: Mapping[str, Method] = METHODS) -> None:
    """Try each method; it must fail with the one error, which holds no value of the statement."""
    for name, method in methods.items():
        with pytest.raises(StoreUnavailableError) as caught:
            method(engine)
        assert SESSION.token.session_id not in str(caught.value), name
        assert SESSION.token.user_id not in str(caught.value), name


def give_budget(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the connections that are opened from now on wait so long for a lock."""
    for module in (sqlite, postgres):
        monkeypatch.setattr(module, "LOCK_BUDGET", seconds)


@contextmanager
def locked(url: str) -> Iterator[Callable[[], object]]:
    """Hold a lock on the database that every write needs; yield what gives it back."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
        file.execute("BEGIN EXCLUSIVE")
        yield file.rollback
        file.close()
        return
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE nuovo_sessions, nuovo_cut_offs, nuovo_purges, nuovo_users")
        yield connection.rollback


@pytest.fixture(params=DATABASES)
def url_of_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return a URL that looks right and leads nowhere."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/missing/nuovo.sqlite3"
        return
    with socket.socket() as bound_and_deaf:
        bound_and_deaf.bind(("127.0.0.1", 0))
        yield f"postgresql://nobody:hunter2hunter2@127.0.0.1:{bound_and_deaf.getsockname()[1]}/nuovo"


def test_database_away(url_of_nothing: str, engines: Engines) -> None:
    engine = engines.open(url_of_nothing)

    assert_unavailable(engine)

    for of_the_schema in (Schema(engine).migrate, Schema(engine).pending):
        with pytest.raises(StoreUnavailableError) as caught:
            of_the_schema()
        assert "hunter2hunter2" not in str(caught.value)


def test_server_that_swallows_everything(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request waits for it, those behind it do not, and a little later the next one tries again."""
    monkeypatch.setattr(engine_module, "_PAUSE_AFTER_SLOW_CONNECT", 4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = engines.open(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nuovo?connect_timeout=2")
        read = READS["sessions.get"]

        def seconds_until_unavailable() -> float:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                read(engine)
            return time.monotonic() - begun

        assert seconds_until_unavailable() > 1
        assert max(seconds_until_unavailable() for _ in range(3)) < 1
        time.sleep(4)
        assert seconds_until_unavailable() > 1


def test_database_that_comes_late(tmp_path: Path, migrated_url_of: MigratedUrl, engines: Engines) -> None:
    """A folder that is mounted after the service has started: nothing has to be restarted."""
    engine = engines.open(f"sqlite:///{tmp_path}/late/nuovo.sqlite3")
    assert_unavailable(engine)

    (tmp_path / "late").mkdir()
    shutil.copyfile(migrated_url_of("sqlite").removeprefix("sqlite:///"), tmp_path / "late" / "nuovo.sqlite3")

    call_all(engine)


def test_database_not_migrated(database_url: str, engines: Engines) -> None:
    engine = engines.open(database_url)

    assert_unavailable(engine)

    Schema(engine).migrate()
    call_all(engine)


def test_file_that_is_no_database(tmp_path: Path, engines: Engines) -> None:
    (tmp_path / "nuovo.sqlite3").write_bytes(b"not a database at all" * 100)

    assert_unavailable(engines.open(f"sqlite:///{tmp_path}/nuovo.sqlite3"))


def test_database_locked_past_the_budget(migrated_url: str, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite a reader never waits for a writer."""
    give_budget(monkeypatch, 0.1)
    engine = engines.open(migrated_url)
    with locked(migrated_url):
        if isinstance(engine, SqliteEngine):
            assert_unavailable(engine, WRITES)
            for read in READS.values():
                read(engine)
        else:
            assert_unavailable(engine)
    # A connection has the budget that it was opened with, and none has outlived its failure.
    give_budget(monkeypatch, 60)
    call_all(engine)


def test_lock_that_is_given_back_within_the_budget(
    migrated_url: str, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_budget(monkeypatch, 60)
    store = PeeweeSessions(engines.open(migrated_url))
    with locked(migrated_url) as give_back:
        timer = Timer(0.2, give_back)
        timer.start()
        store.start(SESSION)
        timer.join()

    assert held(store, SESSION.token) == SESSION


@contextmanager
def read_only(engine: Engine, url: str) -> Iterator[None]:
    """Refuse writes, as a volume that was remounted or a primary that has become a standby does."""
    if isinstance(engine, SqliteEngine):
        pragma(engine, "query_only", 1)
        yield
        pragma(engine, "query_only", 0)
        return
    name = url.rpartition("/")[2]
    administer(url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        yield
    finally:
        administer(url, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


def test_read_only_database(migrated_url: str, engines: Engines) -> None:
    engine = engines.open(migrated_url)
    with read_only(engine, migrated_url):
        assert_unavailable(engine, WRITES)
        for read in READS.values():
            read(engine)

    call_all(engine)


def test_full_disk(migrated_url_of: MigratedUrl, engines: Engines) -> None:
    """What was answered before is there, reads go on, and with room again so do writes."""
    engine = engines.open(migrated_url_of("sqlite"))
    store, kept = PeeweeSessions(engine), []
    pragma(engine, "max_page_count", pragma(engine, "page_count") + 2)

    for session in (new_session(device="x" * 255) for _ in range(1000)):
        try:
            store.start(session)
        except StoreUnavailableError:
            break
        kept.append(session)

    assert 0 < len(kept) < 1000
    assert [held(store, session.token) for session in kept] == kept
    pragma(engine, "max_page_count", 1_000_000)
    call_all(engine)
    assert pragma(engine, "integrity_check") == "ok"


def pragma(engine: Engine, name: str, value: int | None = None) -> Any:
    """Read a pragma of SQLite, or set it for this connection and those that follow."""
    sqlite = engine.peewee
    assert isinstance(sqlite, SqliteDatabase)
    return sqlite.pragma(name) if value is None else sqlite.pragma(name, value, permanent=True)


def test_server_ends_the_connection(migrated_url_of: MigratedUrl, engines: Engines) -> None:
    """A restart, an administrator or a proxy: the next statement opens a new connection, and nobody notices."""
    url = migrated_url_of("postgres")
    engine = engines.open(url)
    for method in METHODS.values():
        process = backend(engine)
        administer(url, f"SELECT pg_terminate_backend({process}, 10000)")

        method(engine)

        assert backend(engine) != process


def backend(engine: Engine) -> int:
    """Return the number of the server's process for this thread's connection."""
    return int(engine.peewee.execute_sql("SELECT pg_backend_pid()").fetchone()[0])


def test_server_that_ends_idle_connections(migrated_url_of: MigratedUrl, engines: Engines) -> None:
    """It says so only when the next statement comes."""
    url = migrated_url_of("postgres")
    engine = engines.open(f"{url}{'&' if '?' in url else '?'}options=-c%20idle_session_timeout%3D500")
    for name in ("sessions.start", "sessions.get", "sessions.rotate"):
        engine.attempt(lambda: backend(engine))
        time.sleep(0.7)

        METHODS[name](engine)


def test_waiting_for_the_disk_is_asked_of_a_server_that_does_not(
    migrated_url_of: MigratedUrl, engines: Engines
) -> None:
    """Every connection is told to wait; what a rotation excepts for itself ends with it."""
    url = migrated_url_of("postgres")
    engine = engines.open(f"{url}?options=-c%20synchronous_commit%3Doff")
    assert isinstance(engine, PostgresEngine)
    call_all(engine)

    assert engine.peewee.execute_sql("SHOW synchronous_commit").fetchone()[0] == "on"
