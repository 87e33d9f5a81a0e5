"""The adapters that a port's contract is run on, beside its fake.

Migrating takes longer than most tests: it is done once for each kind of database. On SQLite every test gets a copy
of the migrated file, on PostgreSQL the same database, emptied.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infrastructure.peewee.engine import Engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from ports.sessions import Sessions
from tests.peewee.engines import Engines, administer, url_of_database
from tests.contracts.race import Race
from tests.fakes.sessions import FakeSessions

DATABASES = ("sqlite", "postgres")
_EMPTY_ALL = "DELETE FROM nuovo_sessions; DELETE FROM nuovo_cut_offs; DELETE FROM nuovo_purges; DELETE FROM nuovo_users"

MigratedUrl = Callable[[str], str]


@pytest.fixture
def engines() -> Iterator[Engines]:
    """Lend engines that are closed when the test is over."""
    opened = Engines()
    yield opened
    opened.close()


@pytest.fixture
def race(engines: Engines) -> Race:
    return Race(engines)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a migrated file, to be copied and never used itself."""
    path = tmp_path_factory.mktemp("template") / "nuovo.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """Return the URL of a migrated database that tests share one after another."""
    name = f"contracts_{uuid.uuid4().hex}"
    administer(postgres_url, f'CREATE DATABASE "{name}"')
    url = url_of_database(postgres_url, name)
    _migrate(url)
    yield url
    administer(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def migrated_url_of(request: pytest.FixtureRequest, tmp_path: Path) -> MigratedUrl:
    """Return the URL of a migrated and empty database of a kind."""

    def url_of(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / f"{uuid.uuid4().hex}.sqlite3"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            return f"sqlite:///{path}"
        url: str = request.getfixturevalue("migrated_postgres")
        administer(url, _EMPTY_ALL)
        return url

    return url_of


@pytest.fixture(params=DATABASES)
def migrated_url(request: pytest.FixtureRequest, migrated_url_of: MigratedUrl) -> str:
    """Return the URL of a migrated and empty database, once of each kind."""
    return migrated_url_of(request.param)


@pytest.fixture
def engine(migrated_url: str, engines: Engines) -> Engine:
    """Return an engine on a migrated and empty database, once of each kind."""
    return engines.open(migrated_url)


@pytest.fixture(params=["fake", *DATABASES])
def sessions(request: pytest.FixtureRequest, migrated_url_of: MigratedUrl, engines: Engines) -> Sessions:
    """Return an empty store of each kind."""
    if request.param == "fake":
        return FakeSessions()
    return PeeweeSessions(engines.open(migrated_url_of(request.param)))


def _migrate(url: str) -> None:
    engines = Engines()
    Schema(engines.open(url)).migrate()
    engines.close()
