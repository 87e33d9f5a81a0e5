"""Connections belong to one thread of one process."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sessions import PeeweeSessions
from tests.builders import held, new_session


def connection_of(engine: Engine) -> Any:
    return engine.peewee.connection()


def test_an_engine_connects_when_it_is_first_used(engine: Engine) -> None:
    PeeweeSessions(engine)

    assert engine.peewee.is_closed()


def test_each_thread_has_a_connection_of_its_own(engine: Engine) -> None:
    mine = connection_of(engine)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(connection_of, engine).result()
        pool.submit(engine.drop_connection).result()

    assert other is not mine
    assert connection_of(engine) is mine


def test_a_fork_does_not_share_the_connection_of_its_parent(engine: Engine) -> None:
    """A server that was forked after it had used the database: both go on, each with its own connection."""
    store, before, of_the_child, after = PeeweeSessions(engine), new_session(), new_session(), new_session()
    store.start(before)

    child = os.fork()
    if child == 0:
        status = 1
        try:
            assert engine.peewee.is_closed()
            store.start(of_the_child)
            assert held(store, before.token) == before
            engine.drop_connection()
            status = 0
        finally:
            os._exit(status)

    assert os.waitpid(child, 0)[1] == 0
    assert not engine.peewee.is_closed()
    store.start(after)
    for session in (before, of_the_child, after):
        assert held(store, session.token) == session
