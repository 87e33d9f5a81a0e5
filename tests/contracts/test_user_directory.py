"""What every directory of built-in users promises."""

import pytest

from domain.model.users import User
from ports.user_directory import UserDirectory
from tests.stores import KINDS, Opened

ADA, BOB, ZOE = User(id="ada"), User(id="bob"), User(id="zoé 📱")


@pytest.fixture(params=KINDS)
def directory(request: pytest.FixtureRequest, opened: Opened) -> UserDirectory:
    """Return an empty directory of each kind."""
    return opened(request.param).directory


def test_a_new_directory_is_empty(directory: UserDirectory) -> None:
    assert directory.list() == []


def test_users_are_listed_by_identifier(directory: UserDirectory) -> None:
    for user in (ZOE, ADA, BOB):
        directory.put(user)

    assert directory.list() == [ADA, BOB, ZOE]


def test_a_user_is_switched_off_and_on_again(directory: UserDirectory) -> None:
    for user in (ADA, User(id="ada", active=False), User(id="ada", active=False), ADA):
        directory.put(user)

        assert directory.list() == [user]


def test_a_user_is_removed_once(directory: UserDirectory) -> None:
    directory.put(ADA)
    directory.put(BOB)

    assert directory.remove("ada")
    assert not directory.remove("ada")
    assert not directory.remove("nobody")
    assert directory.list() == [BOB]


def test_a_user_who_was_removed_can_be_added_again(directory: UserDirectory) -> None:
    directory.put(User(id="ada", active=False))
    directory.remove("ada")

    directory.put(ADA)

    assert directory.list() == [ADA]
