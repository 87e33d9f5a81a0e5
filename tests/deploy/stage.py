"""A small production on loopback: PostgreSQL, two instances of Nuovo, nginx in front, Prometheus with the rules.

Each instance stands for a machine of its own, with a folder for /etc/nuovo. Commands are run as an operator would run
them there; `systemctl` and `journalctl` are played by this module, because systemd is process 1 or nothing.
"""

import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import psutil

from tests.deploy.page import without_users
from tests.deploy.programs import DEPLOY, program
from tests.e2e.client import Client
from tests.e2e.nginx import Nginx
from tests.e2e.server import SCRIPTS, Nuovo, clean_environment, wait_for
from tests.ports import free_port
from tests.postgres import PostgresServer

METRICS_CREDENTIAL = "tR8vYw2Nq5Kz7Lm4Bx6Dc9Fh3Jp1Gs0QaEoUiTrWnXy"
GRACE = 1
"""Seconds of replay grace: short, so that a test need not wait long to be late."""
_ASK = """#!{python}
import socket, sys
with socket.socket(socket.AF_UNIX) as ask:
    ask.connect({path!r})
    ask.sendall("\\0".join([{what!r}, {machine!r}, *sys.argv[1:]]).encode() + b"\\n")
    said = ask.makefile().read()
sys.stdout.write(said[:-1])
sys.exit(0 if said.endswith("+") else 1)
"""


class DebianPostgres(PostgresServer):
    """A cluster of the machine's own PostgreSQL, where there is one: its `pg_dump` belongs to it."""

    def __init__(self) -> None:
        super().__init__()
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        if found:
            self._bin = found[-1].parent

    @property
    def programs(self) -> Path:
        return self._bin


class Machine(Nuovo):
    """An instance that reads its settings from `.env`, and keeps its port through every restart."""

    def __init__(self, folder: Path, database_url: str, settings: Mapping[str, str]) -> None:
        folder.mkdir()
        super().__init__(folder, database_url, workers=2)
        self.settings = {
            name: self.environment.pop(name) for name in list(self.environment) if name.startswith("NUOVO_")
        } | dict(settings)
        self.service_credential = self.settings["NUOVO_SERVICE_CREDENTIALS"]
        self.bind = f"127.0.0.1:{free_port()}"
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()), "utf-8")
        self.history = ""

    @property
    def journal(self) -> str:
        """All that it has written, since it was first started."""
        return self.history + (self.log_text if self._log.exists() else "")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def systemctl(self, verb: str) -> None:
        """Do what the unit does."""
        if verb in ("stop", "restart"):
            if self.is_running:
                assert self.stop() == 0
            self.kill()
            self.history = self.journal
            self._log.write_text("", encoding="utf-8")
        if verb in ("start", "restart"):
            self.run("migrate").check_returncode()
            self.start(until="/health/live")
        if verb == "reload":
            before = self.worker_pids
            self.hup()
            wait_for("new workers alone", lambda: self.worker_pids and not self.worker_pids & before)


class Stage:
    """All of it. As a context manager it starts everything but the instances, and leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backups = folder / "backups"
        self._stack = ExitStack()
        self.postgres = DebianPostgres()
        self._stack.callback(self.postgres.remove)

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        self.backups.mkdir()
        self.postgres.create()
        self.postgres.start()
        url = self.postgres.create_database("nuovo")
        common = {
            "NUOVO_METRICS_CREDENTIALS": METRICS_CREDENTIAL,
            "NUOVO_TRUSTED_PROXIES": "127.0.0.1",
            "NUOVO_REPLAY_GRACE": str(GRACE),
        }
        first = Machine(self.folder / "a", url, common)
        secrets = {name: first.settings[name] for name in ("NUOVO_SECRET_KEY", "NUOVO_SERVICE_CREDENTIALS")}
        second = Machine(self.folder / "b", url, common | secrets)
        self.machines = {"a": first, "b": second}
        for machine in self.machines.values():
            self._stack.callback(machine.kill)
        self.credential = first.service_credential
        door = self.folder / "nginx"
        door.mkdir()
        self.nginx = Nginx(door, nuovo=(first.bind, second.bind), replaced={"rate=50r/s": "rate=100000r/s"})
        self._stack.enter_context(self.nginx)
        self.url = f"http://127.0.0.1:{self.nginx.public}"
        self.inner_url = f"http://127.0.0.1:{self.nginx.inner}"
        self._start_prometheus()
        self._play_systemd()

    def client(self) -> Client:
        """Return a connection to the door for browsers."""
        return Client(self.url)

    def inner(self) -> Client:
        """Return a connection to the inner door."""
        return Client(self.inner_url)

    def run(self, commands: str, machine: str = "a", **variables: str) -> str:
        """Run what the runbook says on a machine, by bash, and return what it printed. Fails where a command fails."""
        mine = self.machines[machine]
        commands = without_users(commands)
        for written, real in {
            "/etc/nuovo": str(mine.folder),
            "/var/backups/nuovo": str(self.backups),
            "http://127.0.0.1:8000": self.inner_url,
            "http://127.0.0.1:9090": self.prometheus_url,
            "--at unix:/run/nuovo/nuovo.sock": f"--at {mine.bind}",
        }.items():
            commands = commands.replace(written, real)
        path = ":".join(
            [str(self.folder / "bin" / machine), str(SCRIPTS), str(self.postgres.programs), os.environ["PATH"]]
        )
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            check=False,
            cwd=mine.folder,
            env={**clean_environment(), "HOME": str(mine.folder), **variables, "PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=300,
        )
        assert ended.returncode == 0, f"{commands}\n{ended.stdout}"
        return ended.stdout

    def firing(self) -> set[str]:
        """Return the alerts that fire."""
        with Client(self.prometheus_url) as client:
            answer = client.get("/api/v1/alerts")
        alerts: list[dict[str, Any]] = json.loads(answer.body)["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def targets_up(self) -> int:
        """Return of how many instances Prometheus has figures."""
        with Client(self.prometheus_url) as client:
            answer = client.get("/api/v1/query?query=sum(up%7Bjob%3D%22nuovo%22%7D)")
        result = json.loads(answer.body)["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def _start_prometheus(self) -> None:
        folder, port = self.folder / "prometheus", free_port()
        folder.mkdir()
        shutil.copy(DEPLOY / "prometheus/nuovo.rules.yml", folder)
        (folder / "nuovo.credential").write_text(METRICS_CREDENTIAL, encoding="ascii")
        text = (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8")
        for written, real in {
            "15s": "1s",
            "nuovo-1:8000, nuovo-2:8000": ", ".join(machine.bind for machine in self.machines.values()),
            "alertmanager:9093": f"127.0.0.1:{port}",
        }.items():
            assert written in text
            text = text.replace(written, real)
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program("prometheus"),
                    "--config.file=prometheus.yml",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                cwd=folder,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_end, process)
        self.prometheus_url = f"http://127.0.0.1:{port}"

        def is_ready() -> bool:
            with Client(self.prometheus_url) as client:
                return client.get("/-/ready").status == 200

        wait_for("Prometheus", is_ready)

    def _play_systemd(self) -> None:
        """Put programs of these names first on each machine's path, which ask here."""
        path = self.folder / "systemd"
        stage = self

        class Answer(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                what, machine, *arguments = self.rfile.readline().decode().rstrip("\n").split("\0")
                try:
                    said = stage._journal() if what == "journalctl" else stage._systemctl(machine, arguments)
                    self.wfile.write(f"{said}+".encode())
                except Exception as error:  # noqa: BLE001  for the operator to see
                    self.wfile.write(f"{error!r}\n-".encode())

        server = socketserver.ThreadingUnixStreamServer(str(path), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        for machine in self.machines:
            folder = self.folder / "bin" / machine
            folder.mkdir(parents=True)
            for what in ("systemctl", "journalctl"):
                ask = folder / what
                ask.write_text(_ASK.format(python=sys.executable, path=str(path), what=what, machine=machine), "utf-8")
                ask.chmod(0o755)

    def _systemctl(self, machine: str, arguments: list[str]) -> str:
        verb, unit = arguments
        assert unit == "nuovo"
        self.machines[machine].systemctl(verb)
        return ""

    def _journal(self) -> str:
        """Return what all machines have written, as a collector of logs has it, among what systemd says of them."""
        return "".join(f"Started nuovo.service.\n{machine.journal}" for machine in self.machines.values())


def _end(process: subprocess.Popen[bytes]) -> None:
    for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        each.kill()
    process.wait(30)
