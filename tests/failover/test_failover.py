"""PostgreSQL under Patroni, two instances of Nuovo, and a primary that goes: nobody honest is logged out."""

import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from tests.builders import first_token
from tests.failover.patroni import Node, Patroni, running, until
from tests.fakes.clock import START
from tests.figures import Figures
from tests.redis.test_failovers import require_no_harm
from tests.redis.traffic import Instance, Traffic

ROUNDS = 10 if os.environ.get("NUOVO_TEST_STRESS") else 1
CLIENTS = 20
_BETWEEN = 2.0
_ON_THEIR_WAY = 0.3
"""Seconds for requests to arrive where nobody reads them yet."""
LOGOUT = RevocationReason.LOGOUT

Break = Callable[[Patroni, Node], None]


def on_postgres(url: str, *, waits: bool = True) -> Instance:
    engine = open_engine(url, sync_every_write=waits)
    return Instance(PeeweeSessions(engine), engine.drop_connection)


def _migrate(patroni: Patroni) -> str:
    url = patroni.url("postgres")
    engine = open_engine(url)
    Schema(engine).migrate()
    engine.drop_connection()
    return url


def _kill(patroni: Patroni, primary: Node) -> None:
    primary.kill()
    _promoted(patroni, primary)
    time.sleep(_BETWEEN)
    patroni.start()


def _pause(patroni: Patroni, primary: Node) -> None:
    primary.freeze()
    _promoted(patroni, primary)
    time.sleep(_BETWEEN)
    primary.thaw()


def _cut_off(patroni: Patroni, primary: Node) -> None:
    primary.cut_off()
    _promoted(patroni, primary)
    time.sleep(_BETWEEN)
    primary.mend()


def _switch_over(patroni: Patroni, primary: Node) -> None:
    patroni.switch_over()


def _promoted(patroni: Patroni, primary: Node) -> None:
    others = [node for node in patroni.nodes if node is not primary]
    until(lambda: any(node.is_primary() for node in others), "a standby that was promoted")


@pytest.mark.parametrize("happening", [_kill, _pause, _cut_off, _switch_over], ids=lambda each: each.__name__[1:])
def test_the_primary_goes_under_traffic(happening: Break, figures: Figures) -> None:
    """Killed, paused, cut off from the other servers but not from its clients, or sent to the second row."""
    with running() as patroni:
        url = _migrate(patroni)
        traffic, gaps = Traffic(on_postgres(url), on_postgres(url), clients=4, seed=ROUNDS), []
        with traffic.running() as account:
            time.sleep(_BETWEEN)
            for _ in range(ROUNDS):
                account.take_gap()
                happening(patroni, patroni.primary())
                patroni.wait_until_whole()
                time.sleep(_BETWEEN)
                gaps.append(account.take_gap())
        require_no_harm(account)
        counts = account.counts
        figures.add(
            f"PostgreSQL under Patroni: {happening.__name__[1:].replace('_', ' ')}, {ROUNDS} rounds",
            f"{counts['refreshed']:,} refreshes, {counts['ended']:,} endings, {counts['unavailable']:,} answers of 503,"
            f" 0 false logouts, 0 alive again, {traffic.healed} healed;"
            f" without service {median(gaps):.1f} s (median) and {max(gaps):.1f} s (longest),"
            f" longest wait of a client {account.longest_silence:.1f} s",
        )


class Latecomer(threading.Thread):
    """A client that has asked a primary before, and asks it once more while it stands still."""

    def __init__(self, url: str, token: RefreshToken, *, looks: bool, waits: bool) -> None:
        super().__init__()
        self._instance, self._token, self._looks = on_postgres(url, waits=waits), token, looks
        self.has_connected, self.may_ask = threading.Event(), threading.Event()
        self.was_served = False

    def run(self) -> None:
        sessions, token = self._instance.sessions, self._token
        sessions.get(token.user_id, token.session_id)
        self.has_connected.set()
        assert self.may_ask.wait(90)
        try:
            if self._looks:
                session = sessions.get(token.user_id, token.session_id).session
                self.was_served = session is not None and session.revoked_at is None
            else:
                step = rotate(token, now=START + 1, policy=SessionPolicy(), replaces=1)
                self.was_served = sessions.rotate(step) is not None
        except StoreUnavailableError:
            pass
        finally:
            self._instance.close()


@pytest.mark.parametrize("looks", [True, False], ids=["a look", "a step"])
def test_a_primary_that_was_replaced_while_it_stood_still_serves_nobody(looks: bool, figures: Figures) -> None:
    """Its sessions were ended at the new one. Where rotations wait for the standby it answers nobody."""
    waiting, hasty = (_served_by_the_past(waits=waits, looks=looks) for waits in (True, False))
    figures.add(
        f"a paused old primary, {CLIENTS} clients: {'look' if looks else 'step'}s of sessions revoked at the new one",
        f"{waiting} served with ROTATION_DURABILITY=disk, {hasty} with the default",
    )

    assert waiting == 0
    assert hasty > 0


@pytest.mark.parametrize("looks", [True, False], ids=["a look", "a step"])
def test_a_watchdog_resets_a_primary_that_stands_still_before_it_is_replaced(looks: bool, figures: Figures) -> None:
    """So that it serves nobody, whatever rotations wait for. The device is played: the kernel's is not everywhere."""
    served = _served_by_the_past(waits=False, looks=looks, has_watchdogs=True)
    figures.add(
        f"the same with a watchdog (played) and the default: {'look' if looks else 'step'}s", f"{served} served"
    )
    assert served == 0


def _served_by_the_past(*, waits: bool, looks: bool, has_watchdogs: bool = False) -> int:
    with running(has_watchdogs=has_watchdogs) as patroni:
        url = _migrate(patroni)
        store = on_postgres(url)
        tokens = [first_token("ada") for _ in range(CLIENTS)]
        for token in tokens:
            store.sessions.start(Session.recalled(token))
        clients = [Latecomer(url, token, looks=looks, waits=waits) for token in tokens]
        for client in clients:
            client.start()
        for client in clients:
            assert client.has_connected.wait(60)
        old = patroni.primary()

        old.freeze()
        _promoted(patroni, old)
        if old.watchdog is not None:
            assert old.watchdog.fired_at is not None, "it was replaced before it was reset"
        for token in random.sample(tokens, len(tokens)):
            until(partial(_is_revoked, store, token), "a revocation that is confirmed")
        for client in clients:
            client.may_ask.set()
        time.sleep(_ON_THEIR_WAY)
        old.thaw()
        for client in clients:
            client.join(90)
        store.close()
        return sum(client.was_served for client in clients)


def _is_revoked(store: Instance, token: RefreshToken) -> bool:
    try:
        store.sessions.revoke(token, at=START + 1, reason=LOGOUT)
    except StoreUnavailableError:
        return False
    return True
