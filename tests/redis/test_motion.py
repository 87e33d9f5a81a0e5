"""Keys that move, replicas that fall behind, and a cluster that goes down: the service waits, and forgets nothing."""

import random
import time

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason, Session
from domain.model.users import User
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import Bucket
from infrastructure.redis.users import RedisUsers
from tests.figures import Figures
from tests.redis.servers import running, until
from tests.redis.test_failovers import AT_LENGTH, require_no_harm
from tests.redis.test_fences import new_token, store
from tests.redis.traffic import Traffic, on_redis

MOVES = 60 if AT_LENGTH else 15
LOGOUT = RevocationReason.LOGOUT


def test_slots_move_under_traffic(figures: Figures) -> None:
    """From master to master, a key at a time, with time for requests between any two."""
    rng = random.Random(5)  # noqa: S311  no secret
    with running() as servers:
        traffic = Traffic(on_redis(servers.url), seed=5)
        slots = sorted({Bucket.of(user).slot for user in traffic.users})
        with traffic.running() as account:
            for _ in range(MOVES):
                slot = rng.choice(slots)
                targets = [node for node in servers.masters() if node is not servers.master_of(slot)]
                servers.move_slot(slot, rng.choice(targets), pause=0.01)
    require_no_harm(account)
    counts = account.counts
    figures.add(
        f"{MOVES} slots moved under load, key by key",
        f"{counts['refreshed']:,} refreshes, {counts['ended']:,} endings, {counts['unavailable']:,} answers of 503: "
        f"0 false logouts, 0 alive again; longest wait of a client {account.longest_silence:.1f} s",
    )


def test_replicas_that_do_not_follow(figures: Figures) -> None:
    """One is enough; without both nothing is acknowledged, and all is well when one is back."""
    with running(options={"cluster-node-timeout": "15000"}) as servers, store(servers.url) as sessions:
        token, other = new_token(), new_token()
        sessions.start(Session.recalled(token))
        first, second = servers.replicas_of(servers.master_of(Bucket.of("ada").slot))
        first.freeze()
        sessions.revoke(other, at=other.started_at, reason=LOGOUT)
        second.freeze()

        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError, match="0 of 1 replicas confirmed in time"):
            sessions.revoke(token, at=token.started_at + 1, reason=LOGOUT)
        waited = time.monotonic() - begun
        first.thaw()
        seconds = until(lambda: sessions.get("ada", token.session_id).session is not None, "a replica that is back")
        again = sessions.revoke(token, at=token.started_at + 2, reason=LOGOUT)
        standing = sessions.get("ada", token.session_id)
        second.thaw()
    assert not again, "the ending that was not acknowledged is in the store, and confirmed by now"
    assert standing.session is not None
    assert standing.session.revoked_at == token.started_at + 1
    figures.add(
        "both replicas of a master stand still",
        f"a revocation answered 503 after {waited:.1f} s, served {seconds:.1f} s after one went on",
    )


def test_all_servers_are_killed_and_start_again_from_disk(figures: Figures) -> None:
    """All at one moment, under traffic. Nothing that was acknowledged is missing."""
    with running() as servers:
        traffic = Traffic(on_redis(servers.url), seed=6)
        cluster = Cluster(Address.parse(servers.url))
        RedisUsers(cluster).put(User(id="ada"))
        with traffic.running() as account:
            time.sleep(2)
            for node in servers.nodes:
                node.kill()
            servers.start()
            servers.wait_until_whole()
            time.sleep(1)
        assert RedisUsers(cluster).list() == [User(id="ada")]
        cluster.close()
    require_no_harm(account)
    figures.add(
        "a whole cluster killed under load, started again from its disks",
        f"{account.counts['refreshed']:,} refreshes, {account.counts['ended']:,} endings: 0 false logouts, "
        f"0 alive again, {traffic.healed} healed; longest wait of a client {account.longest_silence:.1f} s",
    )
