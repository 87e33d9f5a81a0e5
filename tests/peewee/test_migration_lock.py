"""Whoever migrates waits for whoever does, however long that takes, and gets in nobody's way."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Timer

import psycopg
import pytest

from infrastructure.peewee.schema import Schema
from tests.peewee.engines import Engines, administer, url_of_database

THREADS = 10


def test_many_on_an_empty_server_at_once(postgres_url: str, engines: Engines) -> None:
    """Without a deadlock, of which PostgreSQL takes a second to find each."""
    name = f"crowd_{uuid.uuid4().hex}"
    administer(postgres_url, f"CREATE DATABASE {name}")
    together = Barrier(THREADS)

    def migrate(_: int) -> list[str]:
        engine = engines.open(url_of_database(postgres_url, name))
        together.wait(30)
        try:
            return Schema(engine).migrate()
        finally:
            engine.drop_connection()

    with ThreadPoolExecutor(THREADS) as pool:
        applied = list(pool.map(migrate, range(THREADS)))

    assert sorted(applied, key=len) == [*[[]] * (THREADS - 1), ["0001_sessions"]]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        found = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", (name,)).fetchone()
    assert found == (0,)
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_one_that_takes_longer_than_any_statement_may(
    postgres_url: str, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.peewee.postgres.LOCK_BUDGET", 0.2)
    monkeypatch.setattr("infrastructure.peewee.impatient.ImpatientConnection.patience", 0.4)
    name = f"slow_{uuid.uuid4().hex}"
    administer(postgres_url, f"CREATE DATABASE {name}")
    url = url_of_database(postgres_url, name)
    schema = Schema(engines.open(url))
    schema.migrate()
    administer(
        url, "DELETE FROM nuovo_migrations; DROP TABLE nuovo_sessions, nuovo_cut_offs, nuovo_purges, nuovo_users"
    )
    with psycopg.connect(url) as other:
        other.execute("UPDATE nuovo_migration_lock SET id = id")
        timer = Timer(1.0, other.rollback)
        timer.start()
        begun = time.monotonic()

        assert schema.migrate() == ["0001_sessions"]

        assert time.monotonic() - begun > 0.9
        timer.join()
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
