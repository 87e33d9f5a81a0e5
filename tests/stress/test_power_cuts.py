"""What a power cut, or a failover, takes away: rotations at most, and their tokens bring them back.

Started sessions, revocations and cut-offs that were answered are there, nobody is logged out, and a thief is caught.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import Nuovo, wait_for
from tests.figures import Figures
from tests.postgres import PostgresServer
from tests.stress.crowd import EVERY_USE_ROTATES
from tests.stress.history import generation_of, session_of

_ROUNDS = 5


@dataclass
class Population:
    """Sessions in every state, each known by the newest token that its client has seen."""

    nuovo: Nuovo
    fresh: list[str] = field(default_factory=list)
    """Started, and not refreshed yet."""
    live: list[str] = field(default_factory=list)
    stale: str = ""
    """A token of the first live session, several rotations old when the trouble comes."""
    stolen: str = ""
    """A token of the second one, current when the last of what lasts was done."""
    revoked: list[str] = field(default_factory=list)
    cut_off: list[str] = field(default_factory=list)

    def settle(self, url: str) -> None:
        """Bring about all that must last. The last of it is a revocation that was answered."""
        with Client(url) as client:
            self.live = [self._sign_in(client, "ada") for _ in range(8)]
            self.rotate(url, rounds=2)
            self.stale = self.live[0]
            self.rotate(url, rounds=2)
            self.cut_off = [self._sign_in(client, "bob") for _ in range(3)]
            answer = client.refresh(self.cut_off[0])
            self.cut_off[0] = answer.refresh_token
            assert client.delete("/sessions", answer.access_token).status == 200
            self.revoked = [client.refresh(self._sign_in(client, "ada")).refresh_token for _ in range(3)]
            for token in self.revoked:
                assert client.log_out(token).status == 200
            self.fresh = [self._sign_in(client, "ada") for _ in range(3)]
        self.stolen = self.live[1]

    def rotate(self, url: str, rounds: int = _ROUNDS) -> None:
        """Rotate every live session, all of them answered."""
        with Client(url) as client:
            for _ in range(rounds):
                self.live = [client.refresh(token).refresh_token for token in self.live]

    def lost(self, database: Database) -> int:
        """Return how many rotations that clients have seen the table does not have."""
        return sum(self._missing(database).values())

    def check(self, nuovo: Nuovo) -> None:
        """Hold the service against what was promised. Thieves speak before the clients do."""
        database = Database(nuovo.environment["NUOVO_DATABASE_URL"])
        missing = self._missing(database)
        with Client(nuovo.url) as client:
            for token in self.revoked + self.cut_off:
                assert client.refresh(token).status == 401
            for token in self.fresh:
                assert generation_of(client.refresh(token).refresh_token) == 2
            self._check_thieves(client, database)
            for token in self.live[2:]:
                assert generation_of(client.refresh(token).refresh_token) == generation_of(token) + 1
        healed = {
            line["session_id"]: line["lost_generations"]
            for line in nuovo.log_lines
            if line["event"] == "refresh_healed"
        }
        for token in self.live[2:]:
            assert healed.get(session_of(token), 0) == missing[session_of(token)]

    def _check_thieves(self, client: Client, database: Database) -> None:
        for thief, honest in ((self.stale, self.live[0]), (self.stolen, self.live[1])):
            session = session_of(honest)
            database.put_back(session, 40)
            answer = client.refresh(thief)
            if answer.status == 200:  # the store had lost what came after it; the client moves it on
                assert client.refresh(honest).status == 200
                database.put_back(session, 40)
                assert client.refresh(answer.refresh_token).status == 401
            assert client.refresh(honest).status == 401
            assert database.session(session)["revocation_reason"] == "reuse"

    def _missing(self, database: Database) -> dict[str, int]:
        missing = {}
        for token in self.live:
            row = database.session(session_of(token))
            missing[row["session_id"]] = generation_of(token) - row["generation"]
            assert missing[row["session_id"]] >= 0
        return missing

    def _sign_in(self, client: Client, user: str) -> str:
        return client.sign_in(self.nuovo.service_credential, user).refresh_token


@pytest.mark.parametrize("torn", [False, True], ids=["clean", "torn"])
def test_sqlite_without_the_tail_of_its_log(torn: bool, databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """A copy of the files as they were on disk when the last write that waits for it had returned."""
    path = Path(databases.new("sqlite").removeprefix("sqlite:///"))
    wal = Path(f"{path}-wal")
    with Nuovo(tmp_path, f"sqlite:///{path}", workers=2, environment=EVERY_USE_ROTATES) as nuovo:
        nuovo.run("users", "add", "bob").check_returncode()
        population = Population(nuovo)
        population.settle(nuovo.url)
        synced, main = wal.stat().st_size, path.read_bytes()
        population.rotate(nuovo.url)
        assert path.read_bytes() == main  # no checkpoint came between
        log = wal.read_bytes()
        assert len(log) > synced
        nuovo.kill()

        after = tmp_path / "after.sqlite3"
        after.write_bytes(main)
        tail = log[synced : synced + 2048] + bytes(3000) if torn else b""
        Path(f"{after}-wal").write_bytes(log[:synced] + tail)
        lost = population.lost(Database(f"sqlite:///{after}"))
        assert lost == _ROUNDS * len(population.live)
        nuovo.environment["NUOVO_DATABASE_URL"] = f"sqlite:///{after}"
        nuovo.start()
        population.check(nuovo)
        assert Database(f"sqlite:///{after}").run("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    figures.add(f"power cut on SQLite, {'torn' if torn else 'clean'} log", f"{lost} rotations lost: 0 logged out")


@pytest.mark.stress
def test_sqlite_with_rotations_to_disk_loses_nothing(databases: Databases, tmp_path: Path, figures: Figures) -> None:
    """With `ROTATION_DURABILITY=disk` each of a service's connections syncs every commit."""
    path = Path(databases.new("sqlite").removeprefix("sqlite:///"))
    environment = {**EVERY_USE_ROTATES, "NUOVO_ROTATION_DURABILITY": "disk"}
    with Nuovo(tmp_path, f"sqlite:///{path}", environment=environment) as nuovo:
        nuovo.run("users", "add", "bob").check_returncode()
        population = Population(nuovo)
        population.settle(nuovo.url)
        population.rotate(nuovo.url)
        nuovo.kill()
        shutil.copy(path, tmp_path / "after.sqlite3")
        shutil.copy(f"{path}-wal", tmp_path / "after.sqlite3-wal")
        assert population.lost(Database(f"sqlite:///{tmp_path}/after.sqlite3")) == 0
        nuovo.start()
        population.check(nuovo)
    figures.add("SQLite, rotations to disk, all processes killed", "0 rotations lost, 0 logged out")


Servers = Callable[..., PostgresServer]


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Make PostgreSQL servers that are removed at the end."""
    made: list[PostgresServer] = []

    def make(**options: str) -> PostgresServer:
        made.append(PostgresServer(options=options))
        return made[-1]

    yield make
    for server in reversed(made):
        server.remove()


@pytest.mark.stress
def test_postgres_without_its_last_asynchronous_commits(servers: Servers, tmp_path: Path, figures: Figures) -> None:
    """The process that writes the log behind the commits stands still, and the server stops at once."""
    server = servers(wal_writer_delay="10s", bgwriter_delay="10s", checkpoint_timeout="1h", autovacuum="off")
    server.create()
    server.start()
    url = server.create_database("nuovo")
    with Nuovo(tmp_path, url, workers=2, environment=EVERY_USE_ROTATES).prepare("ada", "bob") as nuovo:
        population = Population(nuovo)
        population.settle(nuovo.url)
        server.freeze("walwriter")
        population.rotate(nuovo.url)
        server.stop("immediate")
        server.start()
        nuovo.await_ok("/health/ready")
        lost = population.lost(Database(url))
        assert lost > 0
        population.check(nuovo)
    figures.add("power cut on PostgreSQL", f"{lost} rotations lost: 0 logged out")


@pytest.mark.stress
@pytest.mark.parametrize(
    ("synchronous", "durability"), [(True, "process"), (True, "disk"), (False, "process")], ids=str
)
def test_a_standby_takes_over(
    synchronous: bool, durability: str, servers: Servers, tmp_path: Path, figures: Figures
) -> None:
    """The primary is killed with what it had not sent, and the standby promoted; the URL names both."""
    primary, standby = _replicated(servers, synchronous=synchronous)
    url = _url_of(primary, standby)
    environment = {**EVERY_USE_ROTATES, "NUOVO_ROTATION_DURABILITY": durability}
    with Nuovo(tmp_path, url, workers=2, environment=environment).prepare("ada", "bob") as nuovo:
        population = Population(nuovo)
        population.settle(nuovo.url)
        nothing_is_lost = synchronous and durability == "disk"
        if not synchronous:
            behind = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn < pg_current_wal_insert_lsn()"
            _run(primary, "CHECKPOINT")
            wait_for("the standby to have everything", lambda: not _run(primary, behind))
        if not nothing_is_lost:
            primary.freeze("walsender")
        population.rotate(nuovo.url)
        primary.kill()
        begun = time.monotonic()
        standby.promote()
        nuovo.await_ok("/health/ready")
        seconds = time.monotonic() - begun
        lost = population.lost(Database(url))
        assert (lost == 0) == nothing_is_lost
        population.check(nuovo)
    figures.add(
        f"failover, {'synchronous' if synchronous else 'asynchronous'} replication, rotations to {durability}",
        f"{lost} rotations lost: 0 logged out, ready {seconds:.1f} s after the promotion began",
    )


def _run(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.stress
def test_the_standby_is_out_of_reach(servers: Servers, tmp_path: Path, figures: Figures) -> None:
    """With synchronous replication, what must outlive the primary is not answered, and holds nobody else up.

    Asking again does not help a revocation past the standby either.
    """
    primary, standby = _replicated(servers, synchronous=True)
    url = _url_of(primary, standby)
    nuovo = Nuovo(tmp_path, url, workers=2, environment=EVERY_USE_ROTATES).prepare()
    with nuovo, Client(nuovo.url, timeout=60) as client:
        ending, going_on = [client.sign_in(nuovo.service_credential, "ada").refresh_token for _ in range(2)]
        client.close()  # the next request opens another
        primary.freeze("walsender")
        try:
            begun = time.monotonic()
            assert [client.log_out(ending).status for _ in range(2)] == [503, 503]
            seconds = time.monotonic() - begun
            for _ in range(20):
                going_on = client.refresh(going_on).refresh_token
        finally:
            primary.thaw("walsender")
        wait_for("the standby", lambda: client.log_out(ending).status == 200)
        assert client.refresh(ending).status == 401
        assert client.refresh(going_on).status == 200
    figures.add(
        "synchronous standby out of reach",
        f"2 revocations answered 503 in {seconds:.0f} s, 20 refreshes served; revoked when it was back",
    )


def _replicated(servers: Servers, *, synchronous: bool) -> tuple[PostgresServer, PostgresServer]:
    """Start a primary with an empty database `nuovo`, and a standby that follows it."""
    primary, standby = servers(wal_writer_delay="10s"), servers()
    primary.create()
    primary.start()
    primary.create_database("nuovo")
    standby.copy(primary)
    standby.start()
    if synchronous:
        _run(primary, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        _run(primary, "SELECT pg_reload_conf()")
    wanted = "sync" if synchronous else "async"
    wait_for("the standby", lambda: (wanted,) in _run(primary, "SELECT sync_state FROM pg_stat_replication"))
    return primary, standby


def _url_of(primary: PostgresServer, standby: PostgresServer) -> str:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"postgresql://postgres@{hosts}/nuovo?target_session_attrs=read-write"
