"""`nuovo sessions copy`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.model.actors import THE_OPERATOR
from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from ports.transfer import Part
from tests.cli.conftest import Nuovo, Opener, json_of
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.transfer import FakeTransfer

URL = "redis://:hush@h:1"


class Interrupted(FakeTransfer):
    """A store that is away after so many parts."""

    def __init__(self, sessions: FakeSessions, parts: int) -> None:
        super().__init__(sessions)
        self.parts = parts

    def export(self, after: str = "") -> Iterator[Part]:
        for part in super().export(after):
            if not self.parts:
                raise StoreUnavailableError("the server cannot be reached")
            self.parts -= 1
            yield part


@pytest.fixture
def other(opener: Opener, service: FakeService) -> FakeService:
    """Return what serves on the other database, by the same key."""
    other = FakeService(clock=service.clock, tokens=service.tokens)
    opener.elsewhere[URL] = Opener(other)
    return other


def rows_of(service: FakeService) -> object:
    assert isinstance(service.sessions, FakeSessions)
    return service.sessions.rows


def sign_in(service: FakeService, clock: FakeClock, count: int) -> None:
    for _ in range(count):
        service.sign_in()
    clock.advance(3600)


def test_everything_is_copied_and_counted(nuovo: Nuovo, service: FakeService, other: FakeService) -> None:
    sign_in(service, service.clock, 5)
    service.end_all("bob", by=THE_OPERATOR)

    assert json_of(nuovo("sessions", "copy", "--to", URL, "--json")) == {
        "users": 0,
        "sessions": 5,
        "cut_offs": 1,
        "again": 0,
    }

    assert rows_of(other) == rows_of(service)


def test_people_are_told_the_same(nuovo: Nuovo, service: FakeService, other: FakeService) -> None:
    sign_in(service, service.clock, 2)

    ended = nuovo("sessions", "copy", "--to", URL)

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == "Copied 2 sessions, 0 cut-offs and 0 users; 0 sessions once more.\n"


def test_the_url_may_be_in_a_file(nuovo: Nuovo, service: FakeService, other: FakeService, tmp_path: Path) -> None:
    """The arguments of a command are for all to see."""
    sign_in(service, service.clock, 1)
    (tmp_path / "url").write_text(f"{URL}\n", encoding="utf-8")

    assert nuovo("sessions", "copy", "--to-file", f"{tmp_path}/url").exit_code == 0

    assert rows_of(other) == rows_of(service)


@pytest.mark.parametrize("arguments", [(), ("--to", URL, "--to-file", __file__)])
def test_one_place_must_be_named(nuovo: Nuovo, arguments: tuple[str, ...]) -> None:
    ended = nuovo("sessions", "copy", *arguments)

    assert ended.exit_code == 2
    assert "Give either --to URL or --to-file PATH." in ended.stderr


def test_built_in_users_come_along_and_nobody_is_switched_on_again(
    nuovo: Nuovo, service: FakeService, other: FakeService
) -> None:
    service.users.put(User(id="eve", active=False))
    other.users.put(User(id="bob", active=False))

    assert "and 1 users" in nuovo("sessions", "copy", "--to", URL).stdout

    assert other.users.list() == [User(id="ada"), User(id="bob", active=False), User(id="eve", active=False)]


def test_an_interrupted_copy_says_how_to_go_on(
    nuovo: Nuovo, opener: Opener, service: FakeService, other: FakeService
) -> None:
    sign_in(service, service.clock, 7)
    assert isinstance(service.sessions, FakeSessions)
    opener.transfer = Interrupted(service.sessions, parts=1)

    stopped = nuovo("sessions", "copy", "--to", URL)

    assert stopped.exit_code == 1
    assert "The database cannot do this: the server cannot be reached" in stopped.stderr
    place = stopped.stderr.partition("Go on with the same command and: --after '")[2].partition("'")[0]
    opener.transfer = FakeTransfer(service.sessions)
    assert json_of(nuovo("sessions", "copy", "--to", URL, "--after", place, "--json")) == {
        "users": 0,
        "sessions": 4,
        "cut_offs": 0,
        "again": 0,
    }
    assert rows_of(other) == rows_of(service)


def test_a_place_that_is_none_is_said(nuovo: Nuovo, other: FakeService) -> None:
    ended = nuovo("sessions", "copy", "--to", URL, "--after", "there")

    assert ended.exit_code == 2
    assert "--after must be a place that an earlier run has printed" in ended.stderr


def test_a_url_that_cannot_be_used_is_said_without_it(nuovo: Nuovo) -> None:
    ended = nuovo("sessions", "copy", "--to", "mysql://hush@h")

    assert ended.exit_code == 1
    assert "The other database cannot be used:\nNUOVO_DATABASE_URL must begin with" in ended.stderr
    assert "hush" not in ended.stderr


def test_another_database_that_is_not_ready_is_said(nuovo: Nuovo, opener: Opener, other: FakeService) -> None:
    opener.elsewhere[URL].trouble = "migrations are pending: 0001_sessions; run: nuovo migrate"

    ended = nuovo("sessions", "copy", "--to", URL)

    assert ended.exit_code == 1
    assert "The other database cannot be used:\nmigrations are pending" in ended.stderr
