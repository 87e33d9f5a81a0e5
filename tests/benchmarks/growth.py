"""How cost grows with history: time per refresh and size on disk, in process, on SQLite.

Rows are seeded in bulk, as that many sign-ins or refreshes leave them, and a sample of the sessions is refreshed.
"""

import json
import os
import random
import secrets
import sqlite3
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from domain.model.sessions import Session
from domain.model.tokens import FIRST_GENERATION, RefreshToken, new_id
from entrypoints.settings import load_settings
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from infrastructure.peewee.tables import SESSION_COLUMNS, row_of
from tests.benchmarks.in_process import WsgiClient, a_service, logs_in

SESSIONS = (1_000, 10_000, 100_000, 1_000_000)
REFRESHES = SESSIONS
_FEW = 1_000
_SAMPLE = 1_000
_TURN = 50
_SIMPLEJWT = Path(__file__).parent / "peers" / "simplejwt_growth.py"


def measure_growth(largest: int) -> dict[str, list[dict[str, float]]]:
    """Return a curve for each contender and each way to grow: points of `n`, `microseconds` and `megabytes`."""
    curves: dict[str, list[dict[str, float]]] = {
        "Nuovo, by sessions": _nuovo_sessions([n for n in SESSIONS if n <= largest]),
        "simplejwt, by sessions": [_simplejwt(n, 0) for n in SESSIONS if n <= largest],
        "Nuovo, by refreshes": _nuovo_refreshes([n for n in REFRESHES if n <= largest]),
        "simplejwt, by refreshes": [_simplejwt(_FEW, n) for n in REFRESHES if n <= largest],
    }
    return curves


def _nuovo_sessions(counts: list[int]) -> list[dict[str, float]]:
    """Refresh among so many sessions, in turns: a machine that is fast now may be slow in a minute."""
    with TemporaryDirectory() as folder, logs_in(Path(folder) / "log"):
        paths = {count: Path(folder) / f"{count}.sqlite3" for count in counts}
        clients = {count: _clients(path, count) for count, path in paths.items()}
        times: dict[int, list[int]] = {count: [] for count in counts}
        for _ in range(_SAMPLE // _TURN):
            for count in counts:
                times[count] += [client.refresh() for client in clients[count][:_TURN]]
                clients[count] = clients[count][_TURN:] + clients[count][:_TURN]
        return [
            {
                "n": count,
                "microseconds": statistics.median(times[count]) / 1000,
                "megabytes": _megabytes(path),
                "rows": _rows(path),
            }
            for count, path in paths.items()
        ]


def _nuovo_refreshes(counts: list[int]) -> list[dict[str, float]]:
    """Refresh a thousand sessions in turn, all as real requests, and look at the cost on the way."""
    points = []
    with TemporaryDirectory() as folder, logs_in(Path(folder) / "log"):
        path = Path(folder) / "refreshes.sqlite3"
        clients = _clients(path, _FEW)
        done = 0
        for count in counts:
            while done < count:
                for client in clients:
                    client.refresh()
                done += len(clients)
            points.append({"n": count, **_refresh(clients), "megabytes": _megabytes(path), "rows": _rows(path)})
    return points


def _clients(path: Path, count: int) -> list[WsgiClient]:
    """Return clients of a sample of `count` sessions of one user each."""
    secret = secrets.token_urlsafe(48)
    service = a_service(f"sqlite:///{path}", NUOVO_SECRET_KEY=secret)
    now, policy = int(time.time()), load_settings({"NUOVO_SECRET_KEY": secret}).policy
    codec = AuthlibTokenCodec(KeyRing(secret), issuer="nuovo", audience="api", client_id="frontend")
    app = service.app()
    sampled = set(random.Random(1).sample(range(count), min(_SAMPLE, count)))  # noqa: S311  the same every time
    clients = []
    names, marks = ", ".join(SESSION_COLUMNS), ", ".join("?" * len(SESSION_COLUMNS))
    insert = f"INSERT INTO nuovo_sessions ({names}) VALUES ({marks})"  # noqa: S608  names of its own
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    for number in range(count):
        token = RefreshToken(
            session_id=new_id(),
            user_id=str(number),
            generation=FIRST_GENERATION,
            started_at=now,
            ends_at=now + policy.session_ttl,
            issued_at=now,
            expires_at=now + policy.refresh_token_ttl,
        )
        row = row_of(replace(Session.recalled(token), device="benchmark"))
        connection.execute(insert, [row[column] for column in SESSION_COLUMNS])
        connection.execute("INSERT INTO nuovo_users VALUES (?, 1)", (str(number),))
        if number in sampled:
            clients.append(WsgiClient(app, codec.write_refresh_token(token)))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    random.Random(2).shuffle(clients)  # noqa: S311
    return clients


def _refresh(clients: list[WsgiClient]) -> dict[str, float]:
    times = [client.refresh() for _ in range(max(1, 2 * _SAMPLE // len(clients))) for client in clients]
    return {"microseconds": statistics.median(times) / 1000}


def _simplejwt(sessions: int, refreshes: int) -> dict[str, float]:
    """Measure the peer in a process of its own: its settings are global."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "simplejwt.sqlite3"
        done = subprocess.run(
            [sys.executable, str(_SIMPLEJWT), str(sessions), str(refreshes), str(_SAMPLE)],
            env=os.environ
            | {
                "PYTHONPATH": str(_SIMPLEJWT.parent),
                "BENCH_DATABASE_URL": f"sqlite:///{path}",
                "BENCH_SECRET_KEY": secrets.token_urlsafe(48),
            },
            check=True,
            stdout=subprocess.PIPE,
        )
        return {"n": refreshes or sessions, **json.loads(done.stdout), "megabytes": _megabytes(path)}


def _megabytes(path: Path) -> float:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size / 1e6


def _rows(path: Path) -> float:
    connection = sqlite3.connect(path)
    ((count,),) = connection.execute("SELECT count(*) FROM nuovo_sessions").fetchall()
    connection.close()
    return float(count)
