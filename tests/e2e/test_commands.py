"""The command `nuovo` as it is installed, on real databases. `tests/cli` looks at every command over fakes."""

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from tests.e2e.database import Databases
from tests.e2e.server import USER, Nuovo


def json_of(nuovo: Nuovo, *arguments: str) -> Any:
    """Return what a successful command prints on standard output, which is one line of JSON and nothing else."""
    ended = nuovo.run(*arguments, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("\n") == 1
    return orjson.loads(ended.stdout)


def test_migrations_that_start_at_once_are_applied_once(database_url: str, tmp_path: Path) -> None:
    """And a database that was away or empty is told from one that is ready, in words."""
    nuovo = Nuovo(tmp_path, database_url)
    before = nuovo.run("check")
    assert before.returncode == 1
    assert "migrations are pending: 0001_sessions; run: nuovo migrate" in before.stderr

    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(nuovo.run, ["migrate"] * 3))
    assert [process.returncode for process in ended] == [0] * 3
    assert sorted(process.stdout for process in ended) == [
        "Applied 0001_sessions.\n",
        *["Nothing to do: the database is up to date.\n"] * 2,
    ]

    after = nuovo.run("check")
    assert (after.returncode, after.stderr) == (0, "")
    assert after.stdout.endswith("\nThe settings are fine and the database is ready.\n")
    for secret in (nuovo.environment["NUOVO_SECRET_KEY"], nuovo.service_credential):
        assert secret not in after.stdout


def test_the_fixed_forms(databases: Databases, tmp_path: Path) -> None:
    """Those that scripts rely on."""
    nuovo = Nuovo(tmp_path, databases.new("sqlite"))
    started = json_of(nuovo, "sessions", "start", USER, "--device", "Télé")
    assert set(started) == {"session_id", "access_token", "refresh_token"}
    (listed,) = json_of(nuovo, "sessions", "list", USER)
    assert (listed["id"], listed["device"]) == (started["session_id"], "Télé")
    assert nuovo.run("sessions", "revoke", "--session", started["session_id"]).returncode == 0
    assert json_of(nuovo, "sessions", "list", USER) == []
    assert json_of(nuovo, "purge") == {"removed": 0}


def test_trouble_is_told_in_words_on_standard_error(tmp_path: Path) -> None:
    nuovo = Nuovo(tmp_path, f"sqlite:///{tmp_path}/missing/nuovo.sqlite3")
    for arguments in (("sessions", "start", USER, "--json"), ("migrate",)):
        ended = nuovo.run(*arguments)
        assert ended.returncode == 1
        assert ended.stderr.startswith("Error: ")
        assert ended.stderr.count("\n") == 1
        assert "Traceback" not in ended.stderr


def test_version(tmp_path: Path) -> None:
    """Which needs no settings at all."""
    nuovo = Nuovo(tmp_path, "", environment={"NUOVO_SECRET_KEY": ""})
    assert nuovo.run("--version").stdout == f"nuovo, version {version('nuovo')}\n"
