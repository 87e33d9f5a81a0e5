"""The form of what is kept, and servers that are not fit to keep it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.readiness import RedisReadiness
from infrastructure.redis.schema import RedisSchema
from tests.redis.servers import Servers, running, until


@pytest.fixture(scope="module")
def small() -> Iterator[Servers]:
    with running(masters=1, replicas=1) as servers:
        yield servers


@pytest.fixture
def schema(small: Servers) -> Iterator[RedisSchema]:
    small.empty()
    cluster = Cluster(Address.parse(small.url))
    yield RedisSchema(cluster)
    cluster.close()


def test_a_new_cluster_is_brought_to_form_once(schema: RedisSchema) -> None:
    assert schema.pending() == ["0001_sessions"]
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: schema.migrate(), range(8)))

    assert sorted(map(len, applied)) == [0] * 7 + [1]
    assert schema.pending() == []


def test_a_newer_form_is_refused(schema: RedisSchema, small: Servers) -> None:
    small.nodes[0].ask("SET", "{0}v", 2)

    with pytest.raises(StoreUnavailableError, match="newer version of Nuovo"):
        schema.pending()


@pytest.fixture
def readiness(schema: RedisSchema, small: Servers) -> Iterator[RedisReadiness]:
    cluster = Cluster(Address.parse(small.url))
    schema.migrate()
    yield RedisReadiness(cluster, schema)
    cluster.close()


def test_servers_that_are_set_up_well_are_fit(readiness: RedisReadiness) -> None:
    readiness.require()

    assert list(readiness.remarks()) == [
        "Sessions are kept by 1 masters; 1 replicas confirm each write.",
        "A master has no replica to spare: when a server is away, its users are answered with 503.",
    ]


def test_a_new_cluster_is_not_fit(schema: RedisSchema, small: Servers) -> None:
    cluster = Cluster(Address.parse(small.url))

    with pytest.raises(StoreUnavailableError, match="migrations are pending: 0001_sessions; run: nuovo migrate"):
        RedisReadiness(cluster, schema).require()
    cluster.close()


@pytest.mark.parametrize(
    ("setting", "bad", "good", "words"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "set maxmemory-policy noeviction"),
        ("maxmemory-policy", "volatile-ttl", "noeviction", "set maxmemory-policy noeviction"),
        ("appendonly", "no", "yes", "set appendonly yes"),
    ],
)
def test_what_must_be_set_is_said(
    readiness: RedisReadiness, small: Servers, setting: str, bad: str, *, good: str, words: str
) -> None:
    master = next(node for node in small.nodes if node.is_master())
    master.ask("CONFIG", "SET", setting, bad)
    try:
        with pytest.raises(StoreUnavailableError, match=words):
            readiness.require()
    finally:
        master.ask("CONFIG", "SET", setting, good)
    until(lambda: master.info("persistence")["aof_rewrite_in_progress"] == 0, "the log to be there again")
    readiness.require()


def test_a_master_without_the_replicas_that_must_confirm_is_not_fit(readiness: RedisReadiness, small: Servers) -> None:
    cluster = Cluster(Address.parse(f"{small.url}?replicas=2"))

    with pytest.raises(StoreUnavailableError, match="a master has 1 replicas that follow it, and 2 must confirm"):
        RedisReadiness(cluster, RedisSchema(cluster)).require()
    cluster.close()


def test_a_cluster_that_lacks_slots_is_not_fit() -> None:
    with running(masters=1, replicas=1, options={"cluster-require-full-coverage": "no"}) as servers:
        cluster = Cluster(Address.parse(servers.url))
        RedisSchema(cluster).migrate()
        servers.nodes[0].ask("CLUSTER", "DELSLOTS", 5)

        with pytest.raises(StoreUnavailableError, match="slots without a master"):
            RedisReadiness(cluster, RedisSchema(cluster)).require()
        cluster.close()
