"""What every source of users promises."""

import pytest

from domain.model.users import User
from ports.users import Users
from tests.stores import KINDS, Opened

ADA, BOB = User(id="ada"), User(id="bob", active=False)


@pytest.fixture(params=KINDS)
def users(request: pytest.FixtureRequest, opened: Opened) -> Users:
    """Return users of each kind: `ada`, and `bob`, who is switched off."""
    store = opened(request.param)
    for user in (ADA, BOB):
        store.directory.put(user)
    return store.users


def test_users_are_found_and_told_apart(users: Users) -> None:
    assert users.find("ada") == ADA
    assert users.find("bob") == BOB


@pytest.mark.parametrize(
    "user_id",
    ["eve", "", "ADA", " ada", "ada ", "ad%", "_da", "' OR '1'='1", "7", "🦉", "a" * 255, "a" * 5000, "}{a", "*"],
)
def test_nobody_else_is_found(users: Users, user_id: str) -> None:
    assert users.find(user_id) is None


def test_what_the_application_changes_is_seen_at_once(opened: Opened) -> None:
    """Nothing about a user is remembered: who is switched off or removed is refused with the next request."""
    for kind in KINDS:
        store = opened(kind)
        for user in (ADA, User(id="ada", active=False), ADA):
            store.directory.put(user)
            assert store.users.find("ada") == user
        store.directory.remove("ada")
        assert store.users.find("ada") is None
