"""`/client.js` always, `/demo` in a demonstration alone, and its sign-in for its own page alone."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import falcon
import pytest
from falcon.testing import Result, TestClient

from tests.fakes.service import FakeService

App = falcon.App[falcon.Request, falcon.Response]
PAGE = {"Host": "localhost:8000", "Sec-Fetch-Site": "same-origin"}
STATIC = files("entrypoints.http").joinpath("static")


@pytest.fixture
def demo(make_app: Callable[..., App]) -> TestClient:
    return TestClient(make_app(demo_user="ada"))


def sign_in(demo: TestClient, body: Any = None, peer: str = "127.0.0.1", **headers: str) -> Result:
    body = {"transport": "header"} if body is None else body
    return demo.simulate_post("/demo/sign_in", json=body, headers=PAGE | headers, remote_addr=peer)


def test_the_client_is_served_as_it_is_kept(client: TestClient) -> None:
    answer = client.simulate_get("/client.js")
    assert answer.status == falcon.HTTP_200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content == STATIC.joinpath("client.js").read_bytes()


def test_another_origin_that_is_allowed_may_import_the_client(make_app: Callable[..., App]) -> None:
    """A module script of another origin needs CORS."""
    client = TestClient(make_app(allowed_origins=["https://app.example.org"]))
    answer = client.simulate_get("/client.js", headers={"Origin": "https://app.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"


@pytest.mark.parametrize("path", ["/demo", "/demo/demo.css", "/demo/demo.js", "/demo/sign_in"])
def test_without_a_demonstration_there_is_nothing(client: TestClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.simulate_request(method, path, headers=PAGE)
        assert answer.status == falcon.HTTP_404
        assert answer.json["message"] == "Not found."


def test_the_page_has_a_policy_that_runs_nothing_inline(demo: TestClient) -> None:
    answer = demo.simulate_get("/demo")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("asset", "content_type"),
    [("demo.css", "text/css; charset=utf-8"), ("demo.js", "text/javascript; charset=utf-8")],
)
def test_the_assets_have_their_type(demo: TestClient, asset: str, content_type: str) -> None:
    answer = demo.simulate_get(f"/demo/{asset}")
    assert answer.status == falcon.HTTP_200
    assert answer.headers["Content-Type"] == content_type
    assert answer.content == STATIC.joinpath(asset).read_bytes()


@pytest.mark.parametrize("name", ["client.js", "demo.html", "..", "%2e%2e%2fclient.py", "demo.js%00"])
def test_any_other_name_is_an_unknown_path(demo: TestClient, name: str) -> None:
    assert demo.simulate_get(f"/demo/{name}").status == falcon.HTTP_404


def test_signing_in_by_header_gives_both_tokens_and_no_cookie(demo: TestClient, service: FakeService) -> None:
    answer = sign_in(demo)
    assert answer.status == falcon.HTTP_201
    assert set(answer.json["data"]) == {"session_id", "access_token", "refresh_token", "replay_grace"}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert service.refresh(answer.json["data"]["refresh_token"]).session_id == answer.json["data"]["session_id"]


def test_signing_in_by_cookie_keeps_the_refresh_token_from_the_page(demo: TestClient) -> None:
    answer = sign_in(demo, {"transport": "cookie"})
    assert set(answer.json["data"]) == {"session_id", "access_token", "replay_grace"}
    assert answer.headers["Set-Cookie"].startswith("__Host-refresh_token=")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "app.localhost:80"])
def test_every_name_of_this_machine_signs_in(demo: TestClient, host: str) -> None:
    assert sign_in(demo, Host=host).status == falcon.HTTP_201


@pytest.mark.parametrize(
    "host", ["nuovo.example.org", "192.168.1.5:8000", "localhost.example.org", "evillocalhost", "127.0.0.1.example.org"]
)
def test_no_other_name_signs_in(demo: TestClient, host: str) -> None:
    """Neither a network that it was bound to, nor a foreign name that leads here (DNS rebinding)."""
    answer = sign_in(demo, Host=host)
    assert answer.status == falcon.HTTP_403
    assert answer.json["message"] == "The demo signs in on localhost only."


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_every_address_of_this_machine_signs_in(demo: TestClient, peer: str) -> None:
    assert sign_in(demo, peer=peer).status == falcon.HTTP_201


@pytest.mark.parametrize(
    "peer", ["192.168.1.5", "10.0.0.1", "8.8.8.8", "0.1.2.3", "::", "fe80::1", "::ffff:10.0.0.1", "x"]
)
def test_no_other_machine_signs_in(demo: TestClient, peer: str) -> None:
    """Whatever name it asks for: one that the demonstration was bound to a public address for."""
    answer = sign_in(demo, peer=peer)
    assert answer.status == falcon.HTTP_403
    assert answer.json["message"] == "The demo signs in on localhost only."


def test_a_unix_socket_has_no_peer_that_could_be_trusted(demo: TestClient) -> None:
    answer = sign_in(demo, peer="")
    assert answer.status == falcon.HTTP_403


@pytest.mark.parametrize("site", ["same-site", "cross-site", "none"])
def test_no_other_page_signs_in(demo: TestClient, site: str) -> None:
    """Login CSRF."""
    answer = sign_in(demo, **{"Sec-Fetch-Site": site, "Origin": "http://localhost:8000"})
    assert answer.status == falcon.HTTP_403
    assert answer.json["message"] == "Cross-site request refused."


def test_not_even_a_page_of_an_allowed_origin_signs_in(make_app: Callable[..., App]) -> None:
    demo = TestClient(make_app(demo_user="ada", allowed_origins=["https://app.example.org"]))
    answer = sign_in(demo, **{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.org"})
    assert answer.status == falcon.HTTP_403


@pytest.mark.parametrize(
    "body", [{}, {"transport": "pigeon"}, {"transport": ["header"]}, {"transport": "header", "user_id": "bob"}]
)
def test_nothing_but_the_transport_can_be_chosen(demo: TestClient, body: dict[str, Any]) -> None:
    """Least of all the user."""
    assert sign_in(demo, body).status == falcon.HTTP_422
