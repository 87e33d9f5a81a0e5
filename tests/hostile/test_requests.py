"""Hostile requests, as a server hands them on: no answer is a 500, and every answer has the one form."""

import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterator

import falcon
import pytest

from entrypoints.http import credentials
from tests.hostile.conftest import Target
from tests.hostile.requests import GROUPS, Request
from tests.hostile.wsgi import Answer, ask

EXPECTED = {200, 201, 204, 304, 400, 401, 403, 404, 405, 413, 415, 422}


def fault_of(answer: Answer, method: str, path: str) -> str:
    """Return what is wrong with the form of an answer, or nothing."""
    if answer.status not in EXPECTED:
        return f"status {answer.status}"
    if any("injected" in f"{name}{value}".lower() for name, value in answer.headers):
        return "a header was injected"
    if method == "HEAD" or answer.status in {204, 304}:
        return "a body where there is none" if answer.body else ""
    if answer.all("Content-Type") != ["application/json"]:
        return f"type {answer.all('Content-Type')}"
    return "" if has_its_form(answer, path) else f"body {answer.body[:100]!r}"


def has_its_form(answer: Answer, path: str) -> bool:
    """Tell whether a body is the one envelope, or what a standard fixes for its path."""
    body, good = json.loads(answer.body), answer.status < 300
    if path.startswith("/oauth/") and not good:
        return list(body) == ["error", "error_description"]
    if path.startswith(("/oauth/", "/.well-known/")) and good:
        return isinstance(body, dict)
    form = ["status", "code", "data"] if good else ["status", "code", "message"]
    return (list(body), body["status"], body["code"]) == (form, "success" if good else "error", answer.status)


def faults(target: Target, requests: Iterator[Request], statuses: Counter[int]) -> Iterator[tuple[str, Request]]:
    for method, path, body, environ in requests:
        try:
            answer = ask(target.app, method, path, body, **environ)
        except Exception as error:  # noqa: BLE001  what the application lets through is the finding
            yield repr(error), (method, path[:100], body[:100], environ)
            continue
        statuses[answer.status] += 1
        if fault := fault_of(answer, method, path):
            yield fault, (method, path[:100], body[:100], environ)


@pytest.mark.parametrize("group", GROUPS)
def test_no_request_is_answered_with_a_500(
    target: Target, group: str, record_property: Callable[[str, object], None]
) -> None:
    statuses: Counter[int] = Counter()
    found = list(faults(target, GROUPS[group](), statuses))
    assert found[:5] == []
    assert "unexpected_error" not in target.said()
    assert len(statuses) > 3, "a catalogue that is always answered alike tests nothing"
    record_property("hostile_requests", statuses.total())


def splits_in_two(req: falcon.Request) -> str | None:
    scheme, token = req.env.get("HTTP_AUTHORIZATION", "").split(" ")
    return token if scheme.lower() == "bearer" else None


def compares_texts(self: object, req: falcon.Request) -> None:
    hmac.compare_digest(credentials.bearer_of(req) or "", "secret")


@pytest.mark.parametrize(
    ("name", "careless"),
    [("bearer_of", splits_in_two), ("ServiceCredentials.actor_of", compares_texts)],
)
def test_an_application_that_stumbles_is_caught(
    target: Target, monkeypatch: pytest.MonkeyPatch, name: str, careless: Callable[..., object]
) -> None:
    monkeypatch.setattr(f"entrypoints.http.credentials.{name}", careless)
    assert any(fault == "status 500" for fault, _ in faults(target, GROUPS["credentials"](), Counter()))
