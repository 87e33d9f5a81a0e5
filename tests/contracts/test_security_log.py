"""What every security log promises."""

import itertools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from domain.model.actors import THE_OPERATOR, THE_USER
from domain.model.errors import RefusalCause
from domain.model.sessions import RevocationReason
from infrastructure.logs import StructlogSecurityLog, configure_logging
from ports.security_log import OCCASION, Happening, SecurityEvent, SecurityLog
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import LOGIN

EVENTS = [
    *(SecurityEvent(happening=happening) for happening in Happening),
    *(
        SecurityEvent(happening=Happening.REFUSED, session_id="s" * 22, user_id="ada", generation=7, cause=cause)
        for cause in (*RefusalCause, *RevocationReason)
    ),
    SecurityEvent(happening=Happening.HEALED, user_id="o'brien \"=\\ {é} 🦉", generation=2**31, lost_generations=3),
    *(SecurityEvent(happening=Happening.ENDED, actor=actor) for actor in (THE_USER, THE_OPERATOR, LOGIN)),
    SecurityEvent(happening=Happening.ALL_ENDED, user_id="ada", actor=LOGIN, count=0, spared="s" * 22),
    SecurityEvent(happening=Happening.REFUSED, user_id="two\nlines\rand\0more"),
]


Lines = Callable[[], list[str]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Return how to read what was written to standard error, and forget afterwards how the logs were set up."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield lambda: capfd.readouterr().err.removesuffix("\n").split("\n")
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger("peewee").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def structlog_log(*, as_json: bool) -> SecurityLog:
    configure_logging(as_json=as_json, level="INFO")
    return StructlogSecurityLog()


LOGS: dict[str, Callable[[], SecurityLog]] = {
    "fake": FakeSecurityLog,
    "json": lambda: structlog_log(as_json=True),
    "text": lambda: structlog_log(as_json=False),
}


@pytest.mark.parametrize("name", LOGS)
def test_every_event_is_noted(lines: Lines, name: str) -> None:
    """On one line each, in the order in which they happened."""
    log = LOGS[name]()
    for event in EVENTS:
        log.record(event)

    if isinstance(log, FakeSecurityLog):
        assert log.events == EVENTS
        return
    for event, line in itertools.zip_longest(EVENTS, lines()):
        assert event.happening in line


def test_an_event_in_json_has_the_fields_that_it_has(lines: Lines) -> None:
    log = structlog_log(as_json=True)
    for event in EVENTS:
        log.record(event)

    for event, line in zip(EVENTS, map(json.loads, lines()), strict=True):
        assert line.pop("timestamp").endswith("Z")
        assert line.pop("level") in ("info", "warning")
        fields = {
            "event": event.happening,
            "session_id": event.session_id,
            "user_id": event.user_id,
            "generation": event.generation,
            "cause": event.cause,
            "lost_generations": event.lost_generations,
            "actor": event.actor and str(event.actor),
            "count": event.count,
            "spared": event.spared,
        }
        assert line == {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize("as_json", [True, False])
def test_what_people_should_look_at_is_a_warning(lines: Lines, *, as_json: bool) -> None:
    """A stolen token, a forged one, and a store that had lost writes: not what anybody can send."""
    log = structlog_log(as_json=as_json)
    for cause in RefusalCause:
        log.record(SecurityEvent(happening=Happening.REFUSED, cause=cause))

    warned = {cause for cause, line in zip(RefusalCause, lines(), strict=True) if "warning" in line.lower()}
    assert {RefusalCause.REUSED, RefusalCause.BAD_SIGNATURE} <= warned
    assert not warned & {RefusalCause.MALFORMED, RefusalCause.EXPIRED, RefusalCause.REVOKED}


def test_an_event_names_the_request_that_caused_it(lines: Lines) -> None:
    log = structlog_log(as_json=True)
    asked = OCCASION.set({"request_id": "r-1"})
    log.record(EVENTS[0])
    OCCASION.reset(asked)
    log.record(EVENTS[0])

    first, second = map(json.loads, lines())
    assert first["request_id"] == "r-1"
    assert "request_id" not in second


@pytest.mark.parametrize("name", LOGS)
def test_an_answer_does_not_depend_on_its_log_line(lines: Lines, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Standard error is a pipe to a collector that was killed."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8", buffering=1) as broken:  # noqa: PTH123  a pipe has no path
        monkeypatch.setattr(sys, "stderr", broken)
        log = LOGS[name]()

        for event in EVENTS:
            log.record(event)

        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), broken.fileno())  # so that closing it can write what it still holds


@pytest.mark.parametrize("name", LOGS)
def test_no_event_is_too_odd_to_be_noted(lines: Lines, name: str) -> None:
    log = LOGS[name]()

    log.record(SecurityEvent(happening=Happening.REFUSED, user_id="\ud800", generation=2**70))
