"""`nuovo sessions start`, `list` and `revoke`."""

from dataclasses import replace
from typing import Any

import pytest

from domain.model.actors import THE_OPERATOR
from domain.model.errors import InvalidRefreshTokenError, KeyNotProvenError
from domain.model.proofs import DeviceBinding, ProvenKey
from domain.model.users import User
from ports.security_log import Happening
from ports.sessions import Page
from tests.builders import KEY
from tests.cli.conftest import Nuovo, Opener, json_of
from tests.fakes.clock import START
from tests.fakes.service import FakeService


def started(nuovo: Nuovo, *arguments: str) -> Any:
    return json_of(nuovo("sessions", "start", *arguments, "--json"))


def test_start_prints_one_object_with_exactly_the_tokens(nuovo: Nuovo, service: FakeService) -> None:
    printed = started(nuovo, "ada", "--device", "Firefox on Linux")
    assert set(printed) == {"session_id", "access_token", "refresh_token"}
    assert service.refresh(printed["refresh_token"]).session_id == printed["session_id"]


def test_start_for_people(nuovo: Nuovo, service: FakeService) -> None:
    result = nuovo("sessions", "start", "ada")
    lines = dict(line.split(": ") for line in result.stdout.splitlines())
    assert list(lines) == ["session_id", "access_token", "refresh_token"]
    assert service.refresh(lines["refresh_token"]).session_id == lines["session_id"]


def test_start_for_nobody(nuovo: Nuovo) -> None:
    result = nuovo("sessions", "start", "eve", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no such user. Add one to the built-in table with: nuovo users add ID\n"


def test_start_for_a_disabled_user(nuovo: Nuovo, service: FakeService) -> None:
    service.users.put(User(id="ada", active=False))
    result = nuovo("sessions", "start", "ada")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: This user is disabled.\n")


@pytest.mark.parametrize("device", ["x" * 256, "bell\a", "two\nlines"])
def test_start_refuses_a_device_that_no_terminal_could_show(nuovo: Nuovo, device: str) -> None:
    result = nuovo("sessions", "start", "ada", "--device", device)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--device must have at most 255 printable characters" in result.stderr


def test_start_binds_the_session_to_a_key(nuovo: Nuovo, service: FakeService) -> None:
    """Nobody goes on without it."""
    token = started(nuovo, "ada", "--dpop-jkt", KEY)["refresh_token"]
    with pytest.raises(KeyNotProvenError):
        service.refresh(token)
    assert service.refresh(token, ProvenKey(thumbprint=KEY)).refresh_token


@pytest.mark.parametrize("value", ["", "x", "k" * 42, "k" * 44, "k" * 42 + "=", "k" * 42 + "\u0131"])
def test_start_refuses_what_is_no_thumbprint(nuovo: Nuovo, service: FakeService, value: str) -> None:
    result = nuovo("sessions", "start", "ada", "--dpop-jkt", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "must be a key's thumbprint" in result.stderr
    assert service.log.events == []


def test_start_binds_nothing_that_could_never_be_refreshed(nuovo: Nuovo, opener: Opener) -> None:
    opener.speaks_dpop = False
    result = nuovo("sessions", "start", "ada", "--dpop-jkt", KEY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--dpop-jkt needs NUOVO_PUBLIC_URL" in result.stderr
    assert started(nuovo, "ada")["refresh_token"]


@pytest.mark.parametrize("binding", DeviceBinding)
def test_only_where_bindings_are_required_a_session_needs_a_key(
    nuovo: Nuovo, service: FakeService, binding: DeviceBinding
) -> None:
    """As with `POST /sessions`: nothing could bind it later."""
    service.policy = replace(service.policy, device_binding=binding)
    result = nuovo("sessions", "start", "ada")
    if binding is DeviceBinding.REQUIRE:
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--dpop-jkt must be given" in result.stderr
    else:
        assert result.exit_code == 0
    assert started(nuovo, "ada", "--dpop-jkt", KEY)["refresh_token"]


def test_list_prints_an_array_the_newest_first(nuovo: Nuovo, service: FakeService) -> None:
    first = started(nuovo, "ada", "--device", "Phone")
    service.clock.advance(60)
    second = started(nuovo, "ada")
    service.clock.advance(60)
    service.refresh(first["refresh_token"])
    started(nuovo, "bob")
    assert json_of(nuovo("sessions", "list", "ada", "--json")) == [
        {
            "id": second["session_id"],
            "device": "",
            "started_at": START + 60,
            "last_seen_at": START + 60,
            "expires_at": START + 60 + 14 * 86_400,
        },
        {
            "id": first["session_id"],
            "device": "Phone",
            "started_at": START,
            "last_seen_at": START + 120,
            "expires_at": START + 120 + 14 * 86_400,
        },
    ]


def test_list_prints_all_however_many_there_are(
    nuovo: Nuovo, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.cli.sessions._PAGE", 2)
    ids = {service.sign_in().session_id for _ in range(5)}
    printed = json_of(nuovo("sessions", "list", "ada", "--json"))
    assert isinstance(printed, list)
    assert len(printed) == 5
    assert {each["id"] for each in printed} == ids


def test_list_for_people(nuovo: Nuovo) -> None:
    printed = started(nuovo, "ada", "--device", "Phone")
    head, row = nuovo("sessions", "list", "ada").stdout.splitlines()
    assert head.split() == ["ID", "DEVICE", "STARTED", "LAST", "SEEN", "EXPIRES"]
    assert row.split("  ")[:2] == [printed["session_id"], "Phone"]
    assert row.endswith("  2027-01-15 08:00:00Z  2027-01-15 08:00:00Z  2027-01-29 08:00:00Z")


def test_list_of_somebody_without_sessions(nuovo: Nuovo) -> None:
    assert json_of(nuovo("sessions", "list", "ada", "--json")) == []
    assert len(nuovo("sessions", "list", "ada").stdout.splitlines()) == 1


def test_revoke_one_session(nuovo: Nuovo, service: FakeService) -> None:
    """Only that one ends; a second time there is nothing left to end."""
    phone, laptop = started(nuovo, "ada"), started(nuovo, "ada")
    result = nuovo("sessions", "revoke", "--session", phone["session_id"])
    assert (result.exit_code, result.stdout) == (0, f"Session {phone['session_id']} of ada is over.\n")
    with pytest.raises(InvalidRefreshTokenError):
        service.refresh(phone["refresh_token"])
    service.refresh(laptop["refresh_token"])

    again = nuovo("sessions", "revoke", "--session", phone["session_id"])
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == ("Error: There is no such live session. List a user's with: nuovo sessions list USER_ID\n")


def test_revoke_all_sessions_of_a_user(nuovo: Nuovo, service: FakeService) -> None:
    """And of nobody else; it says how many were live, and repeating it is no error."""
    mine, others = started(nuovo, "ada"), started(nuovo, "bob")
    for count in (1, 0):
        result = nuovo("sessions", "revoke", "--user", "ada")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"All sessions of ada are over; {count} were live.\n"
    with pytest.raises(InvalidRefreshTokenError):
        service.refresh(mine["refresh_token"])
    service.refresh(others["refresh_token"])


def test_revoke_of_a_user_who_is_not_there(nuovo: Nuovo, service: FakeService) -> None:
    """A mistyped name is an error; one who is gone may still have sessions, which end."""
    result = nuovo("sessions", "revoke", "--user", "eve")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no such user. Add one to the built-in table with: nuovo users add ID\n"

    started(nuovo, "ada")
    service.users.remove("ada")
    result = nuovo("sessions", "revoke", "--user", "ada")
    assert (result.exit_code, result.stdout) == (0, "All sessions of ada are over; 1 were live.\n")


def test_what_an_operator_ends_is_in_the_log_as_theirs(nuovo: Nuovo, service: FakeService) -> None:
    first = started(nuovo, "ada")
    started(nuovo, "ada")
    nuovo("sessions", "revoke", "--session", first["session_id"])
    nuovo("sessions", "revoke", "--user", "ada")

    assert [event.actor for event in service.log.events] == [THE_OPERATOR] * 4
    assert [(event.user_id, event.count) for event in service.log.events[-2:]] == [("ada", None), ("ada", 1)]


@pytest.mark.parametrize("arguments", [(), ("--session", "s" * 22, "--user", "ada")])
def test_revoke_wants_one_of_the_three(nuovo: Nuovo, arguments: tuple[str, ...]) -> None:
    result = nuovo("sessions", "revoke", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Give one of --session ID, --user ID and --started-before INSTANT." in result.stderr


def test_revoke_everybody(nuovo: Nuovo, service: FakeService) -> None:
    """All who signed in before an instant, and nobody who did so at it or later."""
    service.sign_in("ada")
    service.sign_in("bob")
    service.clock.advance(60)
    later = service.sign_in("ada")

    result = nuovo("sessions", "revoke", "--started-before", "2027-01-15T08:01:00Z", "--yes")

    assert result.exit_code == 0
    assert result.stdout == (
        "All sessions of all users that started before 2027-01-15 08:01:00Z are over; 2 were live.\n"
    )
    assert [session.token.session_id for session in service.list_sessions("ada", Page(limit=9))] == [later.session_id]
    assert service.list_sessions("bob", Page(limit=9)) == []
    event = service.log.events[-1]
    assert (event.happening, event.actor, event.count) == (Happening.EVERYBODY_ENDED, THE_OPERATOR, 2)


def test_revoke_everybody_asks_first(nuovo: Nuovo, service: FakeService) -> None:
    """No answer is no."""
    service.sign_in("ada")
    result = nuovo("sessions", "revoke", "--started-before", "now")
    assert result.exit_code == 1
    assert "will be over for good. Go on? [y/N]" in result.stdout
    assert len(service.list_sessions("ada", Page(limit=9))) == 1


@pytest.mark.parametrize("instant", ["", "yesterday", "2027-13-01", "12:00", "1800000000"])
def test_revoke_everybody_wants_an_instant(nuovo: Nuovo, service: FakeService, instant: str) -> None:
    service.sign_in("ada")
    result = nuovo("sessions", "revoke", "--started-before", instant, "--yes")
    assert result.exit_code == 2
    assert "must be an instant such as 2027-01-31T16:30:00Z, or: now" in result.stderr
    assert len(service.list_sessions("ada", Page(limit=9))) == 1
