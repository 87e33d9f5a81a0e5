"""One event is one line of valid JSON, whatever it holds, and a trace shows no values."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Never

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from domain.model.tokens import RefreshToken
from infrastructure.logs import StructlogSecurityLog, configure_logging
from ports.security_log import Happening, SecurityEvent
from tests.fakes.users import FakeUsers
from tests.hostile.conftest import Heard, Target
from tests.hostile.forge import REFRESH
from tests.hostile.requests import NASTY
from tests.hostile.test_leaks import Canaries
from tests.hostile.wsgi import ask
from tests.wrong.readers import ByTheBook

much = settings(
    max_examples=250, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hostile_text = st.text() | st.sampled_from(NASTY)


class Output:
    """What logging writes, in place of standard error."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self.stderr = io.TextIOWrapper(self._bytes, encoding="utf-8", write_through=True)

    def take(self) -> str:
        """Return what was written since the last time."""
        text = self._bytes.getvalue().decode()
        self._bytes.seek(0)
        self._bytes.truncate()
        return text


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Output]]:
    """Return a function that sets logging up in a form; everything is put back afterwards."""
    root, peewee = logging.getLogger(), logging.getLogger("peewee")
    before = root.handlers, root.level, peewee.level

    def set_up(form: str) -> Output:
        output = Output()
        # The module's own name for `sys`: the real standard error changes hands between the phases of a test.
        monkeypatch.setattr("infrastructure.logs.sys", output)
        configure_logging(as_json=form == "json", level="DEBUG")
        # A logger remembers the configuration under which it was first used.
        monkeypatch.setattr("entrypoints.http.errors._log", structlog.get_logger("nuovo.http"))
        return output

    yield set_up
    structlog.reset_defaults()
    root.handlers, root.level, peewee.level = before


@pytest.fixture
def output(configure: Callable[[str], Output]) -> Output:
    return configure("json")


@much
@given(hostile_text, hostile_text, st.sampled_from(Happening))
@example("a\nb", '"}{"', Happening.REFUSED)
@example("\u2028\u0085", "\x00\x1b[2J", Happening.REFUSED)
def test_a_security_event_is_one_line(output: Output, user_id: str, session_id: str, happening: Happening) -> None:
    StructlogSecurityLog().record(SecurityEvent(happening=happening, user_id=user_id, session_id=session_id))
    line = only_line(output)
    assert (line["event"], line["user_id"], line["session_id"]) == (happening.value, user_id, session_id)


@much
@given(hostile_text, hostile_text)
@example("GET /\r\n HTTP/1.1", "{}")
def test_a_message_of_a_library_is_one_line(output: Output, message: str, argument: str) -> None:
    """Gunicorn quotes what it could not read."""
    logging.getLogger("gunicorn.error").warning("Invalid request: %s %r", message, argument)
    assert only_line(output)["event"].startswith(f"Invalid request: {message}")


@much
@given(hostile_text)
def test_a_trace_is_one_line(output: Output, message: str) -> None:
    logging.getLogger("gunicorn.error").error("Error handling request", exc_info=ValueError(message))
    assert "ValueError" in only_line(output)["exception"]


@pytest.mark.parametrize("given", [*NASTY, "\ud800"], ids=lambda given: ascii(given[:20]))
def test_a_request_identifier_breaks_no_line(output: Output, given: str) -> None:
    target = Target(Heard())
    target.service.users = NoUsers()
    target.app = target.new_app()
    ask(target.app, "POST", "/refresh_token", HTTP_AUTHORIZATION=f"Bearer {REFRESH.honest}", HTTP_X_REQUEST_ID=given)
    line = only_line(output)
    assert line["event"] == "unexpected_error"
    assert set(line["request_id"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def only_line(output: Output) -> dict[str, Any]:
    text = output.take()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    line: dict[str, Any] = json.loads(text)
    return line


def stumble(*_arguments: object) -> Never:
    raise ZeroDivisionError


class NoUsers(FakeUsers):
    def find(self, user_id: str) -> Never:
        stumble()


class Stumbles(ByTheBook):
    """Fails with a token in its hands."""

    def read_refresh_token(self, presented: str) -> RefreshToken:
        parts = presented.split(".")
        return stumble(parts)


def stumble_over(token: str) -> None:
    answer = ask(Target(Heard(), Stumbles()).app, "POST", "/refresh_token", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert answer.status == 500


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_trace_shows_no_values(configure: Callable[[str], Output], form: str) -> None:
    canaries = Canaries()
    canaries.add(REFRESH.honest)
    output = configure(form)
    stumble_over(REFRESH.honest)
    text = output.take()
    assert "ZeroDivisionError" in text
    assert "in stumble" in text
    assert canaries.found_in(text) == []


def test_a_trace_with_values_is_caught(configure: Callable[[str], Output]) -> None:
    """As it would be with local variables shown, which is what some formatters do by default."""
    canaries = Canaries()
    canaries.add(REFRESH.honest)
    output = configure("json")
    values = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=500)
    )
    *others, _, renderer = structlog.get_config()["processors"]
    structlog.configure(processors=[*others, values, renderer])
    stumble_over(REFRESH.honest)
    assert canaries.found_in(output.take())
