"""What Granian does differently, as docs/how-to/granian.md says it: where a limit is gone, the page can be shorter."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import SAME_ORIGIN, Client
from tests.e2e.nginx import ProxiedNuovo
from tests.e2e.server import SCRIPTS, USER, Nuovo, wait_for
from tests.http.contract import MISSING
from tests.ports import free_port
from tests.stress.traffic import traffic

pytest.importorskip("granian", reason="tox -e granian runs these")


@pytest.fixture
def nuovo(tmp_path: Path) -> Iterator[ProxiedNuovo]:
    """Return a running service of two workers behind nginx."""
    with ProxiedNuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3", workers=2).prepare() as nuovo:
        yield nuovo


def test_behind_nginx_nobody_notices_that_a_worker_dies(nuovo: ProxiedNuovo) -> None:
    with Client(nuovo.inner_url) as client:
        tokens = [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(100)]
    with traffic(lambda: nuovo.url, tokens, per_second=200) as seen:
        for _ in range(3):
            wait_for("both workers", lambda: len(nuovo.worker_pids) == 2)
            time.sleep(6)
            os.kill(nuovo.worker_pids.pop(), signal.SIGKILL)
        time.sleep(1)
    assert seen.failures == []


def test_a_worker_that_dies_twice_ends_the_service(nuovo: ProxiedNuovo) -> None:
    (victim, other) = nuovo.worker_pids
    os.kill(victim, signal.SIGKILL)
    (successor,) = wait_for("the next worker", lambda: nuovo.worker_pids - {victim, other})
    os.kill(successor, signal.SIGKILL)
    assert nuovo.ended() == 1


def test_a_reload_with_a_wrong_setting_ends_the_service(nuovo: ProxiedNuovo) -> None:
    (nuovo.folder / ".env").write_text("NUOVO_LEEWAY=much", encoding="utf-8")
    nuovo.hup()
    assert nuovo.ended() == 1


def test_a_stop_ends_by_itself(nuovo: ProxiedNuovo) -> None:
    """Of a service whose workers have all started, at once; of another after `--workers-kill-timeout`."""
    nuovo.terminate()
    assert nuovo.ended() == 0


def test_without_nginx_a_byte_of_another_cookie_hides_the_refresh_cookie(tmp_path: Path) -> None:
    """Which nginx mends: it passes the refresh cookie alone (tests/hostile/test_wire.py)."""
    command = (str(SCRIPTS / "granian"), "--interface", "wsgi", "--port", f"{free_port()}", "entrypoints.wsgi:app")
    nuovo = Nuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3").prepare()
    with nuovo.start(command=command), Client(nuovo.url) as client:
        token = client.sign_in(nuovo.service_credential, USER).refresh_token
        headers = {"Cookie": f"name=J\xfcrgen; __Host-refresh_token={token}", **SAME_ORIGIN}
        assert client.request("POST", "/refresh_token", headers=headers).body == MISSING
