"""`nuovo users add`, `list` and `remove`."""

from domain.model.users import User
from tests.cli.conftest import Nuovo, json_of
from tests.fakes.service import FakeService


def test_add(nuovo: Nuovo, service: FakeService) -> None:
    result = nuovo("users", "add", "eve")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "User eve is active.\n", "")
    assert service.users.find("eve") == User(id="eve")


def test_add_switches_an_existing_user_off_and_on(nuovo: Nuovo, service: FakeService) -> None:
    assert nuovo("users", "add", "ada", "--disabled").stdout == "User ada is disabled.\n"
    assert service.users.find("ada") == User(id="ada", active=False)
    assert nuovo("users", "add", "ada").stdout == "User ada is active.\n"
    assert service.users.find("ada") == User(id="ada")


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
