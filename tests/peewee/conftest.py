"""Engines on databases that are migrated and empty."""

from collections.abc import Callable, Iterator

import pytest

from infrastructure.peewee.engine import Engine
from tests.peewee.engines import Engines
from tests.peewee.tables import Application
from tests.race import Race
from tests.stores import Stores

DATABASES = ("sqlite", "postgres")

MigratedUrl = Callable[[str], str]


@pytest.fixture
def engines() -> Iterator[Engines]:
    """Lend engines that are closed when the test is over."""
    opened = Engines()
    yield opened
    opened.close()


@pytest.fixture
def race(engines: Engines) -> Race:
    return Race(engines.close)


@pytest.fixture
def migrated_url_of(stores: Stores) -> MigratedUrl:
    """Return the URL of a migrated and empty database of a kind."""
    return lambda kind: stores[kind].shared()


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, stores: Stores) -> str:
    """Return the URL of an empty database, once of each kind."""
    return stores[request.param].blank()


@pytest.fixture(params=DATABASES)
def migrated_url(request: pytest.FixtureRequest, migrated_url_of: MigratedUrl) -> str:
    """Return the URL of a migrated and empty database, once of each kind."""
    return migrated_url_of(request.param)


@pytest.fixture
def engine(migrated_url: str, engines: Engines) -> Engine:
    """Return an engine on a migrated and empty database, once of each kind."""
    return engines.open(migrated_url)


@pytest.fixture
def application(engine: Engine) -> Iterator[Application]:
    """Return a database of an application's own, once of each kind."""
    application = Application(engine)
    yield application
    application.drop()


@pytest.fixture
def postgres(migrated_url_of: MigratedUrl, engines: Engines) -> Iterator[Application]:
    """Return an application's database on PostgreSQL alone."""
    application = Application(engines.open(migrated_url_of("postgres")))
    yield application
    application.drop()


@pytest.fixture
def sqlite(migrated_url_of: MigratedUrl, engines: Engines) -> Application:
    """Return an application's database on SQLite alone."""
    return Application(engines.open(migrated_url_of("sqlite")))
