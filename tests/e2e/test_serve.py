"""What `nuovo serve` says before it serves, and that it does so in any folder."""

import os
import socket
from pathlib import Path

import psutil
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Databases
from tests.e2e.server import USER, Nuovo


@pytest.fixture
def nuovo(tmp_path: Path, databases: Databases) -> Nuovo:
    """Return a service that does not run yet, in a folder that is not there for anything else."""
    folder = tmp_path / "here"
    folder.mkdir()
    return Nuovo(folder, databases.new("sqlite"))


def refusal(nuovo: Nuovo, bind: str, *options: str) -> str:
    """Return the one line with which the command ends, at once, before anything has started."""
    ended = nuovo.run("serve", "--bind", bind, *options, timeout=10)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    return ended.stderr


@pytest.mark.parametrize(
    ("bind", "reason"),
    [
        ("127.0.0.1:99999", "port must be 0-65535"),
        ("8000", "it is neither HOST:PORT nor unix:PATH"),
        ("127.0.0.1", "it is neither HOST:PORT nor unix:PATH"),
        ("127.0.0.1:http", "it is neither HOST:PORT nor unix:PATH"),
        ("::1:8000", "it is neither HOST:PORT nor unix:PATH"),
        ("192.0.2.1:8000", "Cannot assign requested address"),
        ("no-such-host.invalid:8000", "Name or service not known|name resolution|No address"),
        ("unix:/no/such/folder/nuovo.sock", "there is no such folder"),
        ("unix:/etc/hostname", "there is something that is no socket"),
    ],
)
def test_a_wrong_address_is_refused_in_words(nuovo: Nuovo, bind: str, reason: str) -> None:
    said = refusal(nuovo, bind)
    assert said.startswith(f"Error: Nothing can listen at {bind}: ")
    assert any(known in said for known in reason.split("|"))
    assert said.endswith(". Choose another --bind.\n")


@pytest.mark.parametrize("options", [(), ("--demo",)])
def test_a_busy_port_is_refused_in_words(nuovo: Nuovo, options: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        bind = f"127.0.0.1:{busy.getsockname()[1]}"
        assert "Address already in use" in refusal(nuovo, bind, *options)


def test_a_unix_socket_is_for_owner_and_group_and_is_not_taken_from_another(nuovo: Nuovo) -> None:
    path = nuovo.folder / "nuovo.sock"
    nuovo.bind = f"unix:{path}"
    nuovo.spawn()
    try:
        assert oct(path.stat().st_mode & 0o777) == "0o660"
        assert "somebody listens there already" in refusal(nuovo, nuovo.bind)
        os.kill(nuovo.pid, 9)  # what it leaves behind is in nobody's way
        psutil.wait_procs([psutil.Process(nuovo.pid)])
    finally:
        nuovo.kill()
    assert path.is_socket()
    nuovo.spawn()
    nuovo.kill()


def test_a_database_that_is_not_ready_is_said_at_the_start(tmp_path: Path) -> None:
    """And the service waits for it, answering 503."""
    nuovo = Nuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3")
    with nuovo.start(until="/health/live"), Client(nuovo.url) as client:
        first, *others = nuovo.log_text.splitlines()
        assert first.startswith("The database is not ready, and until it is, requests are answered with 503: ")
        assert "run: nuovo migrate" in first
        assert not any("nuovo migrate" in line for line in others)
        assert client.get("/health/ready").status == 503
        nuovo.prepare()
        assert client.get("/health/ready").status == 200


@pytest.mark.parametrize(("bind", "lines"), [("0.0.0.0:0", 1), ("127.0.0.1:0", 0)])
def test_other_machines_belong_behind_a_proxy(nuovo: Nuovo, bind: str, lines: int) -> None:
    """It is said once, in the log."""
    nuovo.bind = bind
    nuovo.spawn()
    try:
        nuovo.await_log("Booting worker")
        assert nuovo.log_text.count("put a proxy with TLS in front") == lines
    finally:
        nuovo.kill()


def test_packages_that_lie_in_the_folder_are_not_ours(nuovo: Nuovo) -> None:
    """Neither at the start nor at a reload."""
    for name in ("domain", "ports", "infrastructure", "entrypoints", "gunicorn", "falcon"):
        (nuovo.folder / name).mkdir()
        (nuovo.folder / name / "__init__.py").write_text("raise SystemExit('not ours')\n", encoding="utf-8")
    with nuovo, Client(nuovo.url) as client:
        first = client.sign_in(nuovo.service_credential, USER)
        assert client.refresh(first.refresh_token).status == 200
        nuovo.reload()
        assert client.get("/health/ready").status == 200
