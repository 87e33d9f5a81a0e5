"""One cluster for all tests of this folder that do not break it."""

from collections.abc import Iterator

import pytest

from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from tests.redis.servers import Servers, running
from tests.stores import KINDS

# `tox -e redis` runs them; in the other environments there need not be a server.
collect_ignore_glob = [] if "redis" in KINDS else ["test_[!a]*.py"]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Lend three masters with two replicas each. Whoever breaks one starts servers of their own."""
    with running() as found:
        yield found


@pytest.fixture
def cluster(servers: Servers) -> Iterator[Cluster]:
    """Return an empty cluster as the stores use it."""
    servers.empty()
    opened = Cluster(Address.parse(servers.url))
    yield opened
    opened.close()
