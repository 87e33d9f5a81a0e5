"""The units under systemd: a Debian becomes a machine as the runbook says, and lives through what machines meet."""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import pytest

from tests.deploy.debian import CLONE, Debian
from tests.deploy.page import BLOCKS
from tests.e2e.client import Answer
from tests.e2e.server import wait_for

CERTIFICATE = """
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=app.example.org \\
    -addext subjectAltName=DNS:app.example.org -keyout /etc/ssl/app.example.org.key -out /etc/ssl/app.example.org.pem
"""
THROUGH_NGINX = """
curl --silent --fail --cacert /etc/ssl/app.example.org.pem --resolve app.example.org:443:127.0.0.1 \\
    --request POST --header "Authorization: Bearer $TOKEN" https://app.example.org/refresh_token \\
    | jq -r .data.refresh_token
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    with Debian(tmp_path_factory.mktemp("systemd")) as debian:
        yield debian


class Device:
    """An honest session that keeps refreshing, whatever happens to the machine."""

    def __init__(self, debian: Debian, credential: str) -> None:
        self._debian = debian
        with debian.client() as client:
            answer = client.sign_in(credential, "ada")
        assert answer.status == 201
        self.token = answer.refresh_token
        self.statuses = Counter[int]()
        """Of all answers that have come."""

    def refresh(self) -> Answer:
        with self._debian.client() as client:
            answer = client.refresh(self.token)
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.token = answer.refresh_token
        return answer

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Refresh without a pause in the meantime. No answer at all is what nginx would ask again for."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.is_set():
                try:
                    self.refresh()
                except (OSError, HTTPException):
                    time.sleep(0.01)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            before = self.statuses[200]
            wait_for("traffic", lambda: self.statuses[200] > before + 20)
            yield
            time.sleep(0.5)
        finally:
            ended.set()
            thread.join()


def test_a_machine_from_its_installation_to_its_crashes(debian: Debian) -> None:
    """Every command that installs is run as it is written, and nobody is logged out by what comes after."""
    install(debian)
    debian.run("nuovo users add ada")
    credential = debian.run(". ./.env; printf %s ${NUOVO_SERVICE_CREDENTIALS#*:}")
    device = Device(debian, credential)
    assert device.refresh().status == 200
    device.token = debian.run(THROUGH_NGINX, TOKEN=device.token).strip()

    may_do_little(debian)
    purge_beside_it(debian)
    be_watched(debian)
    reload_and_stop_under_load(debian, device)
    be_killed(debian, device)
    be_rebooted(debian, device)
    lose_the_database(debian, device)
    follow_the_runbook(debian, device)
    move_to_a_file(debian, credential)
    assert set(device.statuses) <= {200, 503}


def install(debian: Debian) -> None:
    for name in ("install", "install-postgresql", "install-settings"):
        debian.run(BLOCKS[name], CLONE)
    debian.run(CERTIFICATE)
    for name in ("install-nginx", "install-start", "install-prometheus"):
        debian.run(BLOCKS[name], CLONE)
    assert debian.run("stat --format='%U:%G %a' /run/nuovo /run/nuovo/nuovo.sock").split("\n")[:2] == [
        "nuovo:nuovo 750",
        "nuovo:nuovo 660",
    ]
    status = debian.run("systemctl status nuovo")
    assert "active (running)" in status
    assert '"event":"Listening at: unix:/run/nuovo/nuovo.sock' in status, "the journal has what it says"


def may_do_little(debian: Debian) -> None:
    """As the kernel sees the process that serves."""
    status = debian.run(f"cat /proc/{debian.show('nuovo', 'MainPID')}/status")
    found = dict(line.split(":\t", 1) for line in status.splitlines())
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert {int(found[kind], 16) for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert "0" not in found["Uid"].split()
    assert debian.run("runuser -u nuovo -- sh -c 'test ! -w . && test ! -w .env && cat .env'").startswith("NUOVO_")
    assert debian.run("runuser -u postgres -- cat /etc/nuovo/.env || true").endswith("Permission denied\n")


def purge_beside_it(debian: Debian) -> None:
    """As the same user, whose shared memory systemd clears when the last of its services has ended, and not before."""
    debian.run("systemctl start nuovo-purge.service")
    assert debian.show("nuovo-purge", "Result") == "success"
    assert '{"removed":0}' in debian.run("journalctl -u nuovo-purge -o cat")
    assert "nuovo-purge.service" in debian.run("systemctl list-timers")
    assert len(metrics_folders(debian)) == 1


def be_watched(debian: Debian) -> None:
    """By Prometheus, at the inner door of nginx."""
    url = "http://127.0.0.1:9090/api/v1/query?query=nuovo_ready"
    query = f"curl -s {url} | jq -r '.data.result[].value[1]' || true"
    wait_for("Prometheus", lambda: debian.run(query).strip() == "1", timeout=60)
    assert debian.run(BLOCKS["alerts"]) == ""


def reload_and_stop_under_load(debian: Debian, device: Device) -> None:
    first, workers = debian.show("nuovo", "MainPID"), workers_of(debian)
    with device.busy():
        debian.run("systemctl reload nuovo")
        wait_for("new workers alone", lambda: workers_of(debian) and not workers_of(debian) & workers)
    assert debian.show("nuovo", "MainPID") == first
    with device.busy():
        debian.run("systemctl stop nuovo")
    assert (debian.show("nuovo", "Result"), debian.show("nuovo", "ExecMainStatus")) == ("success", "0")
    assert set(device.statuses) == {200}
    assert metrics_folders(debian) == []
    debian.run("systemctl start nuovo")
    assert device.refresh().status == 200


def be_killed(debian: Debian, device: Device) -> None:
    """Lose the first process, and then all of them: it comes back by itself, and leaves nothing behind."""
    for victims in ("main", "all"):
        restarts, folders = int(debian.show("nuovo", "NRestarts")), metrics_folders(debian)
        with device.busy():
            debian.run(f"systemctl kill --kill-whom={victims} --signal=KILL nuovo")
            wait_for("a restart", lambda: int(debian.show("nuovo", "NRestarts")) > restarts)  # noqa: B023
            served = device.statuses[200]
            wait_for("answers", lambda: device.statuses[200] > served)  # noqa: B023
        assert len(metrics_folders(debian)) == 1
        assert metrics_folders(debian) != folders


def be_rebooted(debian: Debian, device: Device) -> None:
    debian.reboot()
    wait_for("service", lambda: debian.show("nuovo", "ActiveState") == "active")
    assert debian.show("nuovo-purge.timer", "ActiveState") == "active"
    assert device.refresh().status == 200


def lose_the_database(debian: Debian, device: Device) -> None:
    """At the start, too, for longer than systemd has patience with others: it goes on trying."""
    debian.run("systemctl stop postgresql 'postgresql@*.service'")
    assert device.refresh().status == 503
    restarts = int(debian.show("nuovo", "NRestarts"))
    debian.run("! systemctl restart nuovo 2>/dev/null")
    wait_for("more attempts than five", lambda: int(debian.show("nuovo", "NRestarts")) > restarts + 5, timeout=120)
    debian.run("systemctl start postgresql")
    wait_for("service", lambda: debian.show("nuovo", "ActiveState") == "active")
    debian.run("nuovo health --at unix:/run/nuovo/nuovo.sock")
    assert device.refresh().status == 200


def follow_the_runbook(debian: Debian, device: Device) -> None:
    """With what it takes for granted elsewhere: systemd, its journal, and three users."""
    said = debian.run(BLOCKS["unavailable"])
    assert re.search(r"^ *\d+ there is no such socket$", said, re.MULTILINE), said
    assert "is ready." in debian.run(BLOCKS["down"])
    assert "pid" in debian.run(BLOCKS["waits"])
    new = debian.run(BLOCKS["key-make"]).strip()
    for name in ("key-know", "key-sign", "access-key-make", "access-key-publish", "access-key-sign"):
        workers = workers_of(debian)
        debian.run(BLOCKS[name], NEW=new)
        if name != "access-key-make":
            wait_for("new workers alone", lambda: workers_of(debian) and not workers_of(debian) & workers)  # noqa: B023
            wait_for("readiness", lambda: device.refresh().status == 200)
    with debian.client() as client:
        assert client.get("/.well-known/jwks.json").body.count(b'"kid"') == 1
        assert client.get("/sessions", device.refresh().access_token).status == 200

    debian.run(BLOCKS["backup"])
    debian.run("systemctl stop nuovo")
    assert "is ready." in debian.run(BLOCKS["restore"])
    debian.run(BLOCKS["end-again"], BACKUP_AT="2026-01-01T00:00:00")
    debian.run(BLOCKS["start"])
    assert device.refresh().status == 200


def move_to_a_file(debian: Debian, credential: str) -> None:
    """SQLite in the folder of the unit, backed up and restored."""
    debian.run("sed -i 's#^NUOVO_DATABASE_URL=.*#NUOVO_DATABASE_URL=sqlite:////var/lib/nuovo/nuovo.sqlite3#' .env")
    debian.run(BLOCKS["upgrade-restart"])
    debian.run("nuovo users add ada")
    device = Device(debian, credential)
    database = "/var/lib/nuovo/nuovo.sqlite3"
    with device.busy():
        debian.run(BLOCKS["purge"])
        debian.run(BLOCKS["backup-sqlite"], DATABASE=database)
    assert set(device.statuses) == {200}
    debian.run("systemctl stop nuovo")
    debian.run(BLOCKS["restore-sqlite"], DATABASE=database)
    debian.run(BLOCKS["start"])
    assert device.refresh().status == 200
    files = debian.run("stat --format='%U %a' /var/lib/nuovo /var/lib/nuovo/*").splitlines()
    assert set(files) == {"nuovo 700", "nuovo 600"}


def workers_of(debian: Debian) -> set[str]:
    main = debian.show("nuovo", "MainPID")
    return set(debian.run(f"cat /proc/{main}/task/{main}/children").split())


def metrics_folders(debian: Debian) -> list[str]:
    return debian.run("ls /dev/shm").split()
