"""`nuovo users add`, `list` and `remove`."""

import pytest

from domain.model.users import User
from tests.cli.conftest import Nuovo, Opener, json_of
from tests.fakes.service import FakeService


def test_add(nuovo: Nuovo, service: FakeService) -> None:
    result = nuovo("users", "add", "eve")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "User eve is added, and active.\n", "")
    assert service.users.find("eve") == User(id="eve")


def test_add_switches_an_existing_user_off_and_on(nuovo: Nuovo, service: FakeService) -> None:
    """And says so: somebody who was locked out is not let in by a slip of the hand."""
    assert nuovo("users", "add", "ada", "--disabled").stdout == "User ada was active, and is disabled now.\n"
    assert service.users.find("ada") == User(id="ada", active=False)
    assert nuovo("users", "add", "ada", "--disabled").stdout == "User ada is disabled, as before.\n"
    assert nuovo("users", "add", "ada").stdout == "User ada was disabled, and is active now.\n"
    assert service.users.find("ada") == User(id="ada")
    assert nuovo("users", "add", "ada").stdout == "User ada is active, as before.\n"
    assert nuovo("users", "add", "eve", "--disabled").stdout == "User eve is added, and disabled.\n"


@pytest.mark.parametrize("arguments", [("add", "eve"), ("add", "ada", "--disabled"), ("list",), ("remove", "ada")])
def test_a_table_that_nobody_reads_is_left_alone(
    nuovo: Nuovo, opener: Opener, service: FakeService, arguments: tuple[str, ...]
) -> None:
    opener.reads_directory = False
    known = service.users.list()
    result = nuovo("users", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: Users are looked up in a table of your own (NUOVO_USERS_TABLE, NUOVO_USERS_DATABASE_URL),"
        " which Nuovo only reads. Add, disable and remove them there.\n"
    )
    assert service.users.list() == known


def test_list(nuovo: Nuovo, service: FakeService) -> None:
    service.users.put(User(id="ada", active=False))
    assert json_of(nuovo("users", "list", "--json")) == [
        {"id": "ada", "active": False},
        {"id": "bob", "active": True},
    ]
    assert nuovo("users", "list").stdout == "ID   ACTIVE\nada  no\nbob  yes\n"


def test_remove(nuovo: Nuovo, service: FakeService) -> None:
    result = nuovo("users", "remove", "bob")
    assert (result.exit_code, result.stdout) == (0, "User bob is removed.\n")
    assert service.users.find("bob") is None
    again = nuovo("users", "remove", "bob")
    assert (again.exit_code, again.stdout, again.stderr) == (1, "", "Error: There is no such user.\n")
