"""How gunicorn is run: with the packaged configuration, or by itself."""

import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.client import Client
from tests.e2e.database import Databases
from tests.e2e.server import SCRIPTS, USER, Nuovo

BARE_GUNICORN = (str(SCRIPTS / "gunicorn"), "--no-control-socket", "--bind", "127.0.0.1:0", "entrypoints.wsgi:app")


@pytest.fixture(scope="module")
def talkative(serve: Callable[..., Nuovo]) -> Nuovo:
    """Return a running service that logs all it can."""
    return serve("sqlite", NUOVO_LOG_LEVEL="DEBUG")


def test_the_packaged_configuration_is_in_force(talkative: Nuovo) -> None:
    """The command's own process leads the workers, and there is no way in but HTTP."""
    log = talkative.log_text
    assert f"({talkative.pid})" in log
    assert "Using worker: entrypoints.gunicorn.worker.Worker" in log
    assert len(talkative.worker_pids) == talkative.workers == 2
    for pid in (talkative.pid, *talkative.worker_pids):
        assert {str(end.laddr) for end in psutil.Process(pid).net_connections("unix")} <= {""}  # pairs, no names
    assert not (talkative.folder / ".gunicorn").exists()


def test_every_log_line_is_one_json_object_whatever_comes_in(talkative: Nuovo) -> None:
    """At the most talkative level, and without a single access log line or token among them."""
    with Client(talkative.url) as client:
        first = client.sign_in(talkative.service_credential, USER)
        second = client.refresh(first.refresh_token)
        client.refresh(f"{second.refresh_token}x")
        client.request("GET", "/no%0Asuch%22path?token=secret", headers={"X-Request-ID": 'a"b', "User-Agent": "{"})
    host, _, port = talkative.url.removeprefix("http://").partition(":")
    for raw in (b"\x16\x03\x01 no\r\n\r\n", b"GET /\n\x00 HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nA\xff: b\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(raw)
            while connection.recv(4096):
                pass
    lines = talkative.log_lines
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    ours = [line for line in lines if "logger" not in line]
    assert [line["event"] for line in ours] == ["session_started", "refresh_rotated", "refresh_refused"]
    assert ours[1]["request_id"] == second.headers["x-request-id"]
    for secret in (first.refresh_token, second.access_token, talkative.service_credential, "token=secret"):
        assert secret[-40:] not in talkative.log_text


def test_gunicorn_alone_serves_the_application_from_any_folder(tmp_path: Path, databases: Databases) -> None:
    with Nuovo(tmp_path, databases.new("sqlite")).start(command=BARE_GUNICORN) as nuovo, Client(nuovo.url) as client:
        first = client.sign_in(nuovo.service_credential, USER)
        assert client.refresh(first.refresh_token).status == 200


def test_stopping_deletes_no_folder_of_the_operator(tmp_path: Path, databases: Databases) -> None:
    """Not even one that is called as those of demonstrations are."""
    folder = tmp_path / "nuovo-demo-mine"
    folder.mkdir()
    with Nuovo(folder, databases.new("sqlite")) as nuovo:
        (folder / "precious").touch()
        assert nuovo.stop() == 0
        assert (folder / "precious").exists()

    strayed = Nuovo(folder, f"sqlite:///{folder}/demo.sqlite3", environment={"NUOVO_DEMO": "true"})
    strayed.spawn(BARE_GUNICORN)
    assert strayed.wait() != 0
    assert "NUOVO_DEMO is for `nuovo serve --demo` itself to set; unset it" in strayed.log_text
    assert (folder / "precious").exists()
