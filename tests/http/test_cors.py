"""Who may read answers from another origin."""

from collections.abc import Callable

import pytest
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from tests.fakes.service import FakeService
from tests.http.contract import ALLOWED_ORIGIN, CROSS_SITE, bearer, by_cookie, refresh_token_of

OTHER_ORIGIN = "https://admin.example.com"
HOSTILE_ORIGINS = [
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:443",
    "https://app.example.com.evil.example",
    "https://app.example.comevil",
    "https://evil-app.example.com",
    "https://evil.app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "https://app.example.com\x00",
    "https://app.example.com%0d%0aX: y",
    "https://app.example.com\r\nSet-Cookie: a=b",
    "https://app.example.com, https://evil.example",
    "https://app.example.com https://admin.example.com",
    "https://appXexample.com",
    "https://app.ex\xe4mple.com",
    "null",
    "*",
    "",
]


@pytest.fixture
def listed(make_client: Callable[..., TestClient]) -> TestClient:
    """Return a client of an application that lists two origins."""
    return make_client(allowed_origins=[ALLOWED_ORIGIN, OTHER_ORIGIN])


def cors_headers(answer: Result) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("access-control")}


def preflight(client: TestClient, origin: str, path: str = "/refresh_token", **extras: str) -> Result:
    return client.simulate_options(
        path, extras={"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", **extras}
    )


def test_off_by_default(client: TestClient, pair: TokenPair) -> None:
    headers = bearer(refresh_token_of(pair)) | {"Origin": ALLOWED_ORIGIN}
    assert cors_headers(client.simulate_post("/refresh_token", headers=headers)) == {}
    assert cors_headers(preflight(client, ALLOWED_ORIGIN)) == {}


@pytest.mark.parametrize("origin", [ALLOWED_ORIGIN, OTHER_ORIGIN])
def test_a_listed_origin_may_read_with_credentials(listed: TestClient, service: FakeService, origin: str) -> None:
    token = refresh_token_of(service.sign_in("ada"))
    answer = listed.simulate_post("/refresh_token", headers=bearer(token) | {"Origin": origin})
    assert answer.status_code == 200
    assert cors_headers(answer) == {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "Date, DPoP-Nonce, Retry-After, WWW-Authenticate, X-Request-ID",
    }
    assert answer.headers["Vary"] == "Origin"


def test_a_listed_origin_may_use_the_cookie(listed: TestClient, pair: TokenPair) -> None:
    headers = by_cookie(refresh_token_of(pair)) | {"Sec-Fetch-Site": "cross-site", "Origin": ALLOWED_ORIGIN}
    answer = listed.simulate_post("/refresh_token", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Set-Cookie" in answer.headers


@pytest.mark.parametrize("origin", HOSTILE_ORIGINS, ids=ascii)
def test_any_other_origin_may_read_nothing(listed: TestClient, service: FakeService, origin: str) -> None:
    token = refresh_token_of(service.sign_in("ada"))
    for answer in (
        listed.simulate_post("/refresh_token", headers=bearer(token), extras={"HTTP_ORIGIN": origin}),
        preflight(listed, origin),
    ):
        assert cors_headers(answer) == {}
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/refresh_token", 401),
        ("POST", "/revoke_token", 401),
        ("GET", "/sessions", 401),
        ("DELETE", "/users/ada/sessions", 401),
        ("POST", "/oauth/token", 415),
        ("POST", "/oauth/introspect", 401),
        ("GET", "/oauth/revoke", 405),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", "/refresh_token", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/health/live", 200),
    ],
)
def test_errors_too_may_be_read(listed: TestClient, method: str, path: str, status: int) -> None:
    """A page that cannot read why it was refused can only guess."""
    answer = listed.simulate_request(method, path, headers={"Origin": ALLOWED_ORIGIN})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(("method", "path"), [("POST", "/refresh_token"), ("GET", "/health/live"), ("GET", "/nowhere")])
def test_an_answer_varies_even_without_an_origin(listed: TestClient, method: str, path: str) -> None:
    """Otherwise a cache could give an answer without the headers to a page that needs them."""
    answer = listed.simulate_request(method, path)
    assert answer.headers["Vary"] == "Origin"
    assert cors_headers(answer) == {}


def test_a_refused_page_may_read_nothing(listed: TestClient, pair: TokenPair) -> None:
    headers = by_cookie(refresh_token_of(pair)) | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = listed.simulate_post("/refresh_token", headers=headers)
    assert answer.content == CROSS_SITE
    assert cors_headers(answer) == {}


@pytest.mark.parametrize(
    "path",
    [
        "/refresh_token",
        "/revoke_token",
        "/sessions",
        "/sessions/some-id",
        "/users/ada/sessions",
        "/oauth/token",
        "/oauth/revoke",
    ],
)
def test_a_preflight_of_a_listed_origin(listed: TestClient, path: str) -> None:
    answer = preflight(listed, ALLOWED_ORIGIN, path)
    assert answer.status_code == 204
    assert answer.content == b""
    assert cors_headers(answer) == {
        "access-control-allow-origin": ALLOWED_ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": "Authorization, Content-Type, DPoP, X-Request-ID",
        "access-control-max-age": "600",
    }
    assert answer.headers["Vary"] == "Origin"


def test_a_preflight_repeats_nothing_that_was_asked(listed: TestClient) -> None:
    hostile = "X-Evil, \r\nSet-Cookie: a=b"
    answer = preflight(
        listed,
        ALLOWED_ORIGIN,
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS=hostile,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="EVIL\r\n",
        HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true",
    )
    assert answer.status_code == 204
    assert not any("evil" in (name + value).lower() for name, value in answer.headers.items())
    assert "Access-Control-Allow-Private-Network" not in answer.headers


def test_options_without_a_preflight_names_the_methods(client: TestClient) -> None:
    answer = client.simulate_options("/sessions")
    assert answer.status_code == 204
    assert {method.strip() for method in answer.headers["Allow"].split(",")} >= {"GET", "POST", "DELETE"}


def test_a_preflight_of_an_unknown_path_is_not_found(listed: TestClient) -> None:
    """It says why: the page's programmer has mistyped the address."""
    answer = preflight(listed, ALLOWED_ORIGIN, "/nowhere")
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
