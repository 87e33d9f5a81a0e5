"""The same use cases in the words of OAuth 2.0: RFC 6749, 7009 and 8414."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from domain.model.users import User
from entrypoints.http.oauth.server import AuthorizationServer
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.http.contract import COOKIE, SERVICE_CREDENTIAL, bearer, refresh_token_of, without_rotation
from tests.http.test_trouble import AwaySessions, DefectiveSessions

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ISSUER = "https://auth.example.org"
NOT_A_FORM = "Request body is not a valid form, with each parameter once."


def post(client: TestClient, path: str, sent: Mapping[str, str] = FORM, /, **form: str) -> Result:
    return client.simulate_post(path, headers={**FORM, **sent}, body=urlencode(form))


def refresh(client: TestClient, token: str, **form: str) -> Result:
    return post(client, "/oauth/token", grant_type="refresh_token", refresh_token=token, **form)


def error_of(answer: Result) -> tuple[int, str, str]:
    """Return status, code and words of an error, of an answer that says nothing else."""
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert list(answer.json) == ["error", "error_description"]
    return answer.status_code, answer.json["error"], answer.json["error_description"]


def test_refresh(client: TestClient, pair: TokenPair) -> None:
    answer = refresh(client, refresh_token_of(pair))
    assert answer.status_code == 200
    assert list(answer.json) == ["access_token", "token_type", "expires_in", "refresh_token"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert "Set-Cookie" not in answer.headers
    assert refresh(client, answer.json["refresh_token"]).status_code == 200


def test_it_is_the_same_token_as_everywhere(client: TestClient, pair: TokenPair) -> None:
    following = refresh(client, refresh_token_of(pair)).json["refresh_token"]
    assert client.simulate_post("/refresh_token", headers=bearer(following)).status_code == 200


def test_without_rotation_the_token_stays(
    make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair
) -> None:
    without_rotation(service)
    answer = refresh(make_client(), refresh_token_of(pair))
    assert list(answer.json) == ["access_token", "token_type", "expires_in"]


@pytest.mark.parametrize(
    "extra",
    [
        {"client_id": "frontend"},
        {"client_id": ""},
        {"scope": ""},
        {"resource": "https://api.example.org"},
        {"unheard": "of"},
    ],
)
def test_what_may_be_there_too(client: TestClient, pair: TokenPair, extra: dict[str, str]) -> None:
    """What is not known is ignored, and what has no value counts as omitted (RFC 6749, section 3.2)."""
    assert refresh(client, refresh_token_of(pair), **extra).status_code == 200


def forget_ada(service: FakeService, _pair: TokenPair) -> None:
    service.users.remove("ada")


def disable_ada(service: FakeService, _pair: TokenPair) -> None:
    service.users.put(User(id="ada", active=False))


def log_out(service: FakeService, pair: TokenPair) -> None:
    service.revoke(refresh_token_of(pair))


def two_weeks_later(service: FakeService, _pair: TokenPair) -> None:
    service.clock.advance(14 * 86_400)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (log_out, "Invalid refresh token."),
        (disable_ada, "Invalid refresh token."),
        (two_weeks_later, "Refresh token has expired."),
        (forget_ada, "User not found."),
    ],
)
def test_a_token_that_is_refused_is_an_invalid_grant(
    client: TestClient, service: FakeService, pair: TokenPair, prepare: Callable[..., object], words: str
) -> None:
    """Whatever status that is elsewhere."""
    prepare(service, pair)
    assert error_of(refresh(client, refresh_token_of(pair))) == (400, "invalid_grant", words)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, (400, "invalid_request", "grant_type is missing.")),
        ({"grant_type": ""}, (400, "invalid_request", "grant_type is missing.")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request", "refresh_token is missing.")),
        (
            {"grant_type": "password", "username": "a", "password": "b"},
            (400, "unsupported_grant_type", "The only grant type is refresh_token."),
        ),
        (
            {"grant_type": "<script>"},
            (400, "unsupported_grant_type", "The only grant type is refresh_token."),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "scope": "admin"},
            (400, "invalid_scope", "There are no scopes here."),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "other"},
            (400, "invalid_client", "There is no such client."),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "x", "client_secret": "hunter2"},
            (400, "invalid_client", "This client is public: it has no secret."),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "nonsense"},
            (400, "invalid_grant", "Invalid refresh token."),
        ),
    ],
)
def test_what_a_client_does_wrong(client: TestClient, form: dict[str, str], error: tuple[int, str, str]) -> None:
    assert error_of(post(client, "/oauth/token", **form)) == error


def test_a_secret_of_a_public_client_is_not_taken_for_checked(client: TestClient, pair: TokenPair) -> None:
    basic = {"Authorization": f"Basic {b64encode(b'frontend:hunter2').decode()}"}
    for path, form in (
        ("/oauth/token", {"grant_type": "refresh_token", "refresh_token": refresh_token_of(pair)}),
        ("/oauth/revoke", {"token": refresh_token_of(pair)}),
    ):
        answer = post(client, path, basic, **form)
        assert error_of(answer) == (401, "invalid_client", "This client is public: it has no secret.")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="nuovo"'
    assert refresh(client, refresh_token_of(pair)).status_code == 200


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        ("a=1&a=2", FORM, (400, "invalid_request", NOT_A_FORM)),
        ("a", FORM, (400, "invalid_request", NOT_A_FORM)),
        ("a=%ff", FORM, (400, "invalid_request", NOT_A_FORM)),
        (b"a=\xff", FORM, (400, "invalid_request", NOT_A_FORM)),
        (
            "{}",
            {"Content-Type": "application/json"},
            (415, "invalid_request", "Request body must be application/x-www-form-urlencoded."),
        ),
        ("a=1", {}, (415, "invalid_request", "Request body must be application/x-www-form-urlencoded.")),
        ("a=" + "b" * 8192, FORM, (413, "invalid_request", "Request body too large.")),
    ],
    ids=["twice", "no value", "no text", "no UTF-8", "JSON", "no type", "too large"],
)
def test_what_is_no_form(
    client: TestClient, path: str, body: bytes | str, headers: dict[str, str], error: tuple[int, str, str]
) -> None:
    credential = bearer(SERVICE_CREDENTIAL) if path == "/oauth/introspect" else {}
    assert error_of(client.simulate_post(path, body=body, headers=headers | credential)) == error


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_nothing_is_read_from_the_address(client: TestClient, pair: TokenPair, path: str) -> None:
    """What stands in a URL stands in logs."""
    query = f"grant_type=refresh_token&refresh_token={refresh_token_of(pair)}&token={refresh_token_of(pair)}"
    headers = FORM | bearer(SERVICE_CREDENTIAL)
    answer = client.simulate_post(path, query_string=query, headers=headers, body="")
    assert error_of(answer) == (400, "invalid_request", "Parameters belong into the body.")
    assert refresh(client, refresh_token_of(pair)).status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "cross-site"])
def test_no_cookie_is_accepted(client: TestClient, pair: TokenPair, site: str) -> None:
    """So no page can make a browser do anything here by itself; and none is cleared."""
    headers = {"Cookie": f"{COOKIE}={refresh_token_of(pair)}", "Sec-Fetch-Site": site, "Origin": "https://evil.example"}
    for path, form, missing in (
        ("/oauth/token", {"grant_type": "refresh_token"}, "refresh_token is missing."),
        ("/oauth/revoke", {"token_type_hint": "refresh_token"}, "token is missing."),
    ):
        answer = post(client, path, headers, **form)
        assert error_of(answer) == (400, "invalid_request", missing)
        assert "Set-Cookie" not in answer.headers
    refused = refresh(client, "nonsense")
    assert "Set-Cookie" not in refused.headers
    assert refresh(client, refresh_token_of(pair)).status_code == 200


def test_errors_have_their_form_however_many_slashes_lead(client: TestClient) -> None:
    """Falcon routes all of these."""
    for path in ("//oauth/token", "///oauth/token"):
        answer = client.simulate_post("/", headers=FORM, body="", extras={"PATH_INFO": path})
        assert error_of(answer) == (400, "invalid_request", "grant_type is missing.")
        answer = client.simulate_post("/", extras={"PATH_INFO": path})
        assert error_of(answer)[:2] == (415, "invalid_request")


@pytest.mark.parametrize(("method", "path"), [("GET", "/oauth/token"), ("PUT", "/oauth/revoke")])
def test_another_method(client: TestClient, method: str, path: str) -> None:
    answer = client.simulate_request(method, path)
    assert error_of(answer) == (405, "invalid_request", "Method not allowed.")
    assert "POST" in answer.headers["Allow"]


TROUBLED = pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])


def in_trouble(
    make_client: Callable[..., TestClient], service: FakeService, path: str, sessions: FakeSessions
) -> Result:
    token = refresh_token_of(service.sign_in("ada"))
    service.sessions = sessions
    form = {"grant_type": "refresh_token", "refresh_token": token, "token": token}
    return post(make_client(), path, bearer(SERVICE_CREDENTIAL), **form)


@TROUBLED
def test_trouble_stays_trouble(make_client: Callable[..., TestClient], service: FakeService, path: str) -> None:
    """It says nothing about the token: a client that were told `invalid_grant` would throw it away."""
    answer = in_trouble(make_client, service, path, AwaySessions())
    assert error_of(answer) == (503, "temporarily_unavailable", "Service temporarily unavailable.")
    assert int(answer.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in answer.headers


@TROUBLED
def test_a_defect_is_an_error_of_the_server(
    make_client: Callable[..., TestClient], service: FakeService, log_lines: list[str], path: str
) -> None:
    answer = in_trouble(make_client, service, path, DefectiveSessions())
    assert error_of(answer) == (500, "server_error", "An unexpected error occurred")
    assert len(log_lines) == 1


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "pct", None])
@pytest.mark.parametrize("presented", ["refresh", "access"])
def test_revoke(client: TestClient, service: FakeService, pair: TokenPair, presented: str, hint: str | None) -> None:
    """A token of either kind ends its session, wherever the hint says to look, and no other one."""
    other = service.sign_in("ada")
    token = refresh_token_of(pair) if presented == "refresh" else pair.access_token
    answer = post(client, "/oauth/revoke", token=token, **({} if hint is None else {"token_type_hint": hint}))
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert error_of(refresh(client, refresh_token_of(pair)))[1] == "invalid_grant"
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).status_code == 401
    assert refresh(client, refresh_token_of(other)).status_code == 200


@pytest.mark.parametrize("token", ["nonsense", "x" * 5000, "\U0001f600", "a.b.c", "\x00"], ids=ascii)
def test_revoking_what_is_worth_nothing_is_no_error(client: TestClient, token: str) -> None:
    """RFC 7009, section 2.2: the client can do nothing about it."""
    answer = post(client, "/oauth/revoke", token=token)
    assert (answer.status_code, answer.content) == (200, b"{}")


def test_revoking_twice_is_no_error(client: TestClient, pair: TokenPair) -> None:
    for token in (refresh_token_of(pair), refresh_token_of(pair), pair.access_token):
        assert post(client, "/oauth/revoke", token=token).status_code == 200


def test_revoking_needs_a_token_and_the_right_client(client: TestClient) -> None:
    assert error_of(post(client, "/oauth/revoke")) == (400, "invalid_request", "token is missing.")
    answer = post(client, "/oauth/revoke", token="x", client_id="other")
    assert error_of(answer) == (400, "invalid_client", "There is no such client.")


def metadata(make_client: Callable[..., TestClient], issuer: str, **options: Any) -> Result:
    client = make_client(server=AuthorizationServer(issuer=issuer, base=issuer.rstrip("/")), **options)
    return client.simulate_get("/.well-known/oauth-authorization-server")


def test_metadata_names_what_there_is(make_client: Callable[..., TestClient]) -> None:
    keys = {"keys": [{"kty": "EC"}]}
    assert metadata(make_client, ISSUER, public_keys=keys).json == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "response_types_supported": [],
        "grant_types_supported": ["refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint": f"{ISSUER}/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": ["none"],
        "service_documentation": f"{ISSUER}/docs",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "introspection_endpoint": f"{ISSUER}/oauth/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
    }


def test_metadata_names_nothing_that_there_is_not(make_client: Callable[..., TestClient]) -> None:
    """No keys, no address of keys; nobody who may introspect, no address for that."""
    bare = metadata(make_client, ISSUER, service_credentials=()).json
    assert {"jwks_uri", "introspection_endpoint", "introspection_endpoint_auth_methods_supported"}.isdisjoint(bare)


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/", f"{ISSUER}/auth", f"{ISSUER}:8443/auth/"])
def test_metadata_is_what_authlib_takes_for_valid(make_client: Callable[..., TestClient], issuer: str) -> None:
    document = AuthorizationServerMetadata(metadata(make_client, issuer, public_keys={"keys": [{}]}).json)
    # It takes an empty list for a missing one; but there is no authorization endpoint, so there are no response types.
    assert document["response_types_supported"] == []
    AuthorizationServerMetadata(document | {"response_types_supported": ["none"]}).validate()
    assert document["issuer"] == issuer
    assert document["token_endpoint"] == f"{issuer.rstrip('/')}/oauth/token"


def test_an_issuer_that_is_no_url_has_no_metadata(client: TestClient) -> None:
    answer = client.simulate_get("/.well-known/oauth-authorization-server")
    assert answer.status_code == 404
    assert json.loads(answer.content)["message"] == "Not found."
