"""PgBouncer in transaction mode: each transaction may meet another process of the server, which was told nothing.

Debian's package `pgbouncer` is what this needs; without it these are skipped.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import pytest

from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.builders import first_token
from tests.fakes.clock import START
from tests.peewee.engines import Engines, administer
from tests.ports import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
THREADS = 6
POLICY = SessionPolicy(replay_grace=0)

pytestmark = [
    pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer"),
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    """Return the URL of a pooler with two connections to the database."""
    server = urlsplit(database_url)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="nuovo-pgbouncer-"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        "[databases]\n"
        f"* = host={server.hostname} port={server.port} user={server.username or 'postgres'}"
        f"{f' password={server.password}' if server.password else ''}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n",
        encoding="utf-8",
    )
    folder.chmod(0o755)
    assert PGBOUNCER is not None
    process = subprocess.Popen(
        [PGBOUNCER, str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user="nobody" if os.geteuid() == 0 else None,
    )
    try:
        give_up_at = time.monotonic() + 10
        while time.monotonic() < give_up_at:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"postgresql://nuovo@127.0.0.1:{port}{server.path}"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def in_threads(work: object, engines: list[Engine]) -> list[object]:
    """Do the same with each engine at the same moment, in a thread of its own."""
    together = Barrier(len(engines))

    def one(engine: Engine) -> object:
        together.wait(30)
        try:
            return work(engine)  # type: ignore[operator]
        finally:
            engine.drop_connection()

    with ThreadPoolExecutor(len(engines)) as pool:
        return list(pool.map(one, engines))


def live(engine: Engine) -> int:
    """Use a few sessions from their start to their end with every statement that there is; return the rotations."""
    users, sessions = PeeweeUsers(engine, UsersTable()), PeeweeSessions(engine)
    rotations = PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions))
    taken = 0
    for _ in range(12):
        token = first_token("ada")
        sessions.start(Session.recalled(token))
        for second in range(8):
            step = rotate(token, now=START + second, policy=POLICY, replaces=token.generation)
            assert rotations.rotate(step) == {}
            token, taken = step.successor, taken + 1
            standing = sessions.get("ada", token.session_id)
            assert standing.session is not None
            assert standing.session.token == token
        assert sessions.revoke(token, at=START + 9, reason=RevocationReason.LOGOUT)
        assert rotations.rotate(rotate(token, now=START + 9, policy=POLICY, replaces=token.generation)) is None
    return taken


def test_every_statement_works_whichever_process_it_meets(database_url: str, pooled_url: str, engines: Engines) -> None:
    """One refresh in seven was a 503: what was prepared, or set, at one process is unknown at the next."""
    direct = engines.open(database_url)
    Schema(direct).migrate()
    PeeweeUserDirectory(direct).put(User(id="ada"))

    counts = in_threads(live, [engines.open(pooled_url) for _ in range(THREADS)])

    assert counts == [96] * THREADS
    assert "A pooler stands before the database" in " ".join(engines.open(pooled_url).remarks())
    assert list(direct.remarks()) == []


def test_migrations_that_start_at_once(database_url: str, pooled_url: str, engines: Engines) -> None:
    """On an empty database. No lock outlives them, and no process of the server keeps what it was told."""
    applied = in_threads(lambda engine: Schema(engine).migrate(), [engines.open(pooled_url) for _ in range(THREADS)])

    assert sorted(applied, key=str) == [["0001_sessions"], *[[]] * (THREADS - 1)]
    direct = engines.open(database_url)
    assert Schema(direct).pending() == []
    assert direct.peewee.execute_sql("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    pooled = engines.open(pooled_url)
    for _ in range(4):
        assert pooled.peewee.execute_sql("SHOW statement_timeout").fetchone() == ("0",)


@pytest.mark.parametrize("sync_every_write", [True, False])
def test_what_cannot_be_repaired_waits_for_the_disk(
    database_url: str, pooled_url: str, engines: Engines, sync_every_write: bool
) -> None:
    """Even if the database itself would not wait, and whatever the process at hand was told before."""
    direct = engines.open(database_url)
    Schema(direct).migrate()
    PeeweeUserDirectory(direct).put(User(id="ada"))
    name = urlsplit(database_url).path.removeprefix("/")
    administer(
        database_url,
        "CREATE TABLE durability (operation TEXT, said TEXT);"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO durability VALUES (TG_OP, current_setting('synchronous_commit')); RETURN NEW; END $$;"
        "CREATE TRIGGER note AFTER INSERT OR UPDATE ON nuovo_sessions FOR EACH ROW EXECUTE FUNCTION note();",
    )
    administer(database_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    for url in (pooled_url, database_url):
        engine = engines.open(url, sync_every_write=sync_every_write)
        users, sessions = PeeweeUsers(engine, UsersTable()), PeeweeSessions(engine)
        token = first_token("ada")
        sessions.start(Session.recalled(token))
        rotations = PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions))
        assert rotations.rotate(rotate(token, now=START, policy=POLICY, replaces=1)) is not None
        sessions.end("ada", token.session_id, at=START, reason=RevocationReason.LOGOUT)
        engine.drop_connection()

        said = direct.peewee.execute_sql("SELECT said FROM durability").fetchall()
        assert said == [("on",), ("on" if sync_every_write else "off",), ("on",)]
        direct.peewee.execute_sql("DELETE FROM durability")
