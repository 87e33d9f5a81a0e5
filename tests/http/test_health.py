"""`/health/live` and `/health/ready`."""

from collections.abc import Callable

import pytest
from falcon.testing import TestClient

from tests.http.contract import UNAVAILABLE, not_ready


@pytest.mark.parametrize("state", ["live", "ready"])
def test_in_good_health(client: TestClient, state: str) -> None:
    answer = client.simulate_get(f"/health/{state}")
    assert answer.status_code == 200
    assert answer.content == b'{"status":"success","code":200,"data":{"status":"%s"}}' % state.encode()


def test_a_database_that_is_away(make_client: Callable[..., TestClient], log_lines: list[str]) -> None:
    """Not ready, but alive: starting the process again would not help."""
    client = make_client(check_ready=not_ready)
    ready = client.simulate_get("/health/ready")
    assert (ready.status_code, ready.content) == (503, UNAVAILABLE)
    assert int(ready.headers["Retry-After"]) > 0
    assert client.simulate_get("/health/live").status_code == 200
    assert len(log_lines) == 1


def test_readiness_is_asked_each_time(make_client: Callable[..., TestClient], log_lines: list[str]) -> None:
    troubles = [True, False, True]

    def check() -> None:
        if troubles.pop():
            not_ready()

    client = make_client(check_ready=check)
    assert [client.simulate_get("/health/ready").status_code for _ in range(3)] == [503, 200, 503]
    assert len(log_lines) == 2
