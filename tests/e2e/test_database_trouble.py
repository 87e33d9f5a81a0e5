"""A database that is away, locked or not migrated: 503, the process stays, and it recovers by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import Answer, Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo, wait_for
from tests.postgres import PostgresServer

UNAVAILABLE = b'{"status":"error","code":503,"message":"Service temporarily unavailable."}'


def assert_unavailable(answer: Answer) -> None:
    """Hold an answer to what it may say: nothing about the token, and to come again."""
    assert (answer.status, answer.body) == (503, UNAVAILABLE)
    assert answer.headers["retry-after"] == "1"
    assert "set-cookie" not in answer.headers
    assert "www-authenticate" not in answer.headers


def wait_for_success(nuovo: Nuovo, token: str) -> Answer:
    """Present a token until it is answered with 200; anything but 503 before that is a defect."""

    def attempt() -> Answer | None:
        with Client(nuovo.url) as client:
            answer = client.refresh(token)
        if answer.status == 200:
            return answer
        assert_unavailable(answer)
        return None

    return wait_for("200", attempt)


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server of the test's own that does not run yet."""
    server = PostgresServer()
    try:
        server.create()
        yield server
    finally:
        server.remove()


def test_postgres_starts_after_the_service_goes_and_comes_back(server: PostgresServer, tmp_path: Path) -> None:
    with Nuovo(tmp_path, server.url).start(until="/health/live") as nuovo, Client(nuovo.url) as client:
        workers = nuovo.worker_pids
        assert_unavailable(client.get("/health/ready"))
        assert_unavailable(client.sign_in(nuovo.service_credential, USER))

        server.start()
        nuovo.prepare()
        nuovo.await_ok("/health/ready")
        first = client.sign_in(nuovo.service_credential, USER)
        second = client.refresh(first.refresh_token)

        server.stop("immediate")
        assert_unavailable(client.refresh(second.refresh_token))
        assert_unavailable(client.refresh_by_cookie(second.refresh_token))
        assert_unavailable(client.log_out(second.refresh_token))
        assert_unavailable(client.get("/health/ready"))
        assert client.get("/health/live").status == 200

        server.start()
        # The last rotation is repeated if it was on disk, and healed if not.
        third = wait_for_success(nuovo, second.refresh_token)
        assert client.refresh(third.refresh_token).status == 200
        assert nuovo.worker_pids == workers


def test_sqlite_is_made_after_the_service_has_started(tmp_path: Path) -> None:
    """First its folder is missing, then its tables are."""
    folder = tmp_path / "later"
    url = f"sqlite:///{folder}/nuovo.sqlite3"
    with Nuovo(tmp_path, url).start(until="/health/live") as nuovo, Client(nuovo.url) as client:
        assert_unavailable(client.get("/health/ready"))
        folder.mkdir()
        assert_unavailable(client.get("/health/ready"))
        assert_unavailable(client.sign_in(nuovo.service_credential, USER))
        nuovo.prepare()
        nuovo.await_ok("/health/ready")
        assert client.sign_in(nuovo.service_credential, USER).status == 201


def test_sqlite_locked_past_the_budget(tmp_path: Path, databases: Databases) -> None:
    url = databases.new("sqlite")
    with Nuovo(tmp_path, url) as nuovo, Client(nuovo.url) as client:
        first = client.sign_in(nuovo.service_credential, USER)
        with Database(url).holding("UPDATE nuovo_users SET id = id"):
            assert_unavailable(client.refresh(first.refresh_token))
        assert client.refresh(first.refresh_token).status == 200
