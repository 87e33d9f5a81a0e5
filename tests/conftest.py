"""What tests of every kind share: stores of every kind, and a service over fakes."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Last, so that the installed packages are tested and not the checkout's.
sys.path.append(str(Path(__file__).parent.parent))

from tests.fakes.service import FakeService
from tests.figures import figures, print_figures
from tests.redis.servers import is_installed
from tests.stores import KINDS, SERVED, Opened, Postgres, Stores

__all__ = ["figures"]


def pytest_configure(config: pytest.Config) -> None:
    if "redis" in KINDS and not is_installed():
        pytest.exit(
            "Skipped: there is no redis-server here. Debian has one: apt-get install redis-server", returncode=0
        )


@pytest.fixture(scope="session", autouse=True)
def stoppable() -> Iterator[None]:
    """Make SIGTERM end the tests as Ctrl-C does, so that no server outlives them."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def service() -> FakeService:
    """Return the whole domain over fakes, with the default policy and the users `ada` and `bob`."""
    return FakeService()


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Lend stores of every kind."""
    stores = Stores(tmp_path_factory.mktemp("stores"))
    yield stores
    stores.remove()


@pytest.fixture
def opened(stores: Stores) -> Iterator[Opened]:
    """Lend stores that are closed when the test is over."""
    opened = Opened(stores)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_url(stores: Stores) -> str:
    """Return the URL of a PostgreSQL server."""
    postgres = stores["postgres"]
    assert isinstance(postgres, Postgres)
    return postgres.server_url


@pytest.fixture(params=SERVED)
def database_url(request: pytest.FixtureRequest, stores: Stores) -> str:
    """Return the URL of an empty database, once of each kind."""
    return stores[request.param].blank()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    print_figures(terminalreporter)
