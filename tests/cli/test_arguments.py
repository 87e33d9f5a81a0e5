"""What no user and no session can be called: refused in words, before anything is done."""

import pytest

from tests.cli.conftest import Nuovo
from tests.fakes.service import FakeService

BYTES_THAT_ARE_NO_TEXT = b"a\xff".decode("utf-8", "surrogateescape")
"""As Python gets them from the command line."""


@pytest.mark.parametrize("user_id", ["", "x" * 256, "a\x00b", "a\nb", BYTES_THAT_ARE_NO_TEXT])
@pytest.mark.parametrize(
    "command", ["users add", "users remove", "sessions start", "sessions list", "sessions revoke --user"]
)
def test_what_cannot_identify_a_user(nuovo: Nuovo, service: FakeService, command: str, user_id: str) -> None:
    known = service.users.list()
    result = nuovo(*command.split(), user_id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "must have 1 to 255 characters, none of them a control character" in result.stderr
    assert service.users.list() == known


@pytest.mark.parametrize("session_id", ["", "x", "s" * 23, "s" * 21 + "\n", BYTES_THAT_ARE_NO_TEXT])
def test_what_cannot_identify_a_session(nuovo: Nuovo, session_id: str) -> None:
    result = nuovo("sessions", "revoke", "--session", session_id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not the ID of a session; list a user's with: nuovo sessions list USER_ID" in result.stderr
