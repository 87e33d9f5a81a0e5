"""SQLite crowded, and on a full disk."""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.sessions import PeeweeSessions
from tests.builders import new_session, next_rotation
from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo
from tests.figures import Figures
from tests.stress.crowd import EVERY_USE_ROTATES

_PROCESSES = 8
_OPERATIONS = 300


def _write(url: str) -> float:
    """Start, rotate and end sessions as fast as possible; return how long the slowest operation took."""
    engine = open_engine(url)
    sessions = PeeweeSessions(engine)
    slowest, session = 0.0, new_session()
    for number in range(_OPERATIONS):
        begun = time.monotonic()
        match number % 10:
            case 0:
                session = new_session()
                sessions.start(session)
            case 9:
                token = session.token
                assert sessions.revoke(token, at=token.issued_at, reason=RevocationReason.LOGOUT)
            case _:
                rotation = next_rotation(session)
                assert sessions.rotate(rotation) is not None
                session = session.rotated(rotation)
        slowest = max(slowest, time.monotonic() - begun)
    engine.drop_connection()
    return slowest


@pytest.mark.stress
def test_eight_processes_write_at_once(databases: Databases, figures: Figures) -> None:
    """No statement fails on the lock: each is one transaction that waits for its turn."""
    url = databases.new("sqlite")
    begun = time.monotonic()
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as processes:
        slowest = max(processes.map(_write, [url] * _PROCESSES))
    seconds = time.monotonic() - begun
    assert Database(url).run("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    (row,) = Database(url).run("SELECT COUNT(*) AS started, COUNT(revoked_at) AS ended FROM nuovo_sessions")
    assert row == {"started": _PROCESSES * 30, "ended": _PROCESSES * 30}
    figures.add(
        f"SQLite, {_PROCESSES} processes, {_OPERATIONS} writes each",
        f"0 lock errors in {seconds:.1f} s, the slowest write waited {slowest * 1000:.0f} ms",
    )


def test_a_database_that_may_not_grow(databases: Databases, figures: Figures) -> None:
    """`max_page_count` stands in for the disk: what does not fit is `StoreUnavailableError`, and nothing is broken."""
    url = databases.new("sqlite")
    engine = open_engine(url)
    sessions = PeeweeSessions(engine)
    kept = new_session()
    sessions.start(kept)
    # A connection that failed is given up, and the limit with it: there is room again.
    (pages,) = engine.peewee.execute_sql("PRAGMA page_count").fetchone()
    engine.peewee.execute_sql(f"PRAGMA max_page_count = {pages}")
    stored = 0
    try:
        while stored < 1000:
            sessions.start(new_session(device="x" * 255))
            stored += 1
    except StoreUnavailableError:
        pass
    assert stored < 1000
    sessions.start(new_session(device="x" * 255))
    assert sessions.rotate(next_rotation(kept)) is not None
    engine.drop_connection()
    assert Database(url).run("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert Database(url).run("SELECT COUNT(*) AS rows FROM nuovo_sessions") == [{"rows": stored + 2}]
    figures.add("SQLite that may not grow", f"full after {stored} sessions, well again at once, integrity ok")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True)
    if mount.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.stress
def test_the_disk_is_full_and_has_room_again(small_disk: Path, tmp_path: Path, figures: Figures) -> None:
    """Full: nothing but 503. Room again: the tokens are as good as ever, without a restart."""
    url = f"sqlite:///{small_disk}/nuovo.sqlite3"
    ballast = small_disk / "ballast"
    with Nuovo(tmp_path, url, workers=2, environment=EVERY_USE_ROTATES).prepare() as nuovo, Client(nuovo.url) as client:
        tokens = [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(20)]
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1024))
        statuses: list[int] = []
        for _ in range(10):
            for number, token in enumerate(tokens):
                answer = client.refresh(token)
                statuses.append(answer.status)
                if answer.status == 200:
                    tokens[number] = answer.refresh_token
        statuses += [client.sign_in(nuovo.service_credential, USER, device="x" * 255).status for _ in range(50)]
        assert set(statuses) <= {200, 201, 503}
        assert 503 in statuses
        assert client.get("/health/live").status == 200
        ballast.unlink()
        for token in tokens:
            assert client.refresh(token).status == 200
        assert client.sign_in(nuovo.service_credential, USER).status == 201
        assert client.get("/health/ready").status == 200
        assert Database(url).run("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    figures.add(
        "SQLite on a full disk",
        f"{statuses.count(503)} of {len(statuses)} answered 503, the rest served; well again at once, integrity ok",
    )


def test_the_file_is_not_there_at_the_start(tmp_path: Path, databases: Databases, figures: Figures) -> None:
    """The service starts, says that it lives and is not ready, and is when the file has come."""
    folder = tmp_path / "volume"
    nuovo = Nuovo(tmp_path, f"sqlite:///{folder}/nuovo.sqlite3").start(until="/health/live")
    with nuovo, Client(nuovo.url) as client:
        assert client.get("/health/ready").status == 503
        assert client.sign_in(nuovo.service_credential, USER).status == 503
        folder.mkdir()
        Path(databases.new("sqlite").removeprefix("sqlite:///")).rename(folder / "nuovo.sqlite3")
        assert client.get("/health/ready").status == 200
        token = client.sign_in(nuovo.service_credential, USER).refresh_token
        assert client.refresh(token).status == 200
    figures.add("SQLite's file away at the start", "serves as soon as it is there")
