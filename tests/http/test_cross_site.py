"""Who may make a browser send the cookie."""

from collections.abc import Callable

import pytest
from falcon.testing import TestClient

from domain.model.tokens import TokenPair
from tests.fakes.service import FakeService
from tests.http.contract import ALLOWED_ORIGIN, COOKIE, CROSS_SITE, by_cookie, refresh_token_of
from tests.http.cross_site_matrix import HOST_CASES, cases, headers_of, wrong_answers


@pytest.mark.parametrize("path", ["/refresh_token", "/revoke_token"])
def test_every_line_of_the_matrix(
    make_client: Callable[..., TestClient], service: FakeService, path: str, record_property: Callable[..., None]
) -> None:
    client = make_client(allowed_origins=[ALLOWED_ORIGIN])
    assert list(wrong_answers(client, lambda: service.sign_in("ada"), path)) == []
    record_property("hostile_cross_site_requests", len(cases()))


@pytest.mark.parametrize(("origin", "host", "passes"), HOST_CASES)
def test_an_origin_is_this_host_only_with_its_port(
    client: TestClient, pair: TokenPair, origin: str, host: str, *, passes: bool
) -> None:
    headers = {"Cookie": f"{COOKIE}={refresh_token_of(pair)}"}
    answer = client.simulate_post("/refresh_token", headers=headers, extras={"HTTP_ORIGIN": origin, "HTTP_HOST": host})
    assert answer.status_code == (200 if passes else 403)


@pytest.mark.parametrize("site", ["absent", "same-site", "cross-site"])
def test_no_other_origin_passes_while_none_is_listed(client: TestClient, pair: TokenPair, site: str) -> None:
    headers = headers_of(ALLOWED_ORIGIN, site) | {"Cookie": f"{COOKIE}={refresh_token_of(pair)}"}
    assert client.simulate_post("/refresh_token", headers=headers).content == CROSS_SITE


def test_a_refused_request_changes_nothing(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """Neither the session, nor the cookie, nor the log of what happened to sessions."""
    before, events = service.sessions.get(pair.session_id, "ada"), list(service.log.events)
    headers = by_cookie(refresh_token_of(pair)) | {"Sec-Fetch-Site": "cross-site"}
    for path in ("/refresh_token", "/revoke_token"):
        answer = client.simulate_post(path, headers=headers)
        assert (answer.status_code, answer.content) == (403, CROSS_SITE)
        assert "Set-Cookie" not in answer.headers
    assert service.sessions.get(pair.session_id, "ada") == before
    assert service.log.events == events


def test_no_other_header_vouches_for_a_request(client: TestClient, pair: TokenPair) -> None:
    """`Referer` may be missing or shortened, and `X-Forwarded-Host` is for anyone to send."""
    headers = {
        "Cookie": f"{COOKIE}={refresh_token_of(pair)}",
        "Referer": "https://nuovo.example.org/",
        "Origin": "https://evil.example",
        "X-Forwarded-Host": "evil.example",
        "Forwarded": "host=evil.example",
        "X-Requested-With": "XMLHttpRequest",
        "Sec-Fetch-Mode": "same-origin",
    }
    assert client.simulate_post("/refresh_token", headers=headers).content == CROSS_SITE
