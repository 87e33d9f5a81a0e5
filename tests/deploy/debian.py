"""A Debian with systemd as its first process: a container of systemd-nspawn, on a network that leads nowhere.

`debootstrap` makes it, or NUOVO_TEST_DEBIAN names a folder in which it has done so before, with PACKAGES.
"""

import os
import secrets
import shutil
import socket
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.deploy.programs import DEPLOY, FOR_PIP, program, run
from tests.e2e.client import Client
from tests.e2e.server import wait_for

PACKAGES = (
    *("systemd-sysv", "dbus", "openssl"),
    *("python3-venv", "jq", "curl", "sqlite3", "postgresql", "nginx", "prometheus"),
)
CLONE = "/root/nuovo"
_WHEELS = "/root/wheels"
_PIP = "/root/pip"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": _WHEELS,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class Debian:
    """The machine. As a context manager it is made and booted when it is entered, and nothing of it is left."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "debian"
        self._nspawn = program("systemd-nspawn")
        self._console = folder / "console"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._make()
            self._boot()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._remove()

    def run(self, commands: str, folder: str = "/etc/nuovo", **variables: str) -> str:
        """Run commands there by root, and return what they printed. Fails where a command fails."""
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
        enter = ("nsenter", f"--target={self._first_process}", *namespaces)
        inside = ("bash", "-euo", "pipefail", "-c", f"cd {folder}\n{commands}")
        return run(*enter, *inside, environment=_ENVIRONMENT | variables, timeout=300)

    def show(self, unit: str, what: str) -> str:
        """Return a property of a unit."""
        return self.run(f"systemctl show --property={what} --value {unit}", "/").strip()

    def reboot(self) -> None:
        """Shut the machine down and boot it again."""
        assert self._process is not None
        self.run("systemctl --no-block poweroff", "/")
        assert self._process.wait(120) == 0
        self._boot()

    def client(self) -> Client:
        """Return a connection to Nuovo's socket there."""
        return _SocketClient(f"/proc/{self._first_process}/root/run/nuovo/nuovo.sock")

    @property
    def _first_process(self) -> int:
        return self._processes()[1].pid

    def _make(self) -> None:
        if made := os.environ.get("NUOVO_TEST_DEBIAN"):
            run("cp", "--archive", "--reflink=auto", made, str(self._root), timeout=300)
        else:
            packages = f"--include={','.join(PACKAGES)}"
            run(program("debootstrap"), "--variant=minbase", packages, "stable", str(self._root), timeout=900)
        hidden = shutil.ignore_patterns(".*", "node_modules", "tests", "build", "dist")
        shutil.copytree(DEPLOY.parent, f"{self._root}{CLONE}", ignore=hidden)
        # What pip would fetch, because the booted machine reaches no index.
        fetch = f"{_PIP}/bin/pip wheel --quiet --wheel-dir={_WHEELS} '{CLONE}[postgres]' hatchling"
        for_pip = ("--resolv-conf=copy-host", *(f"--bind-ro={path}" for path in FOR_PIP))
        run(*self._container(), *for_pip, "sh", "-c", f"python3 -m venv {_PIP} && {fetch}", timeout=600)

    def _boot(self) -> None:
        """Start systemd there. Skips the test where no container may have one."""
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                [*self._container(), "--private-network", "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

        def is_running() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                pytest.skip(f"no systemd in a container here: {self._console.read_text(encoding='utf-8')[-200:]}")
            if len(self._processes()) == 1:
                return False
            state = subprocess.run(
                ["nsenter", f"--target={self._first_process}", "--all", "systemctl", "is-system-running"],
                check=False,
                capture_output=True,
            )
            return state.stdout.strip() in (b"running", b"degraded")

        wait_for("systemd", is_running, timeout=120)

    def _processes(self) -> list[psutil.Process]:
        """Return the container's keeper and, once it is there, its first process, with which all of it ends."""
        assert self._process is not None
        keeper = psutil.Process(self._process.pid)
        return [keeper, *keeper.children()]

    def _container(self) -> list[str]:
        # Where no systemd is in charge of this machine, nobody would give the container a scope of its own.
        scope = [] if Path("/run/systemd/system").exists() else ["--keep-unit"]
        name = f"--machine=nuovo-{secrets.token_hex(4)}"
        return [self._nspawn, "--quiet", "--register=no", *scope, name, f"--directory={self._root}"]

    def _remove(self) -> None:
        if self._process is not None:
            for process in reversed(self._processes()):
                process.kill()
            self._process.wait(30)
        shutil.rmtree(self._root, ignore_errors=True)


class _SocketClient(Client):
    def __init__(self, path: str) -> None:
        super().__init__("http://localhost")
        self._connection = _SocketConnection(path)


class _SocketConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
