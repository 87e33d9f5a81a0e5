"""Databases and client processes that tests share."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import KINDS, databases, kind, prepared_url
from tests.e2e.database import Database, Databases
from tests.stress.crowd import Crowd

__all__ = ["crowd", "databases", "kind", "prepared_url"]


@pytest.fixture(scope="module")
def module_urls(databases: Databases) -> dict[str, str]:
    """Return a database of each kind that a module's tests share, one after another."""
    return {known: databases.new(known) for known in KINDS}


@pytest.fixture
def emptied_urls(module_urls: dict[str, str]) -> dict[str, str]:
    """Return those databases with nothing in them."""
    for url in module_urls.values():
        for table in ("nuovo_sessions", "nuovo_cut_offs", "nuovo_purges"):
            Database(url).run(f"DELETE FROM {table}")  # noqa: S608  names of its own
    return module_urls


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    """Three client processes."""
    crowd = Crowd(3)
    yield crowd
    crowd.close()
