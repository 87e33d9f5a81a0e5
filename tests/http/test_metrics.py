"""`GET /metrics`: there if somebody may read it, and for nobody else."""

from collections.abc import Callable

import pytest
from falcon.testing import TestClient

from ports.security_log import Happening
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL

SECRET = "m3trics-c0dfGh1jKlmN0pqRsTuvWxyZ-4711"
IS_NO_METHOD = pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
MakeClient = Callable[..., TestClient]


class Noted:
    """Metrics that remember what they were told."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def exposition(self) -> bytes:
        return b"nuovo_ready 1.0\n"

    def observe_requests(self, route: str, method: str, status: int) -> Callable[[float], None]:
        def observe(seconds: float) -> None:
            assert 0 <= seconds < 60
            self.requests.append((route, method, status))

        return observe


@pytest.fixture
def metrics() -> Noted:
    return Noted()


@pytest.fixture
def watched(make_client: MakeClient, metrics: Noted) -> TestClient:
    return make_client(metrics=metrics, metrics_credentials=["another " * 5, SECRET])


def test_it_is_told_to_whoever_has_a_credential(watched: TestClient) -> None:
    answer = watched.simulate_get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    assert (answer.status_code, answer.text) == (200, "nuovo_ready 1.0\n")
    assert answer.headers["Content-Type"] == Noted.content_type
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("bearer", [None, "", SECRET[:-1], f"{SECRET}x", SERVICE_CREDENTIAL, "ü" * 40])
def test_nobody_else_is_told_anything(watched: TestClient, service: FakeService, bearer: str | None) -> None:
    """A service credential is for starting sessions. Whoever presents a wrong one is an event."""
    headers = None if bearer is None else {"Authorization": f"Bearer {bearer}"}
    answer = watched.simulate_get("/metrics", headers=headers)
    assert answer.status_code == 401
    assert "nuovo_ready" not in answer.text
    assert service.log.happenings == ([Happening.SERVICE_REFUSED] if bearer else [])


def test_without_a_credential_there_is_no_such_path(make_client: MakeClient) -> None:
    answer = make_client().simulate_get("/metrics", headers={"Authorization": f"Bearer {SECRET}"})
    assert answer.status_code == 404


def test_a_metrics_credential_starts_no_session(watched: TestClient) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert watched.simulate_post("/sessions", headers=headers, json={"user_id": "ada"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "noted"),
    [
        ("GET", "/health/live", ("/health/live", "GET", 200)),
        ("POST", "/refresh_token", ("/refresh_token", "POST", 401)),
        ("DELETE", "/sessions/a-secret", ("/sessions/{session_id}", "DELETE", 401)),
        ("GET", "/a-secret", ("", "GET", 404)),
        pytest.param("BREW", "/refresh_token", ("/refresh_token", "", 400), marks=IS_NO_METHOD),
        ("DELETE", "/refresh_token", ("/refresh_token", "DELETE", 405)),
        ("OPTIONS", "/refresh_token", ("/refresh_token", "OPTIONS", 204)),
    ],
)
def test_a_request_is_noted_in_words_of_the_service(
    watched: TestClient, metrics: Noted, method: str, path: str, noted: tuple[str, str, int]
) -> None:
    """Whatever a client calls paths and methods: each word would be a series of its own. Once more it is the same."""
    route, _, status = noted
    for times in (1, 2):
        assert watched.simulate_request(method, path).status_code == status
        assert metrics.requests == [noted] * times
    assert "secret" not in route


def test_a_body_that_is_refused_unread_is_noted(watched: TestClient, metrics: Noted) -> None:
    watched.simulate_post("/sessions", body="x" * 10_000)
    assert metrics.requests == [("", "POST", 413)]


def test_a_refused_service_credential_is_an_event(make_client: MakeClient, service: FakeService) -> None:
    client = make_client()
    client.simulate_post("/sessions", json={"user_id": "ada"})
    assert service.log.happenings == []
    client.simulate_post("/sessions", json={"user_id": "ada"}, headers={"Authorization": "Bearer wrong"})
    assert service.log.happenings == [Happening.SERVICE_REFUSED]
