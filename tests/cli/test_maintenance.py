"""`nuovo migrate`, `check` and `purge`, and what every command does when it cannot do its work."""

import pytest

from tests.cli.conftest import Nuovo, Opener, json_of
from tests.fakes.service import FakeService

COMMANDS = [
    ("migrate",),
    ("check",),
    ("purge", "--json"),
    ("users", "list", "--json"),
    ("users", "add", "ada"),
    ("users", "remove", "ada"),
    ("sessions", "start", "ada", "--json"),
    ("sessions", "list", "ada", "--json"),
    ("sessions", "revoke", "--user", "ada"),
    ("serve", "--bind", "127.0.0.1:0"),
]


def test_migrate_says_what_it_did(nuovo: Nuovo) -> None:
    assert nuovo("migrate").stdout == "Applied 0001_sessions.\n"
    assert nuovo("migrate").stdout == "Nothing to do: the database is up to date.\n"


def test_check_shows_the_settings(nuovo: Nuovo) -> None:
    result = nuovo("check")
    assert result.exit_code == 0
    assert result.stdout == (
        "SETTING             VALUE\n"
        "NUOVO_SECRET_KEY    …\n"
        "NUOVO_REPLAY_GRACE  30\n"
        "\n"
        "No column decides who is active: every user is.\n"
        "\n"
        "The settings are fine and the database is ready.\n"
    )


def test_check_says_that_the_database_is_not_ready(nuovo: Nuovo, opener: Opener) -> None:
    opener.trouble = "migrations are pending: 0001_sessions; run: nuovo migrate"
    result = nuovo("check")
    assert result.exit_code == 1
    assert "NUOVO_REPLAY_GRACE" in result.stdout
    assert result.stderr == (
        "Error: The settings are fine, but the database is not ready: "
        "migrations are pending: 0001_sessions; run: nuovo migrate\n"
    )


def test_migrate_says_that_the_database_is_away(nuovo: Nuovo, opener: Opener) -> None:
    opener.trouble = "the server refuses connections: nothing listens there"
    result = nuovo("migrate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: The database cannot do this: the server refuses connections: nothing listens there. Try: nuovo check\n"
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_purge_counts_what_it_removed(nuovo: Nuovo, service: FakeService, *, as_json: bool) -> None:
    for user in ("ada", "ada", "bob"):
        service.sign_in(user)
    service.clock.advance(service.policy.refresh_token_ttl - 1)
    service.sign_in("ada")
    assert json_of(nuovo("purge", "--json")) == {"removed": 0}
    service.clock.advance(1)
    if as_json:
        assert json_of(nuovo("purge", "--json")) == {"removed": 3}
    else:
        assert nuovo("purge").stdout == "Removed 3 expired sessions.\n"
    assert json_of(nuovo("purge", "--json")) == {"removed": 0}


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_ends_with_every_problem_of_the_settings(
    nuovo: Nuovo, opener: Opener, arguments: tuple[str, ...]
) -> None:
    """On standard error, with a status that scripts see, and before anything is done."""
    opener.problems = ["NUOVO_SECRET_KEY is not set", "NUOVO_LEEWAY: must be whole seconds"]
    result = nuovo(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == ("Error: NUOVO_SECRET_KEY is not set\nNUOVO_LEEWAY: must be whole seconds\n")


@pytest.mark.parametrize("arguments", [("sessions",), ("users",), ("no-such-command",), ("serve", "--workers", "0")])
def test_wrong_usage(nuovo: Nuovo, arguments: tuple[str, ...]) -> None:
    result = nuovo(*arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_help_names_every_command(nuovo: Nuovo) -> None:
    result = nuovo("-h")
    assert result.exit_code == 0
    for command in ("serve", "migrate", "check", "users", "sessions", "purge"):
        assert f"  {command} " in result.stdout
