"""What goes wrong between the service and the servers is said in words, and costs nothing but time."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import BUCKETS, Bucket
from infrastructure.redis.readiness import RedisReadiness
from infrastructure.redis.schema import RedisSchema
from infrastructure.redis.sessions import RedisSessions
from tests.fakes.clock import START
from tests.ports import free_port
from tests.redis.certificates import Certificates
from tests.redis.methods import CONFIRMED, METHODS, UNCONFIRMED, Method, call_all
from tests.redis.servers import Node, Servers, running
from tests.redis.test_fences import new_token, store

LOGOUT = RevocationReason.LOGOUT
SCALING = Path(__file__).parents[2] / "docs" / "scaling.md"


@pytest.fixture(scope="module")
def two_servers() -> Iterator[Servers]:
    with running(masters=1, replicas=1) as servers:
        yield servers


@pytest.fixture
def small(two_servers: Servers) -> Servers:
    """Return two empty servers that tests may break and mend."""
    two_servers.empty()
    return two_servers


def test_the_documented_privileges_are_enough(small: Servers) -> None:
    documented = SCALING.read_text(encoding="utf-8").partition("ACL SETUSER nuovo on >PASSWORD ")[2].partition("```")[0]
    for node in small.nodes:
        node.ask("ACL", "SETUSER", "nuovo", "on", ">s3cr3t/@:", *documented.split())
    address = Address.parse(small.url.replace("redis://", "redis://nuovo:s3cr3t%2F%40%3A@"))
    cluster = Cluster(address)

    call_all(cluster)
    RedisReadiness(cluster, RedisSchema(cluster)).require()

    cluster.close()


def test_a_wrong_password_is_said_without_it(small: Servers) -> None:
    cluster = Cluster(Address.parse(small.url.replace("redis://", "redis://nuovo:hush@")))

    for method in METHODS.values():
        with pytest.raises(StoreUnavailableError, match="the server refuses this user name and password") as caught:
            method(cluster)
        assert "hush" not in repr(caught.value)


def test_a_missing_privilege_is_said(small: Servers) -> None:
    for node in small.nodes:
        node.ask("ACL", "SETUSER", "guest", "on", ">guest", "~*", "+@all", "-hset", "-evalsha")
    cluster = Cluster(Address.parse(small.url.replace("redis://", "redis://guest:guest@")))

    with pytest.raises(StoreUnavailableError, match="does not let this user do that"):
        RedisSessions(cluster).get("ada", new_token().session_id)
    cluster.close()


def test_connections_are_encrypted_and_the_server_must_prove_itself(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    with running(masters=1, replicas=1, options=certificates.options | {"tls-auth-clients": "no"}) as servers:
        nodes = ",".join(f"127.0.0.1:{node.tls_port}" for node in servers.nodes)
        trusting, other = (Cluster(Address.parse(f"rediss://{nodes}{more}")) for more in (f"?ca={tmp_path}/ca.pem", ""))

        call_all(trusting)
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            RedisSessions(other).get("ada", new_token().session_id)
        trusting.close()


def test_servers_that_have_forgotten_the_scripts_are_told_them_again(small: Servers) -> None:
    with store(small.url) as sessions:
        token = new_token()
        sessions.start(Session.recalled(token))
        small.nodes[0].ask("SCRIPT", "FLUSH")

        assert sessions.get("ada", token.session_id).session == Session.recalled(token)


def test_a_connection_that_was_closed_while_it_was_idle_is_opened_again(small: Servers) -> None:
    with store(small.url) as sessions:
        for _ in range(3):
            sessions.get("ada", new_token().session_id)
            small.nodes[0].ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_memory_that_is_full_stops_new_sessions_alone(small: Servers) -> None:
    """Who is signed in goes on, and can be signed out."""
    token, other = new_token(), new_token()
    with store(small.url) as sessions:
        sessions.start(Session.recalled(token))
        for node in small.nodes:
            node.ask("CONFIG", "SET", "maxmemory", 1)
        try:
            with pytest.raises(StoreUnavailableError, match="memory is full"):
                sessions.start(Session.recalled(other))
            assert sessions.get("ada", other.session_id).session is None
            assert sessions.rotate(rotate(token, now=START + 1, policy=SessionPolicy(), replaces=1)) == {}
            assert sessions.revoke(token, at=START, reason=LOGOUT)
            assert sessions.end_all("ada", at=START) == 0
            assert sum(sessions.purge(until=START + 10_000)) > 0
        finally:
            for node in small.nodes:
                node.ask("CONFIG", "SET", "maxmemory", 0)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_nobody_there_is_said_at_once(method: Method) -> None:
    cluster = Cluster(Address.parse(f"redis://127.0.0.1:{free_port()},127.0.0.1:{free_port()}"))
    begun = time.monotonic()

    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        method(cluster)

    assert time.monotonic() - begun < 1


def test_a_server_that_is_no_cluster_is_said(tmp_path: Path) -> None:
    node = Node(tmp_path / "alone", {"cluster-enabled": "no"})
    node.start()
    try:
        with store(f"redis://{node.address}") as sessions, pytest.raises(StoreUnavailableError, match="not part of a"):
            sessions.get("ada", new_token().session_id)
    finally:
        node.kill()


@pytest.mark.parametrize("method", CONFIRMED.values(), ids=CONFIRMED)
def test_what_no_replica_has_is_not_acknowledged(small: Servers, method: Method) -> None:
    """Not even what changes nothing: an earlier call may have written it in vain."""
    cluster = Cluster(Address.parse(f"{small.url}?replicas=2"))

    with pytest.raises(StoreUnavailableError, match="1 of 2 replicas confirmed in time"):
        method(cluster)
    cluster.close()


@pytest.mark.parametrize("method", UNCONFIRMED.values(), ids=UNCONFIRMED)
def test_what_decides_nothing_is_not_confirmed(small: Servers, method: Method) -> None:
    cluster = Cluster(Address.parse(f"{small.url}?replicas=2"))

    method(cluster)
    cluster.close()


def test_nobody_queues_behind_a_server_that_stands_still() -> None:
    """The first call waits, and while it is known that the server does not answer, one call at a time tries it."""
    with running(masters=1, replicas=1) as servers, store(servers.url) as sessions, ThreadPoolExecutor(4) as pool:
        sessions.get("ada", new_token().session_id)
        master = servers.master_of(Bucket.of("ada").slot)
        master.freeze()
        with pytest.raises(StoreUnavailableError, match="did not answer in time"):
            sessions.get("ada", new_token().session_id)

        def waited(_: int) -> float:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailableError, match="a moment ago"):
                sessions.get("ada", new_token().session_id)
            return time.monotonic() - begun

        assert max(pool.map(waited, range(20))) < 1.5
        master.thaw()
        servers.wait_until_whole()


def test_a_fork_shares_no_connection_with_its_parent(small: Servers) -> None:
    with store(small.url) as sessions:
        mine, of_the_child = new_token(), new_token()
        sessions.start(Session.recalled(mine))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                sessions.start(Session.recalled(of_the_child))
                assert sessions.get("ada", mine.session_id).session == Session.recalled(mine)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        for token in (mine, of_the_child):
            assert sessions.get("ada", token.session_id).session == Session.recalled(token)


def test_no_secret_and_no_name_is_in_what_goes_wrong(small: Servers) -> None:
    """A server's own words repeat what it was sent."""
    token = new_token("hush")
    bucket = Bucket.of("hush")
    small.master_of(bucket.slot).ask("SET", f"{bucket.sessions}hush:{token.session_id}", "not a hash")
    with store(small.url) as sessions, pytest.raises(StoreUnavailableError) as caught:
        sessions.get("hush", token.session_id)
    assert "hush" not in str(caught.value)
    assert token.session_id not in str(caught.value)


def test_whoever_watches_hears_of_calls_and_of_trouble(small: Servers) -> None:
    cluster = Cluster(Address.parse(small.url))
    seconds, troubles = list[float](), list[tuple[str, str]]()
    cluster.on_success, cluster.on_failure = seconds.append, lambda *trouble: troubles.append(trouble)
    sessions = RedisSessions(cluster)

    sessions.get("ada", new_token().session_id)
    small.nodes[0].ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    sessions.get("ada", new_token().session_id)

    assert len(seconds) == 2
    assert all(0 < each < 5 for each in seconds)
    assert troubles == [("dead_connection", "ConnectionError")]

    list(sessions.purge(until=START))
    assert 2 + BUCKETS / 64 <= len(seconds) < 2 + BUCKETS / 4, "calls that share a write are one"
    cluster.close()


def test_whoever_watches_hears_that_many_calls_at_once_were_not_confirmed(small: Servers) -> None:
    cluster = Cluster(Address.parse(f"{small.url}?replicas=2"))
    troubles = list[tuple[str, str]]()
    cluster.on_failure = lambda *trouble: troubles.append(trouble)

    with pytest.raises(StoreUnavailableError):
        list(RedisSessions(cluster).purge(until=START))

    assert ("other", "Unconfirmed") in troubles
    assert len(troubles) > 1
    cluster.close()
