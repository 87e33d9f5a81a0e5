"""A contender behind nginx and a server, with a fresh database, for as long as it is measured."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.benchmarks.contenders import Contender
from tests.benchmarks.load import Job, Report
from tests.e2e.nginx import Nginx
from tests.postgres import PostgresServer

CLIENTS = 16
_PEERS = Path(__file__).parent / "peers"
_CHECKOUT = Path(__file__).parents[2]
_LOAD = Path(__file__).with_name("load.py")
_DISTANCE = Path(__file__).with_name("distance.py")
_READY_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How contenders are served: gunicorn's worker and how many of them, or Granian."""

    title: str
    worker_class: str = "sync"
    threads: int = 1
    workers: int = 1
    keeps_alive: bool = False
    """Whether nginx keeps its connections to the server."""
    app: str | None = None
    """The application, if it is not the contender's own."""

    def command(self, listener: str, app: str) -> list[str]:
        """Return what starts it."""
        python, count = [sys.executable, "-m"], ["--workers", str(self.workers)]
        if self.worker_class == "granian":
            threads = ["--blocking-threads", str(self.threads)]
            return [*python, "granian", "--interface", "wsgi", "--uds", listener, *count, *threads, "--no-ws", app]
        worker = ["--worker-class", self.worker_class, "--threads", str(self.threads)]
        options = ["--bind", f"unix:{listener}", *count, *worker]
        if app.startswith("entrypoints."):
            return [*python, "entrypoints.gunicorn", *options, app]
        # The same settings without Nuovo's logs and what they import.
        return [*python, "gunicorn", *options, "--http-parser", "python", "--no-control-socket", app]


PACKAGED = Kind(title="gunicorn, sync")
GRANIAN = Kind(title="Granian", worker_class="granian")
SERVERS = {"gunicorn": PACKAGED, "granian": GRANIAN}
_KEEP_ALIVE = {
    "upstream nuovo {": "upstream nuovo { keepalive 16; keepalive_timeout 1s; keepalive_requests 1000000;",
    "proxy_read_timeout 30s;": 'proxy_read_timeout 30s; proxy_http_version 1.1; proxy_set_header Connection "";',
}
_LONG_LIVED = {"# The inner door": "keepalive_requests 1000000; # The inner door"}
"""Clients keep their connections for as long as they are measured."""


class Server:
    """A contender that answers on a port of its own."""

    def __init__(
        self, contender: Contender, folder: Path, url: str, kind: Kind, environment: Mapping[str, str]
    ) -> None:
        self.contender = contender
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NUOVO_")},
            "PYTHONPATH": os.pathsep.join([str(_PEERS), str(_CHECKOUT)]),
            "BENCH_SECRET_KEY": (key := secrets.token_urlsafe(48)),
            "BENCH_DATABASE_URL": url,
            "NUOVO_SECRET_KEY": key,
            "NUOVO_DATABASE_URL": url,
            **contender.environment,
            **environment,
        }
        prepared = self._run("-m", contender.sessions, str(CLIENTS))
        self.tokens: list[str] = prepared["tokens"]
        if not contender.database:
            self._environment["BENCH_ANSWER"] = prepared["answer"]
        self.port, self.seconds_to_ready = 0, 0.0
        self._start(kind)

    def _run(self, *arguments: str, **options: Any) -> Any:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=self._environment,
            check=False,
            capture_output=True,
            **options,
        )
        if done.returncode:
            server_log = self._folder / "server.log"
            said = server_log.read_text(errors="replace")[-2000:] if server_log.exists() else ""
            raise RuntimeError(f"{done.stderr.decode()[-4000:]}\n{said}")
        return json.loads(done.stdout)

    def _start(self, kind: Kind) -> None:
        """Start the server and nginx, and ask until it is ready."""
        app = "counted:app" if "BENCH_APP" in self._environment else kind.app or self.contender.app
        listener = self._folder / "server.sock"
        replaced = _LONG_LIVED | (_KEEP_ALIVE if kind.keeps_alive else {})
        self._nginx = Nginx(self._folder, nuovo=(f"unix:{listener}",) * 2, replaced=replaced)
        self._nginx.__enter__()
        self.port = self._nginx.inner
        started = time.perf_counter()
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                kind.command(str(listener), app), cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )
        self._wait_until_ready(started + _READY_WITHIN)
        self.seconds_to_ready = time.perf_counter() - started

    def _wait_until_ready(self, deadline: float) -> None:
        request = f"GET {self.contender.ready_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        answer = b""
        while not answer.startswith(b"HTTP/1.1 ") or answer.startswith(b"HTTP/1.1 503"):
            if time.perf_counter() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._folder / "server.log").read_text()[-4000:])
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(request.encode("ascii"))
                answer = connection.recv(1000)
            time.sleep(0.005)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return psutil.Process(self._process.pid).children()

    def memory(self) -> int:
        """Return the bytes that the one worker holds in memory, shared libraries included."""
        return max(worker.memory_info().rss for worker in self.workers())

    def load(self, seconds: float, *, store_pids: list[int], **options: Any) -> Report:
        """Let the clients refresh for some seconds, each going on with the token of its last answer."""
        job = Job(
            port=self.port,
            head=self.contender.head,
            body=self.contender.body,
            tokens=self.tokens,
            token_name=self.contender.token_name,
            seconds=seconds,
            server_pids=[self._process.pid, *(worker.pid for worker in self.workers())],
            store_pids=store_pids,
            **options,
        )
        report = Report(**self._run(str(_LOAD), input=json.dumps(asdict(job)).encode()))
        self.tokens = report.tokens
        return report

    def stop(self) -> None:
        """End the server and nginx, and wait for them."""
        self._process.terminate()
        self._process.wait(30)
        self._nginx.stop()


class Stage:
    """Where servers appear: a PostgreSQL server for all, a folder and a database for each."""

    def __init__(self) -> None:
        self._postgres = PostgresServer()
        self._postgres.create()
        self._postgres.start()
        self._distant: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """Remove everything."""
        for process in self._distant:
            process.kill()
            process.wait()
        self._postgres.remove()

    def create_database(self, *, round_trip: float = 0.0) -> str:
        """Make an empty PostgreSQL database and return its URL, `round_trip` seconds further away than it is."""
        url = self._postgres.create_database(f"bench_{secrets.token_hex(6)}")
        if not round_trip:
            return url
        command = [sys.executable, str(_DISTANCE), str(self._postgres.port), str(round_trip)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._distant.append(process)
        assert process.stdout is not None
        return url.replace(f":{self._postgres.port}/", f":{int(process.stdout.readline())}/")

    def store_pids(self, contender: Contender) -> list[int]:
        """Return the database server's processes, if `contender` uses one."""
        if contender.database != "postgres":
            return []
        postmaster = int((self._postgres.data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *(child.pid for child in psutil.Process(postmaster).children(recursive=True))]

    @contextmanager
    def serve(
        self,
        contender: Contender,
        kind: Kind = PACKAGED,
        environment: Mapping[str, str] | None = None,
        *,
        round_trip: float = 0.0,
    ) -> Iterator[Server]:
        """Run `contender` over a fresh database, and remove both afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="nuovo-bench-"))
        in_postgres = contender.database == "postgres"
        url = self.create_database(round_trip=round_trip) if in_postgres else f"sqlite:///{folder}/bench.sqlite3"
        server = None
        try:
            server = Server(contender, folder, url, kind, environment or {})
            yield server
        finally:
            if server is not None:
                server.stop()
            if in_postgres:
                with psycopg.connect(self._postgres.url, autocommit=True) as connection:
                    name = url.rpartition("/")[2]
                    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
            shutil.rmtree(folder)

    def statements_per_request(self, contender: Contender) -> float:
        """Count the SQL statements of a second of refreshes, those that open connections included."""
        if not contender.database:
            return 0.0
        with tempfile.TemporaryDirectory() as folder:
            count = Path(folder) / "count"
            counted = {"BENCH_APP": contender.app, "BENCH_COUNT": str(count)}
            log = self._postgres.data.parent / "log"
            with self._logging(contender), self.serve(contender, environment=counted) as server:
                before = _statements_in(log)
                report = server.load(1.0, warm_up=0.0, store_pids=[])
                logged = _statements_in(log) - before
            total = int(count.read_text(encoding="ascii")) if contender.database == "sqlite" else logged
        return total / report.requests

    @contextmanager
    def _logging(self, contender: Contender) -> Iterator[None]:
        """Make PostgreSQL write each statement to its log."""
        if contender.database != "postgres":
            yield
            return
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute("ALTER ROLE postgres SET log_statement = 'all'")
            try:
                yield
            finally:
                connection.execute("ALTER ROLE postgres RESET log_statement")


def _statements_in(log: Path) -> int:
    text = log.read_bytes()
    return text.count(b"LOG:  statement:") + text.count(b"LOG:  execute ")
