"""Where rotations wait for a standby, looks that decide about tokens do so as well."""

from collections.abc import Iterator

import psycopg
import pytest

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from tests.builders import new_session
from tests.postgres import PostgresServer

SESSION = new_session()
_NEXT_TRANSACTION = b"SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
KEY = (SESSION.token.user_id, SESSION.token.session_id)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Lend a migrated server of the module's own, with a session."""
    server = PostgresServer()
    try:
        server.create()
        server.start()
        engine = open_engine(server.url)
        Schema(engine).migrate()
        PeeweeSessions(engine).start(SESSION)
        engine.drop_connection()
        yield server
    finally:
        server.remove()


def look(server: PostgresServer, *, waits: bool) -> bool:
    """Tell whether the session is found."""
    engine = open_engine(server.url, sync_every_write=waits)
    try:
        return PeeweeSessions(engine).get(*KEY).session == SESSION
    finally:
        engine.drop_connection()


@pytest.mark.parametrize("waits", [True, False])
def test_without_a_standby_a_look_writes_nothing(server: PostgresServer, *, waits: bool) -> None:
    _set(server, "")
    with psycopg.connect(server.url, autocommit=True) as connection:
        before = connection.execute(_NEXT_TRANSACTION).fetchone()
        assert look(server, waits=waits)

        assert connection.execute(_NEXT_TRANSACTION).fetchone() == before


def test_a_primary_whose_standby_has_gone_answers_no_look(server: PostgresServer) -> None:
    """Whether it was replaced, it cannot know. Where rotations do not wait, looks do not either."""
    _set(server, "gone")

    assert look(server, waits=False)
    with pytest.raises(StoreUnavailableError):
        look(server, waits=True)


def _set(server: PostgresServer, standbys: str) -> None:
    with psycopg.connect(server.url, autocommit=True, options="-c synchronous_commit=off") as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'".encode())
        connection.execute("SELECT pg_reload_conf()")
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(100):
            if connection.execute("SHOW synchronous_standby_names").fetchone() == (standbys,):
                return
            connection.execute("SELECT pg_sleep(0.05)")
    raise TimeoutError
