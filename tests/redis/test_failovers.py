"""Masters that die or stand still under traffic: nobody is logged out, and what was ended stays ended."""

import os
import random
import time

import pytest

from tests.figures import Figures
from tests.redis.servers import Node, Servers, running, until
from tests.redis.traffic import Account, Traffic, on_redis

AT_LENGTH = bool(os.environ.get("NUOVO_TEST_STRESS"))
ROUNDS = 20 if AT_LENGTH else 2
_BETWEEN = 1.0


def fail_over(servers: Servers, victim: Node, *, leading: int = 3) -> float:
    """Wait until others lead all slots in a victim's place, and return the seconds."""
    others = [node for node in servers.nodes if node is not victim]
    return until(lambda: sum(node.is_master() for node in others) >= leading, "a replica that was promoted")


def require_no_harm(account: Account) -> None:
    assert account.false_logouts == []
    assert account.alive_again == []
    assert account.counts["refreshed"] > 100
    assert account.counts["ended"] > 0


@pytest.mark.parametrize("replicas", [1, 2])
def test_masters_are_killed(figures: Figures, replicas: int) -> None:
    """Each comes back as a replica. Where both replicas must confirm, there is no service until it has."""
    rng, promotions = random.Random(replicas), []  # noqa: S311  no secret
    with running() as servers:
        traffic = Traffic(on_redis(f"{servers.url}?replicas={replicas}"), seed=replicas)
        with traffic.running() as account:
            for _ in range(ROUNDS):
                time.sleep(_BETWEEN)
                victim = rng.choice(servers.masters())
                victim.kill()
                promotions.append(fail_over(servers, victim))
                time.sleep(_BETWEEN)
                victim.start()
                servers.wait_until_whole()
    require_no_harm(account)
    _note(figures, f"{ROUNDS} masters killed under load, {replicas} of 2 replicas confirm", traffic, promotions)


def test_masters_stand_still_and_go_on(figures: Figures) -> None:
    """Each goes on when a replica has taken its place, with connections of clients that did not notice."""
    rng, promotions = random.Random(3), []  # noqa: S311  no secret
    with running() as servers:
        traffic = Traffic(on_redis(servers.url), seed=3)
        with traffic.running() as account:
            for _ in range(ROUNDS):
                time.sleep(_BETWEEN)
                victim = rng.choice(servers.masters())
                victim.freeze()
                promotions.append(fail_over(servers, victim))
                time.sleep(_BETWEEN)
                victim.thaw()
                servers.wait_until_whole()
    require_no_harm(account)
    _note(figures, f"{ROUNDS} masters paused until a replica was promoted", traffic, promotions)


def _note(figures: Figures, what: str, traffic: Traffic, promotions: list[float]) -> None:
    counts = traffic.account.counts
    figures.add(
        what,
        f"{counts['refreshed']:,} refreshes, {counts['ended']:,} endings, {counts['unavailable']:,} answers of 503: "
        f"0 false logouts, 0 alive again, {traffic.healed} healed; promoted after {max(promotions):.1f} s at most, "
        f"longest wait of a client {traffic.account.longest_silence:.1f} s",
    )
