"""What tests of running services share, and client processes."""

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import databases, kind, prepared_url
from tests.stress.crowd import Crowd

__all__ = ["crowd", "databases", "kind", "prepared_url"]


@pytest.fixture(scope="session")
def crowd() -> Iterator[Crowd]:
    """Three client processes."""
    crowd = Crowd(3)
    yield crowd
    crowd.close()
