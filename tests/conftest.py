"""What tests of every kind share: real databases, and a service over fakes."""

import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

# Last, so that the installed packages are tested and not the checkout's.
sys.path.append(str(Path(__file__).parent.parent))

from tests.fakes.service import FakeService
from tests.figures import figures, print_figures
from tests.postgres import PostgresServer

__all__ = ["figures"]


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
def postgres_url() -> Iterator[str]:
    """Return the URL of a PostgreSQL server: one that the tests start, or that of NUOVO_TEST_POSTGRES_URL."""
    if url := os.environ.get("NUOVO_TEST_POSTGRES_URL"):
        yield url
        return
    # No test of it cuts the power, so it need not wait for the disk.
    server = PostgresServer(options={"fsync": "off", "full_page_writes": "off"})
    try:
        server.create()
        server.start()
        yield server.url
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/nuovo.sqlite3"
        return
    server_url = request.getfixturevalue("postgres_url")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    yield _with_database(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _with_database(url: str, name: str) -> str:
    head, _, parameters = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{parameters}" if parameters else "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    print_figures(terminalreporter)
