"""The one way in which tests start the service: `nuovo serve`, as it is installed, in a folder of its own."""

import os
import re
import secrets
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson
import psutil

from tests.e2e.client import Client

SCRIPTS = Path(sysconfig.get_path("scripts"))
NUOVO = str(SCRIPTS / "nuovo")
USER = "ada"
_INHERITED = ("PATH", "TMPDIR", "LANG", "COVERAGE_")
"""Prefixes of what the service gets of the environment of the tests: no PYTHONPATH, no setting of its own."""
_LISTENING = re.compile(r"Listening at: (?:http://)?([\d.]+:\d+|unix:\S+)\s")
_PATIENCE = 30.0
"""Seconds until something that must happen counts as never happening. Nothing waits longer than it has to."""

_T = TypeVar("_T")


class Nuovo:
    """A service over one database, with a signing key and a service credential of its own.

    As a context manager it starts the service when it is entered, unless it runs, and leaves no process behind. It may
    be stopped and started again in between, on another port.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take a folder for the log, to run in, and what to serve with; `environment` overrides any setting."""
        self.folder = folder
        self.workers = workers
        self.service_credential = secrets.token_urlsafe(48)
        self.environment = clean_environment() | {
            "HOME": str(folder),
            "NUOVO_SECRET_KEY": secrets.token_urlsafe(48),
            "NUOVO_SERVICE_CREDENTIALS": self.service_credential,
            "NUOVO_DATABASE_URL": database_url,
            **(environment or {}),
        }
        self.bind = "127.0.0.1:0"
        self.url = ""
        self.seconds_to_ready = 0.0
        self._log = folder / f"{secrets.token_hex(4)}.stderr"
        self._output = self._log.with_suffix(".stdout")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start() if self._process is None else self

    def __exit__(self, *_exception: object) -> None:
        self.kill()

    def run(self, *arguments: str, timeout: float = _PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a `nuovo` command to its end, with the settings of this service."""
        return subprocess.run(
            [NUOVO, *arguments],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env=self.environment,
            timeout=timeout,
        )

    def prepare(self, *users: str) -> Self:
        """Migrate the database and add users to the built-in table (`ada`, if none is named)."""
        for arguments in (("migrate",), *(("users", "add", user) for user in users or (USER,))):
            self.run(*arguments).check_returncode()
        return self

    def start(self, *, until: str = "/health/ready", command: tuple[str, ...] | None = None) -> Self:
        """Start `nuovo serve` (or `command`), and return when the path `until` answers 200."""
        begun = time.monotonic()
        self.spawn(command)
        try:
            self.await_ok(until)
        except BaseException:
            self.kill()
            raise
        self.seconds_to_ready = time.monotonic() - begun
        return self

    def spawn(self, command: tuple[str, ...] | None = None) -> None:
        """Start `nuovo serve` (or `command`), and return when it listens. Raises `AssertionError` if it ends."""
        assert self._process is None, "it runs already"
        options = ("--bind", self.bind, "--workers", f"{self.workers}")
        with self._log.open("wb") as log, self._output.open("wb") as output:
            self._process = subprocess.Popen(
                command or [NUOVO, "serve", *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
                start_new_session=True,
            )
        try:
            listening = wait_for("the port", self._listening)
        except BaseException:
            self.kill()
            raise
        self.url = f"http://{listening[1]}"

    def await_ok(self, path: str) -> None:
        """Return when `path` answers 200."""

        def answers() -> bool:
            with Client(self.inner_url) as client:
                return client.get(path).status == 200

        wait_for(f"200 at {path}", answers)

    def await_log(self, text: str) -> None:
        """Return when the log holds `text`."""
        wait_for(f"the log line {text!r}", lambda: text in self.log_text)

    @property
    def inner_url(self) -> str:
        """Where all of the service is reached, the start of sessions included."""
        return self.url

    @property
    def pid(self) -> int:
        """The process of gunicorn's arbiter, which was the command `nuovo` first."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def worker_pids(self) -> set[int]:
        """The processes that answer requests, now."""
        return {child.pid for child in psutil.Process(self.pid).children() if _is_alive(child)}

    @property
    def log_text(self) -> str:
        """What has been written to standard error since the last start."""
        return self._log.read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        """What has been written to standard output since the last start."""
        return self._output.read_text(encoding="utf-8")

    @property
    def log_lines(self) -> list[dict[str, Any]]:
        """The log as events. Raises if a line is not a JSON object. The last line may still be under way."""
        return [orjson.loads(line) for line in self.log_text.splitlines(keepends=True) if line.endswith("\n")]

    def terminate(self) -> None:
        """Send SIGTERM, and do not wait."""
        os.kill(self.pid, signal.SIGTERM)

    def hup(self) -> None:
        """Send SIGHUP: read settings and code again, with new workers."""
        os.kill(self.pid, signal.SIGHUP)

    def reload(self) -> None:
        """Send SIGHUP, and return when new workers alone are there."""
        before = self.worker_pids
        self.hup()
        wait_for("new workers alone", lambda: self.worker_pids and not self.worker_pids & before)

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status once the service has ended by itself."""
        self.terminate()
        return self.wait()

    def wait(self) -> int:
        """Return the exit status once the service has ended by itself."""
        status = self.ended()
        self.kill()
        return status

    def ended(self) -> int:
        """Return the exit status once gunicorn has ended, and leave a proxy as it is."""
        assert self._process is not None, "it does not run"
        return self._process.wait(_PATIENCE)

    def kill(self) -> None:
        """Send SIGKILL to every process of the service at once, if there is any, and wait until they are gone."""
        if self._process is None:
            return
        group = self._process.pid
        members = [process for process in psutil.process_iter() if _group_of(process.pid) == group]
        with suppress(ProcessLookupError):  # it has ended by itself, and nothing of it is left
            os.killpg(group, signal.SIGKILL)
        self._process.wait()
        self._process = None
        wait_for("the end of every process", lambda: not any(map(_is_alive, members)))

    def _listening(self) -> re.Match[str] | None:
        ended = self._process is None or self._process.poll() is not None
        listening = _LISTENING.search(self.log_text + self.output)
        assert listening or not ended, f"it ended before it listened:\n{self.log_text}"
        return listening


def clean_environment() -> dict[str, str]:
    """Return the environment of the tests without anything that could change the service."""
    return {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}


def wait_for(what: str, condition: Callable[[], _T | None], *, timeout: float = _PATIENCE) -> _T:
    """Return what `condition` returns as soon as that is true; a server that does not answer yet is no error."""
    deadline = time.monotonic() + timeout
    while True:
        with suppress(OSError, HTTPException):
            if result := condition():
                return result
        assert time.monotonic() < deadline, f"waited {timeout:.0f} seconds in vain for {what}"
        time.sleep(0.01)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
