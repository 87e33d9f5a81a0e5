"""Starting, stopping, killing and reloading the service: what was answered holds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event

import psutil

from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo, wait_for

DEVICES = 6
NEW_KEY = "NUOVO_SECRET_KEY=9s_bxWnCqSJxZyc0GAbWp3GVhtg2hrKXqMXykvG7q1Y"


@contextmanager
def rows_locked(url: str, session_ids: list[str]) -> Iterator[None]:
    """Make every rotation of these sessions wait."""
    if url.startswith("sqlite:"):
        with Database(url).holding("UPDATE nuovo_users SET id = id"):
            yield
    else:
        marks = ", ".join("?" * len(session_ids))
        with Database(url).holding(
            f"SELECT 1 FROM nuovo_sessions WHERE session_id IN ({marks}) FOR UPDATE",  # noqa: S608
            *session_ids,
        ):
            yield


def connections_of(nuovo: Nuovo) -> int:
    """Return how many connections the workers have accepted."""
    port = int(nuovo.url.rpartition(":")[2])
    return sum(
        connection.laddr.port == port
        for pid in nuovo.worker_pids
        for connection in psutil.Process(pid).net_connections("tcp4")
        if connection.status == psutil.CONN_ESTABLISHED
    )


def test_what_a_client_saw_survives_sigkill(prepared_url: str, tmp_path: Path) -> None:
    """The whole service is killed under load; every client goes on from the last token that it was given."""
    every_use_rotates = {"NUOVO_REPLAY_GRACE": "0"}
    with Nuovo(tmp_path, prepared_url, workers=2, environment=every_use_rotates) as nuovo:
        with Client(nuovo.url) as client:
            tokens = [client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(DEVICES)]
        busy = [Event() for _ in tokens]

        def refresh_until_the_end(device: int) -> None:
            with Client(nuovo.url) as client:
                for turn in range(100_000):
                    try:
                        answer = client.refresh(tokens[device])
                    except (OSError, HTTPException):
                        return
                    assert answer.status == 200
                    tokens[device] = answer.refresh_token
                    if turn >= 5:
                        busy[device].set()

        with ThreadPoolExecutor(DEVICES) as pool:
            ends = [pool.submit(refresh_until_the_end, device) for device in range(DEVICES)]
            for event in busy:
                assert event.wait(30)
            nuovo.kill()
        for end in ends:
            end.result()

        nuovo.start()
        with Client(nuovo.url) as client:
            assert [client.refresh(token).status for token in tokens] == [200] * DEVICES


def test_sigterm_answers_every_accepted_request(prepared_url: str, tmp_path: Path) -> None:
    """Requests wait for the database while the service is told to stop: each gets its answer, and then it ends."""
    with Nuovo(tmp_path, prepared_url, workers=DEVICES) as nuovo, ThreadPoolExecutor(DEVICES) as pool:
        with Client(nuovo.url) as client:
            first = [client.sign_in(nuovo.service_credential, USER) for _ in range(DEVICES)]
        clients = [Client(nuovo.url) for _ in first]
        with rows_locked(prepared_url, [answer.data["session_id"] for answer in first]):
            answers = [
                pool.submit(client.refresh, answer.refresh_token) for client, answer in zip(clients, first, strict=True)
            ]
            wait_for("every request to be accepted", lambda: connections_of(nuovo) >= DEVICES)
            nuovo.terminate()
            nuovo.await_log("Handling signal: term")
            assert not any(answer.done() for answer in answers)
        # Where all this took longer than a statement waits for a lock, 503 is an answer, too.
        assert {answer.result().status for answer in answers} <= {200, 503}
        assert nuovo.wait() == 0
        for client in clients:
            client.close()


def test_a_reload_changes_the_key_and_logs_nobody_out(tmp_path: Path, databases: Databases) -> None:
    """The old key becomes a previous one in `.env`, then is dropped: only what it signed last is refused then."""
    env_file = tmp_path / ".env"
    nuovo = Nuovo(tmp_path, databases.new("sqlite"))
    old_key = nuovo.environment.pop("NUOVO_SECRET_KEY")

    def reload(settings: str) -> None:
        env_file.write_text(settings, encoding="utf-8")
        nuovo.reload()
        nuovo.await_ok("/health/ready")

    env_file.write_text(f"NUOVO_SECRET_KEY={old_key}", encoding="utf-8")
    with nuovo:
        with Client(nuovo.url) as client:
            active, idle = (client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(2))

        reload(f"{NEW_KEY}\nNUOVO_PREVIOUS_SECRET_KEYS={old_key}")
        with Client(nuovo.url) as client:
            renewed = client.refresh(active)
            assert renewed.status == 200
            assert renewed.refresh_token.partition(".")[0] != active.partition(".")[0]  # the key's id is in there

        reload(NEW_KEY)
        with Client(nuovo.url) as client:
            assert client.refresh(renewed.refresh_token).status == 200
            assert client.refresh(idle).status == 401


def test_a_reload_with_a_wrong_setting_changes_nothing_and_says_why(tmp_path: Path, databases: Databases) -> None:
    """As nginx does it. Gunicorn by itself would end the service, since its new workers cannot start."""
    env_file = tmp_path / ".env"
    with Nuovo(tmp_path, databases.new("sqlite")) as nuovo:
        before = nuovo.worker_pids
        env_file.write_text("NUOVO_LEEWAY=much", encoding="utf-8")
        nuovo.hup()
        nuovo.await_log("Nothing was reloaded, the old settings stay: NUOVO_LEEWAY: must be whole seconds")
        assert nuovo.worker_pids == before
        nuovo.await_ok("/health/ready")

        env_file.write_text("NUOVO_LEEWAY=1", encoding="utf-8")
        nuovo.reload()
        nuovo.await_ok("/health/ready")
