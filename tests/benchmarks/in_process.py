"""Refreshes without a server: direct WSGI calls, and the least that their work can cost.

All are called in turns, one request each, so that none has the processor's caches to itself.
"""

import hashlib
import hmac
import io
import secrets
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import falcon

from domain.model.actors import THE_OPERATOR
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from entrypoints.bootstrap import Built, build
from entrypoints.settings import load_settings
from infrastructure.authlib.keys import generate_private_key
from infrastructure.logs import configure_logging
from tests.benchmarks.peers.empty_falcon import create_app

USER = "ada"
WARM_UP = 300
_MARKER = b'"refresh_token":"'


def a_service(url: str, **settings: str) -> Built:
    """Return Nuovo over a database that is ready and holds one user."""
    service = build(
        load_settings(
            {"NUOVO_SECRET_KEY": secrets.token_urlsafe(48), "NUOVO_DATABASE_URL": url, "NUOVO_LOG_LEVEL": "INFO"}
            | {"NUOVO_REPLAY_GRACE": "0"}  # every use rotates: otherwise repeats would be measured
            | settings
        )
    )
    service.operations.migrate()
    service.operations.directory.put(User(id=USER))
    return service


class WsgiClient:
    """Calls an application as a server does, each time with the token of the last answer."""

    def __init__(self, app: "falcon.App[falcon.Request, falcon.Response]", token: str) -> None:
        self._app = app
        self.token = token
        self.answer = b""

    def refresh(self) -> int:
        """Refresh once; return the nanoseconds that the application took."""
        environ = self._environ()
        started = time.perf_counter_ns()
        answer = b"".join(self._app(environ, _start_response))
        spent = time.perf_counter_ns() - started
        at = answer.find(_MARKER)
        if at >= 0:
            at += len(_MARKER)
            self.token = answer[at : answer.index(b'"', at)].decode("ascii")
        self.answer = answer
        return spent

    def _environ(self) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/refresh_token",
            "QUERY_STRING": "",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_LENGTH": "0",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }


def measure(requests: int) -> dict[str, float]:
    """Return the median microseconds of each kind of refresh."""
    with TemporaryDirectory() as folder, logs_in(Path(folder) / "log"):
        rotating = _client(f"sqlite:///{folder}/rotating.sqlite3")
        empty = WsgiClient(create_app(rotating.answer), rotating.token)
        calls: dict[str, Callable[[], int]] = {
            "empty Falcon resource": empty.refresh,
            "rotation": rotating.refresh,
            "rotation, with claims of user and session": _client_with_claims(Path(folder) / "claims.sqlite3").refresh,
            "without rotation": _client(f"sqlite:///{folder}/kept.sqlite3", NUOVO_ROTATION="false").refresh,
            "physical limit": _least_work(Path(folder) / "least.sqlite3", rotating.token),
        }
        times: dict[str, list[int]] = {name: [] for name in calls}
        for number in range(WARM_UP + requests):
            for name, call in calls.items():
                spent = call()
                if number >= WARM_UP:
                    times[name].append(spent)
        # Not in turns: whoever comes after large numbers, or a wait for the disk, starts with cold caches.
        key = generate_private_key("ES256")
        es256 = _client(f"sqlite:///{folder}/es256.sqlite3", NUOVO_ACCESS_TOKEN_KEY=key)
        times["rotation, access tokens with ES256"] = [es256.refresh() for _ in range(requests)]
        durable = _client(f"sqlite:///{folder}/durable.sqlite3", NUOVO_ROTATION_DURABILITY="disk")
        times["rotation that waits for the disk"] = [durable.refresh() for _ in range(requests // 10)]
    return {name: statistics.median(spent) / 1000 for name, spent in times.items()}


@contextmanager
def logs_in(path: Path) -> Iterator[None]:
    """Write logs as in production, to a file."""
    real = sys.stderr
    with path.open("w", encoding="utf-8") as file:
        sys.stderr = file
        try:
            configure_logging(as_json=True, level="INFO")
            yield
        finally:
            sys.stderr = real


def _client_with_claims(path: Path) -> WsgiClient:
    """Return a client whose access tokens have two columns of a users table, and what the sign-in gave."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY, active BOOLEAN, role TEXT, tenant_id INTEGER)")
        connection.execute("INSERT INTO people VALUES (?, 1, 'admin', 7)", (USER,))
    return _client(
        f"sqlite:///{path}",
        SessionTerms(device="benchmark", claims={"amr": ["pwd", "otp"]}),
        NUOVO_USERS_TABLE="people",
        NUOVO_USERS_CLAIMS="role,tenant_id:tenant",
    )


def _client(url: str, terms: SessionTerms | None = None, /, **settings: str) -> WsgiClient:
    service = a_service(url, **settings)
    pair = service.operations.service.start(USER, terms or SessionTerms(device="benchmark"), by=THE_OPERATOR)
    assert pair.refresh_token is not None
    client = WsgiClient(service.app(), pair.refresh_token)
    client.refresh()
    return client


def _least_work(path: Path, token: str) -> Callable[[], int]:
    """Return one HS256 verification, two signatures and one conditional upsert, and nothing else."""
    key, message, signature = secrets.token_bytes(48), *token.encode("ascii").rpartition(b".")[::2]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE sessions (id TEXT PRIMARY KEY, generation INTEGER, at INTEGER) WITHOUT ROWID")
    generation = 0

    def work() -> int:
        nonlocal generation
        generation += 1
        started = time.perf_counter_ns()
        hmac.compare_digest(hmac.new(key, message, hashlib.sha256).digest(), signature)
        hmac.new(key, message, hashlib.sha256).digest()
        hmac.new(key, message, hashlib.sha256).digest()
        cursor = connection.execute(
            "INSERT INTO sessions VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET generation = EXCLUDED.generation, at = EXCLUDED.at WHERE generation = EXCLUDED.generation - 1",
            ("a" * 22, generation, 1_800_000_000),
        )
        assert cursor.rowcount == 1
        return time.perf_counter_ns() - started

    return work


def _start_response(status: str, headers: Any, exc_info: Any = None, /) -> Callable[[bytes], object]:
    if not status.startswith("200"):
        raise RuntimeError(f"not the answer of a refresh: {status}")
    return _no_write


def _no_write(data: bytes) -> None:
    """WSGI's old way to write, which no application here uses."""
