"""What a confirmation is worth: two machines that both believe that they lead, and two that die together."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken, new_id
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import Bucket
from infrastructure.redis.sessions import RedisSessions
from tests.fakes.clock import START
from tests.figures import Figures
from tests.redis.servers import Node, Servers, running, until
from tests.redis.test_failovers import fail_over

CLIENTS = 20
_ON_THEIR_WAY = 0.3
"""Seconds for requests to arrive where nobody reads them yet."""
LOGOUT = RevocationReason.LOGOUT


def new_token(user_id: str = "ada") -> RefreshToken:
    return RefreshToken(
        session_id=new_id(),
        user_id=user_id,
        generation=1,
        started_at=START,
        ends_at=START + 9000,
        issued_at=START,
        expires_at=START + 900,
    )


@contextmanager
def store(url: str) -> Iterator[RedisSessions]:
    """Lend a store with connections of its own."""
    cluster = Cluster(Address.parse(url))
    yield RedisSessions(cluster)
    cluster.close()


class Latecomer(threading.Thread):
    """A client that has talked to a master before, and asks it once more while it stands still."""

    def __init__(self, url: str, token: RefreshToken, *, looks: bool) -> None:
        super().__init__()
        self._url, self._token, self._looks = url, token, looks
        self.has_connected, self.may_ask = threading.Event(), threading.Event()
        self.was_served = False

    def run(self) -> None:
        with store(self._url) as sessions:
            step = rotate(self._token, now=START + 1, policy=SessionPolicy(), replaces=1)
            sessions.get(self._token.user_id, self._token.session_id)
            assert sessions.rotate(replace(step, replaces=2)) is None  # so that the server knows both scripts
            self.has_connected.set()
            assert self.may_ask.wait(60)
            try:
                if self._looks:
                    standing = sessions.get(self._token.user_id, self._token.session_id)
                    self.was_served = standing.session is not None and standing.session.revoked_at is None
                else:
                    self.was_served = sessions.rotate(step) is not None
            except StoreUnavailableError:
                pass


@pytest.mark.parametrize("looks", [True, False], ids=["a look", "a step"])
def test_a_master_that_was_replaced_while_it_stood_still_serves_nobody(looks: bool, figures: Figures) -> None:
    """Its sessions are revoked at the new master. Without confirmations it takes steps of them."""
    what = "look" if looks else "step"
    fenced, unfenced = (_served_by_the_past(mode, looks=looks) for mode in ("?replicas=1", "?replicas=0"))
    figures.add(
        f"a paused old master, {CLIENTS} clients: {what}s of sessions revoked at the new one",
        f"{fenced} served with confirmations, {unfenced} without",
    )

    assert fenced == 0
    assert unfenced > 0


def _served_by_the_past(mode: str, *, looks: bool) -> int:
    with running() as servers, store(servers.url) as sessions:
        tokens = [new_token() for _ in range(CLIENTS)]
        for token in tokens:
            sessions.start(Session.recalled(token))
        old = servers.master_of(Bucket.of("ada").slot)
        clients = [Latecomer(servers.url + mode, token, looks=looks) for token in tokens]
        for client in clients:
            client.start()
        for client in clients:
            assert client.has_connected.wait(60)

        old.freeze()
        fail_over(servers, old)
        with store(servers.url_of(*(node for node in servers.nodes if node is not old))) as elsewhere:
            for token in tokens:
                until(partial(elsewhere.revoke, token, at=START + 1, reason=LOGOUT), "a revocation that is confirmed")
        for client in clients:
            client.may_ask.set()
        time.sleep(_ON_THEIR_WAY)
        old.thaw()
        for client in clients:
            client.join(60)
        return sum(client.was_served for client in clients)


@pytest.mark.parametrize(("replicas", "is_confirmed"), [(1, True), (2, False)])
def test_the_confirming_replica_dies_with_its_master(replicas: int, is_confirmed: bool) -> None:
    """The case that one confirmation cannot exclude. With two nothing is acknowledged that any replica lacks."""
    with running() as servers, store(f"{servers.url}?replicas={replicas}") as sessions:
        token = new_token()
        with store(f"{servers.url}?replicas=2") as everywhere:
            everywhere.start(Session.recalled(token))
        master = servers.master_of(Bucket.of("ada").slot)
        confirming, behind = sorted(servers.replicas_of(master), key=lambda node: node.port)
        behind.freeze()
        master.ask("CLIENT", "KILL", "TYPE", "replica")  # or what it misses would wait for it in its socket
        until(lambda: master.followers() == 1, "the other replica to be back")

        was_confirmed = _was_confirmed(sessions, token)
        _lose_together(servers, master, confirming, survivor=behind)

        with store(f"{servers.url_of(behind)}?replicas=0") as later:
            is_alive = _is_alive(later, token)
    assert was_confirmed is is_confirmed
    # Not having been told that it is over, the user of the second case may still use it; and ends it again.
    assert is_alive


def _was_confirmed(sessions: RedisSessions, token: RefreshToken) -> bool:
    try:
        return sessions.revoke(token, at=START + 1, reason=LOGOUT)
    except StoreUnavailableError:
        return False


def _is_alive(sessions: RedisSessions, token: RefreshToken) -> bool:
    session = sessions.get(token.user_id, token.session_id).session
    return session is not None and session.revoked_at is None


def _lose_together(servers: Servers, master: Node, confirming: Node, *, survivor: Node) -> None:
    """Let two nodes die at one moment, and the third one of their shard take over without what it missed."""
    confirming.kill()
    master.kill()
    survivor.thaw()
    until(lambda: survivor.is_master() and survivor.state()["cluster_state"] == "ok", "the last replica leads")
