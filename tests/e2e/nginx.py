"""The service behind nginx, with the configuration that the documentation has (`deploy/nginx`)."""

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import psutil
import pytest

from tests.e2e.server import SCRIPTS, Nuovo, clean_environment, wait_for
from tests.ports import free_port

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "how-to"
GRANIAN = os.environ.get("NUOVO_TEST_SERVER") == "granian"
"""Whether Granian is behind nginx, instead of gunicorn (`tox -e granian`)."""
_SOCKET = "server unix:/run/nuovo/nuovo.sock max_fails=0"
_KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def program() -> str | None:
    """Return nginx's program, which Debian keeps off the path of users."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Nginx:
    """One nginx on free ports, in a folder that gets all of its files. Skips the test where there is none."""

    def __init__(
        self,
        folder: Path,
        *,
        nuovo: tuple[str, str],
        replaced: Mapping[str, str] | None = None,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        """Take where the two servers of the upstream listen, and what else of `nuovo.conf` is to be replaced.

        `tls` is a certificate and its key; without them the public door speaks plain HTTP.
        """
        if program() is None:
            pytest.skip("no nginx here")
        self._folder = folder
        self.log, self.errors = folder / "nginx-access.log", folder / "nginx-errors.log"
        ports = self.public, self.inner = free_port(), free_port()
        assert ports[0] != ports[1]
        pages = folder / "app"
        pages.mkdir(exist_ok=True)
        (pages / "index.html").touch()
        mine = {
            "/srv/app": str(pages),
            "listen 443 ssl;": f"listen 127.0.0.1:{self.public}{' ssl' if tls else ''};",
            "ssl_certificate /etc/ssl/app.example.org.pem;": f"ssl_certificate {tls[0]};" if tls else "",
            "ssl_certificate_key /etc/ssl/app.example.org.key;": f"ssl_certificate_key {tls[1]};" if tls else "",
            "listen 127.0.0.1:8000;": f"listen 127.0.0.1:{self.inner};",
            f"{_SOCKET};\n    {_SOCKET};": f"server {nuovo[0]} max_fails=0;\n    server {nuovo[1]} max_fails=0;",
            "/var/log/nginx/nuovo.log": str(self.log),
            "/var/cache/nginx/nuovo": str(folder / "cache"),
        }
        self._write("nuovo.conf", {**mine, **(replaced or {})})
        self._main = self._write(
            "nginx.conf",
            {
                "user www-data;": "user root;" if os.geteuid() == 0 else "",
                "pid /run/nginx.pid;": f"daemon off; pid {folder}/nginx.pid;",
                "/var/log/nginx/error.log": str(self.errors),
                "/etc/nginx/nuovo.conf": str(folder / "nuovo.conf"),
                "include /etc/nginx/mime.types;": "types { text/html html; text/javascript js; } "
                + " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _KINDS),
            },
        )
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        arguments = [str(program()), "-e", "stderr", "-p", str(self._folder), "-c", str(self._main)]
        with (self._folder / "nginx-output.log").open("wb") as output:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=clean_environment()
            )
        try:
            wait_for("nginx", self._listens)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    @property
    def memory(self) -> int:
        """Return the bytes that all of its processes hold."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        return sum(process.memory_info().rss for process in [master, *master.children()])

    def _write(self, name: str, replaced: Mapping[str, str]) -> Path:
        text = (CONFIGURATION / name).read_text(encoding="utf-8")
        for old, new in replaced.items():
            assert old in text, f"{name}: no {old}"
            text = text.replace(old, new)
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def _listens(self) -> bool:
        assert self._process is not None
        said = (self._folder / "nginx-output.log").read_text(encoding="utf-8")
        assert self._process.poll() is None, said
        for port in (self.public, self.inner):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True


class ProxiedNuovo(Nuovo):
    """A service that nginx alone reaches, over a Unix socket. `url` is the door for browsers, here without TLS."""

    def __init__(self, folder: Path, database_url: str, *, unlimited: bool = True, **options: Any) -> None:
        """Take what `Nuovo` takes; `unlimited` lifts what one address may send and how many connections it may have."""
        super().__init__(folder, database_url, **options)
        self.bind = f"unix:{folder}/nuovo.sock"
        lifted = {"rate=50r/s": "rate=100000r/s", "nuovo_connections 1000": "nuovo_connections 60000"}
        self.nginx = Nginx(folder, nuovo=(self.bind, self.bind), replaced=lifted if unlimited else {})

    @property
    def inner_url(self) -> str:
        return f"http://127.0.0.1:{self.nginx.inner}"

    def spawn(self, command: tuple[str, ...] | None = None) -> None:
        """Start both, and return when both listen."""
        super().spawn(command or (self._granian() if GRANIAN else None))
        self.nginx.__enter__()
        self.url = f"http://127.0.0.1:{self.nginx.public}"

    def kill(self) -> None:
        """Leave nothing of either."""
        self.nginx.stop()
        super().kill()

    def _granian(self) -> tuple[str, ...]:
        """Return the command of docs/how-to/granian.md."""
        text = (DOCUMENTATION / "granian.md").read_text(encoding="utf-8")
        (command,) = re.findall(r"^    (granian (?:.*\\\n)*.*)$", text, re.MULTILINE)
        own = {"/run/nuovo/nuovo.sock": self.bind.removeprefix("unix:"), "--workers 2": f"--workers {self.workers}"}
        for old, new in own.items():
            assert old in command, f"granian.md: no {old}"
            command = command.replace(old, new)
        return (str(SCRIPTS / "granian"), *shlex.split(command.replace("\\\n", ""))[1:])


class InnerDoor(ProxiedNuovo):
    """The same, seen by a service of one's own."""

    def spawn(self, command: tuple[str, ...] | None = None) -> None:
        super().spawn(command)
        self.url = self.inner_url


SERVERS: dict[str, type[Nuovo]] = {"behind nginx": ProxiedNuovo} | ({} if GRANIAN else {"bare": Nuovo})
"""The ways in which tests reach the service."""


def address_of(url: str) -> tuple[str, int]:
    """Return what to connect to."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
