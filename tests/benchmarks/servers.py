"""A contender behind gunicorn, with one worker and a fresh database, for as long as it is measured."""

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
from importlib.resources import files
from pathlib import Path
from typing import Any

import psutil
import psycopg

from entrypoints import gunicorn_conf
from tests.benchmarks.contenders import Contender
from tests.benchmarks.load import Job, Report
from tests.postgres import PostgresServer

CLIENTS = 16
_PEERS = Path(__file__).parent / "peers"
_CHECKOUT = Path(__file__).parents[2]
_LOAD = Path(__file__).with_name("load.py")
_READY_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerKind:
    """How gunicorn answers: the packaged way, or another one to compare with."""

    worker_class: str = gunicorn_conf.worker_class
    threads: int = gunicorn_conf.threads

    @property
    def title(self) -> str:
        """The class's own name, and its threads if it has any."""
        name = self.worker_class.rpartition(".")[2]
        if name in ("sync", "gevent"):
            return name
        return f"{name}, {self.threads} thread{'s' if self.threads > 1 else ''}"


PACKAGED = WorkerKind()


class Server:
    """A contender that answers on a port of its own."""

    def __init__(
        self, contender: Contender, folder: Path, url: str, worker: WorkerKind, environment: Mapping[str, str]
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
        self._start(worker)

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

    def _start(self, worker: WorkerKind) -> None:
        """Start gunicorn on a socket that is bound already, and ask until it is ready."""
        app = "counted:app" if "BENCH_APP" in self._environment else self.contender.app
        worker_class = self.contender.worker_class or worker.worker_class
        options = ["--worker-class", worker_class, "--threads", str(worker.threads), "--workers", "1"]
        if self.contender.is_nuovo:
            options = ["--config", str(files("entrypoints") / "gunicorn_conf.py"), *options]
        else:  # the same settings without Nuovo's logs and what they import
            options += ["--keep-alive", str(gunicorn_conf.keepalive), "--http-parser", "python", "--no-control-socket"]
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
            self.port = listener.getsockname()[1]
            started = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options, "--bind", f"fd://{listener.fileno()}", app],
                cwd=self._folder,
                env=self._environment,
                stderr=(self._folder / "server.log").open("wb"),
                pass_fds=[listener.fileno()],
            )
        self._wait_until_ready(started + _READY_WITHIN)
        self.seconds_to_ready = time.perf_counter() - started

    def _wait_until_ready(self, deadline: float) -> None:
        request = f"GET {self.contender.ready_path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        wanted = b"HTTP/1.1 200" if self.contender.ready_path != "/" else b"HTTP/1.1 "
        answer = b""
        while not answer.startswith(wanted):
            if time.perf_counter() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._folder / "server.log").read_text()[-4000:])
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(request.encode("ascii"))
                answer = connection.recv(1000)

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
        """End the server and wait for it."""
        self._process.terminate()
        self._process.wait(30)


class Stage:
    """Where servers appear: a PostgreSQL server for all, a folder and a database for each."""

    def __init__(self) -> None:
        self._postgres = PostgresServer()
        self._postgres.create()
        self._postgres.start()

    def close(self) -> None:
        """Remove everything."""
        self._postgres.remove()

    def create_database(self) -> str:
        """Make an empty PostgreSQL database and return its URL."""
        return self._postgres.create_database(f"bench_{secrets.token_hex(6)}")

    def store_pids(self, contender: Contender) -> list[int]:
        """Return the database server's processes, if `contender` uses one."""
        if contender.database != "postgres":
            return []
        postmaster = int((self._postgres.data / "postmaster.pid").read_text().split()[0])
        return [postmaster, *(child.pid for child in psutil.Process(postmaster).children(recursive=True))]

    @contextmanager
    def serve(
        self, contender: Contender, worker: WorkerKind = PACKAGED, environment: Mapping[str, str] | None = None
    ) -> Iterator[Server]:
        """Run `contender` over a fresh database, and remove both afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="nuovo-bench-"))
        in_postgres = contender.database == "postgres"
        url = self.create_database() if in_postgres else f"sqlite:///{folder}/bench.sqlite3"
        server = None
        try:
            server = Server(contender, folder, url, worker, environment or {})
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
