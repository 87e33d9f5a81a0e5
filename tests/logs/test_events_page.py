"""`docs/events.md` says of every event what the code does: names, fields, levels, causes and actors."""

import ast
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from domain.model.actors import THE_OPERATOR, THE_USER, ActorKind
from domain.model.errors import NuovoError, RefusalCause
from domain.model.proofs import DeviceBinding
from domain.model.sessions import RevocationReason, SessionPolicy
from domain.model.users import User
from infrastructure.logs import StructlogSecurityLog, level_of
from ports.security_log import Happening, SecurityEvent
from tests.fakes.foreign_tokens import FakeForeignTokens
from tests.fakes.service import FakeService
from tests.unit.use_cases.steps import MADE_UP_TOKEN, presence, read, refresh, sign_in, stored

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/events.md").read_text(encoding="utf-8")
DAY = 86_400
BY_CAUSE = "by cause"


def rows(head: str) -> list[list[str]]:
    """Return the cells of the tables whose first column is called `head`."""
    found, inside = [], False
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        inside = bool(cells) and (inside or cells[0] == head)
        if inside and cells[0] not in (head, "---"):
            found.append(cells)
    return found


def named(cell: str) -> str:
    return cell.strip("`")


EVENTS = {named(row[0]): row[1:] for row in rows("event")}
CAUSES = {named(row[0]): row[1] for row in rows("cause")}


def fields(event: str) -> tuple[set[str], set[str]]:
    """Return the fields that an event always has, and those that it may have."""
    cell = EVENTS[event][1]
    optional = set(re.findall(r"`(\w+)`\?", cell))
    return set(re.findall(r"`(\w+)`", cell)) - optional, optional


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the fields of every line that the security log writes."""
    lines: list[dict[str, Any]] = []

    def keep(_logger: object, method: str, event: Any) -> Any:
        lines.append({**event, "level": method})
        raise structlog.DropEvent

    monkeypatch.setattr(
        structlog, "get_logger", lambda *_: structlog.wrap_logger(logging.getLogger(), processors=[keep])
    )
    return lines


def everything_that_happens(service: FakeService) -> None:  # noqa: PLR0915  as long as there are things
    """Make each thing happen that can happen to a session, in each of its ways."""

    def refused(presented: str) -> None:
        for ask in (service.refresh, service.revoke, service.authenticate):
            with pytest.raises(NuovoError):
                ask(presented)

    first = sign_in(service)
    second = refresh(service, first)  # rotated
    refresh(service, first)  # repeated
    service.clock.advance(60)
    third = refresh(service, first)  # recovered
    service.clock.advance(60)
    with pytest.raises(NuovoError):
        service.refresh(second)  # reused
    refused(MADE_UP_TOKEN)
    with pytest.raises(NuovoError):
        service.refresh(third)  # revoked

    foreign = FakeForeignTokens()
    service.foreign = foreign
    service.refresh(foreign.issue())  # adopted

    before = sign_in(service)
    row = stored(service, before)
    after = refresh(service, before)
    service.sessions.lose_writes(row)  # type: ignore[attr-defined]  # the fake's own
    service.clock.advance(60)
    healed = refresh(service, after)
    service.revoke(healed)  # logout

    service.policy = SessionPolicy(device_binding=DeviceBinding.OFFER)
    unbound = sign_in(service)
    bound = refresh(service, unbound, presence(service, unbound))
    with pytest.raises(NuovoError):
        service.refresh(bound)  # not proven

    service.policy = SessionPolicy(rotation=False)
    service.refresh(sign_in(service))  # kept
    service.policy = SessionPolicy()

    pair, other, own = (service.sign_in() for _ in range(3))
    service.end("ada", other.session_id, by=THE_OPERATOR)
    service.end.own(service.authenticate(own.access_token))
    with pytest.raises(NuovoError):
        service.authenticate(own.access_token)
    service.end_all("ada", by=THE_USER)
    service.end_all("ada", by=THE_USER, spare=pair.session_id)
    disabled, gone = sign_in(service), sign_in(service, "bob")
    service.users.put(User(id="ada", active=False))
    service.users.remove("bob")
    for token in (disabled, gone):
        with pytest.raises(NuovoError):
            service.refresh(token)
    service.users.put(User(id="ada"))
    last = service.sign_in()
    service.clock.advance(15 * DAY)
    assert last.refresh_token is not None
    with pytest.raises(NuovoError):
        service.refresh(last.refresh_token)
    with pytest.raises(NuovoError):
        service.authenticate(last.access_token)
    service.end_everybody(service.clock.now(), by=THE_OPERATOR)
    service.sessions.end_everybody = lambda **_: None  # type: ignore[method-assign]  # too many to be counted
    service.end_everybody(service.clock.now(), by=THE_OPERATOR)
    service.log.record(SecurityEvent(happening=Happening.SERVICE_REFUSED))  # by the entry point for HTTP


def test_the_page_names_every_event_and_no_other() -> None:
    of_the_service = {name for name in EVENTS if name not in set(Happening)}
    assert set(EVENTS) - of_the_service == set(Happening)
    assert of_the_service == set(events_of_the_entry_points())


def events_of_the_entry_points() -> Iterator[str]:
    """Yield the names that the entry points' own loggers are given."""
    for path in (ROOT / "entrypoints").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                logger = node.func.value
                if isinstance(logger, ast.Name) and logger.id == "_log" and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value)


def test_the_page_names_every_cause_and_every_actor() -> None:
    assert set(CAUSES) == {*RefusalCause, *RevocationReason}
    assert {named(row[0]) for row in rows("actor")} == set(ActorKind)


@pytest.mark.parametrize("happening", Happening)
def test_levels_are_those_of_the_page(happening: Happening) -> None:
    for cause in (None, *RefusalCause, *RevocationReason):
        level = logging.getLevelName(level_of(SecurityEvent(happening=happening, cause=cause))).lower()
        if EVENTS[happening][0] != BY_CAUSE:
            if cause is None:
                assert level == EVENTS[happening][0]
        elif cause is not None:
            assert level == CAUSES[cause]


def test_every_event_has_the_fields_of_the_page(written: list[dict[str, Any]]) -> None:
    """Those that it always has each time, and each of those that it may have at least once."""
    service = FakeService()
    service.log = StructlogSecurityLog()  # type: ignore[assignment]  # the fake only adds what tests read
    everything_that_happens(service)

    seen: dict[str, list[set[str]]] = defaultdict(list)
    for line in written:
        seen[line["event"]].append(set(line) - {"event", "level"})
    assert set(seen) == set(Happening)
    for event, lines in seen.items():
        always, sometimes = fields(event)
        assert set.intersection(*lines) == always, event
        assert set.union(*lines) == always | sometimes, event


def test_every_ending_and_every_start_says_who_did_it(written: list[dict[str, Any]]) -> None:
    service = FakeService()
    service.log = StructlogSecurityLog()  # type: ignore[assignment]
    everything_that_happens(service)

    endings = [line for line in written if line["event"].endswith(("_started", "_ended"))]
    assert endings
    assert {line["actor"].partition(":")[0] for line in endings} == set(ActorKind)


def test_a_named_service_is_told_from_another(written: list[dict[str, Any]]) -> None:
    service = FakeService()
    service.log = StructlogSecurityLog()  # type: ignore[assignment]
    token = sign_in(service)

    assert read(service, token).session_id == written[0]["session_id"]
    assert written[0]["actor"] == "service:login"
