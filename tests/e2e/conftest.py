"""Running services, on every kind of store."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.client import Client
from tests.e2e.database import Beside, Databases
from tests.e2e.nginx import GRANIAN, InnerDoor
from tests.e2e.server import Nuovo
from tests.stores import SERVED, Stores

_SERVER: type[Nuovo] = InnerDoor if GRANIAN else Nuovo


@pytest.fixture(params=SERVED)
def kind(request: pytest.FixtureRequest) -> str:
    """Return the kind of store."""
    return str(request.param)


@pytest.fixture(scope="session")
def databases(stores: Stores) -> Databases:
    return Databases(stores)


@pytest.fixture
def prepared_url(kind: str, databases: Databases) -> str:
    """Return the URL of a database of the test's own, migrated, with the users `ada` and `bob`."""
    return databases.new(kind)


@pytest.fixture(scope="session")
def serve(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Nuovo]]:
    """Return a running service over a kind of database with some settings; those who ask for the same share it."""
    running: dict[tuple[object, ...], Nuovo] = {}

    def get(kind: str, **environment: str) -> Nuovo:
        key = (kind, *sorted(environment.items()))
        if key not in running:
            folder = tmp_path_factory.mktemp("service")
            running[key] = _SERVER(folder, databases.new(kind), workers=2, environment=environment).start()
        return running[key]

    yield get
    for nuovo in running.values():
        nuovo.kill()


@pytest.fixture
def nuovo(kind: str, serve: Callable[..., Nuovo]) -> Nuovo:
    """Return a running service with the default settings. Tests share it and leave it running."""
    return serve(kind)


@pytest.fixture
def client(nuovo: Nuovo) -> Iterator[Client]:
    """Return a connection to `nuovo`."""
    with Client(nuovo.url) as client:
        yield client


@pytest.fixture
def beside(kind: str, nuovo: Nuovo, stores: Stores) -> Iterator[Beside]:
    """Return the store of `nuovo`, opened beside it."""
    beside = Beside(stores[kind], nuovo.environment["NUOVO_DATABASE_URL"])
    yield beside
    beside.close()
