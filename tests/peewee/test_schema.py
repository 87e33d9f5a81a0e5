"""The schema of both databases, and migrations that several processes start at once."""

import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from infrastructure.peewee import schema as schema_module
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sqlite import SqliteEngine
from infrastructure.peewee.tables import SESSION_COLUMNS
from tests.peewee.conftest import DATABASES
from tests.peewee.engines import Engines, administer, url_of_database
from tests.peewee.methods import call_all

MIGRATIONS = sorted(path.stem for path in schema_module._DIRECTORY.glob("0*.py"))
PROCESSES = 5
PATIENCE = 60
_moments: list[Barrier] = []
"""In a child process, the barrier at which all of them meet."""


def test_a_new_database_has_every_migration_before_it(database_url: str, engines: Engines) -> None:
    schema = Schema(engines.open(database_url))

    assert schema.pending() == MIGRATIONS
    assert schema.migrate() == MIGRATIONS
    assert schema.pending() == []
    assert schema.migrate() == []


def test_looking_for_what_is_pending_changes_nothing(database_url: str, engines: Engines) -> None:
    engine = engines.open(database_url)

    Schema(engine).pending()

    assert engine.peewee.get_tables() == []


def test_the_tables_have_their_form(engine: Engine) -> None:
    """The columns that queries name; and what keeps a refresh cheap, which a later migration may lose unseen.

    On SQLite one tree instead of two for text keys, on PostgreSQL room in each page for the row that a rotation leaves.
    """
    assert {column.name for column in engine.peewee.get_columns("nuovo_sessions")} == set(SESSION_COLUMNS)
    if isinstance(engine, SqliteEngine):
        query = "SELECT name FROM sqlite_master WHERE name LIKE 'nuovo_%' AND sql LIKE '%WITHOUT ROWID'"
        expected = {"nuovo_sessions", "nuovo_cut_offs", "nuovo_users"}
    else:
        query = "SELECT relname FROM pg_class WHERE reloptions @> '{fillfactor=70}'"
        expected = {"nuovo_sessions"}
    assert {name for (name,) in engine.peewee.execute_sql(query).fetchall()} == expected


@pytest.fixture(params=DATABASES)
def new_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Return the URLs of a few empty databases of one kind."""
    names = [f"migrated_{uuid.uuid4().hex}" for _ in range(3)]
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{name}" for name in names]
        return
    server: str = request.getfixturevalue("postgres_url")
    for name in names:
        administer(server, f'CREATE DATABASE "{name}"')
    yield [url_of_database(server, name) for name in names]
    for name in names:
        administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def test_processes_that_migrate_at_once_apply_each_migration_once(new_urls: list[str], engines: Engines) -> None:
    """As several servers do that are started with one new database. None of them fails."""
    context = get_context("spawn")
    with ProcessPoolExecutor(
        PROCESSES, mp_context=context, initializer=meet_at, initargs=(context.Barrier(PROCESSES),)
    ) as pool:
        started = [pool.submit(migrate_with_the_others, new_urls) for _ in range(PROCESSES)]
        assert [process.exception() for process in started] == [None] * PROCESSES

    for url, *applied in zip(new_urls, *(process.result() for process in started), strict=True):
        assert sorted(itertools.chain.from_iterable(applied)) == MIGRATIONS
        engine = engines.open(url)
        assert Schema(engine).pending() == []
        call_all(engine)


def meet_at(barrier: Barrier) -> None:
    """In a child process: learn where to wait for the others."""
    _moments.append(barrier)


def migrate_with_the_others(urls: list[str]) -> list[list[str]]:
    """In a child process: migrate each database at the same moment as all other children."""
    engines, applied = Engines(), []
    try:
        for url in urls:
            schema = Schema(engines.open(url))
            _moments[0].wait(PATIENCE)
            applied.append(schema.migrate())
    except BaseException:
        _moments[0].abort()
        raise
    finally:
        engines.close()
    return applied
