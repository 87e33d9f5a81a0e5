"""Sessions that are bound to a key at their start, and what proves it (RFC 9449)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.errors import RefusalCause
from domain.model.proofs import DeviceBinding
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.use_cases.start_session import SessionTerms
from entrypoints.http.oauth.server import AuthorizationServer
from ports.security_log import Happening
from tests.fakes.dpop import BASE, FakeDPoP
from tests.fakes.service import FakeService
from tests.http.contract import (
    ALLOWED_ORIGIN,
    CLEARED_COOKIE,
    INVALID,
    SERVICE_CREDENTIAL,
    bearer,
    failure,
    refresh_token_of,
    with_cookie,
    with_refresh,
)

KEY, OTHER_KEY = "k" * 43, "o" * 43
NOT_PROVEN = failure(401, "Key not proven.")
NO_PROOF = failure(401, "Invalid DPoP proof.")
NOT_FRESH = failure(401, "DPoP proof needs a new nonce.")
ALGS = 'algs="ES256"'
ACCESS_TOKEN_TTL = SessionPolicy().access_token_ttl
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def dpop(service: FakeService) -> FakeDPoP:
    return FakeDPoP(service.clock)


@pytest.fixture
def client(make_client: Callable[..., TestClient], dpop: FakeDPoP) -> TestClient:
    """Return a client of an application that verifies proofs."""
    return make_client(dpop=dpop, server=AuthorizationServer(issuer=BASE, base=BASE), allowed_origins=[ALLOWED_ORIGIN])


@pytest.fixture
def bound(service: FakeService) -> TokenPair:
    """Return the first tokens of a session of Ada's that is bound to `KEY`."""
    return service.sign_in("ada", SessionTerms(key_thumbprint=KEY))


def proof(dpop: FakeDPoP, path: str = "/refresh_token", method: str = "POST", **made: Any) -> dict[str, str]:
    """Return the header with a proof for a request; `key`, `nonce` and `access_token` may be others."""
    made = {"nonce": dpop.nonce(), "key": KEY, **made}
    return {"DPoP": dpop.prove(made.pop("key"), method, BASE + path, **made)}


def refresh(client: TestClient, token: str, headers: dict[str, str] | None = None) -> Result:
    return client.simulate_post("/refresh_token", headers=bearer(token) | (headers or {}))


def oauth(client: TestClient, token: str, headers: dict[str, str] | None = None) -> Result:
    body = f"grant_type=refresh_token&refresh_token={token}"
    return client.simulate_post("/oauth/token", headers=FORM | (headers or {}), body=body)


def start(client: TestClient, **fields: Any) -> Result:
    return client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json={"user_id": "ada", **fields})


def causes(service: FakeService) -> list[object]:
    return [event.cause for event in service.log.events if event.cause is not None]


# Starting


def test_a_session_is_bound_at_its_start_for_good(client: TestClient, service: FakeService, dpop: FakeDPoP) -> None:
    """Every successor of its refresh token wants the key."""
    answer = start(client, dpop_jkt=KEY)
    assert answer.status_code == 201
    token = answer.json["data"]["refresh_token"]
    for _ in range(3):
        assert service.tokens.read_refresh_token(token).key_thumbprint == KEY
        assert refresh(client, token).content == NOT_PROVEN
        answer = refresh(client, token, proof(dpop))
        assert answer.status_code == 200
        token = answer.json["data"]["refresh_token"]
        service.clock.advance(40)


WRONG_FORM = "dpop_jkt: must be a key's thumbprint: SHA-256 in base64url (RFC 7638)."
WITH_COOKIE = 'dpop_jkt: goes with transport \\"header\\" alone.'
NO_URL = "dpop_jkt: needs NUOVO_PUBLIC_URL, or a URL as NUOVO_ISSUER: a proof names the URL that it is for."
REQUIRED = (
    'dpop_jkt: must be given with transport \\"header\\": NUOVO_DEVICE_BINDING=require wants every session bound.'
)


@pytest.mark.parametrize(
    "value", [None, "", "k" * 42, "k" * 44, "k" * 42 + "=", "k" * 42 + "\u0131", 1, True, [KEY], {}]
)
def test_what_is_no_thumbprint_is_refused(client: TestClient, service: FakeService, value: object) -> None:
    answer = start(client, dpop_jkt=value)
    assert (answer.status_code, answer.content) == (422, failure(422, WRONG_FORM))
    assert service.log.events == []


def test_a_cookie_is_not_bound_by_dpop(client: TestClient) -> None:
    answer = start(client, transport="cookie", dpop_jkt=KEY)
    assert (answer.status_code, answer.content) == (422, failure(422, WITH_COOKIE))


def test_without_a_public_url_no_session_is_bound(make_client: Callable[..., TestClient]) -> None:
    """It could never be refreshed."""
    answer = start(make_client(), dpop_jkt=KEY)
    assert (answer.status_code, answer.content) == (422, failure(422, NO_URL))


@pytest.mark.parametrize("binding", DeviceBinding)
def test_only_where_binding_is_required_a_header_session_must_be_bound(
    make_client: Callable[..., TestClient], service: FakeService, dpop: FakeDPoP, binding: DeviceBinding
) -> None:
    """No later step could bind it. A session of a cookie is bound by its browser."""
    service.policy = replace(service.policy, device_binding=binding)
    client = make_client(dpop=dpop)
    answer = start(client)
    if binding is DeviceBinding.REQUIRE:
        assert (answer.status_code, answer.content) == (422, failure(422, REQUIRED))
    else:
        assert answer.status_code == 201
    assert start(client, transport="cookie").status_code == 201
    assert start(client, dpop_jkt=KEY).status_code == 201


# POST /refresh_token


def test_a_bound_session_without_a_proof_is_refused_and_goes_on(
    client: TestClient, service: FakeService, dpop: FakeDPoP, bound: TokenPair
) -> None:
    """The challenge says what to do, and with which nonce, so that one request more suffices."""
    answer = refresh(client, refresh_token_of(bound))
    assert (answer.status_code, answer.content) == (401, NOT_PROVEN)
    assert answer.headers["WWW-Authenticate"] == (
        f'DPoP error="invalid_dpop_proof", error_description="Key not proven.", {ALGS}'
    )
    again = refresh(client, refresh_token_of(bound), proof(dpop, nonce=answer.headers["DPoP-Nonce"]))
    assert again.status_code == 200
    assert "DPoP-Nonce" not in again.headers, "it was the newest"
    assert causes(service) == [RefusalCause.KEY_NOT_PROVEN]


def test_a_thief_without_the_key_gets_nothing_and_ends_nothing(
    client: TestClient, service: FakeService, dpop: FakeDPoP, bound: TokenPair
) -> None:
    """With a key of their own, with the token before, hours later: the owner goes on."""
    stolen = refresh_token_of(bound)
    token = refresh(client, stolen, proof(dpop)).json["data"]["refresh_token"]
    for wait in (0, 40, 3600, 86_400):
        service.clock.advance(wait)
        for headers in ({}, proof(dpop, key=OTHER_KEY)):
            for each in (stolen, token):
                assert refresh(client, each, headers).content == NOT_PROVEN
    assert refresh(client, token, proof(dpop)).status_code == 200


def test_a_bound_session_of_a_cookie_is_asked_for_no_proof_of_dpop(client: TestClient, bound: TokenPair) -> None:
    """It is its browser that proves the key, and the cookie stays."""
    answer = client.simulate_post("/refresh_token", headers=with_cookie(bound))
    assert (answer.status_code, answer.content) == (401, NOT_PROVEN)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert not {"DPoP-Nonce", "Set-Cookie"} & set(answer.headers)


def test_a_proof_without_a_nonce_is_told_which_to_use(client: TestClient, dpop: FakeDPoP, bound: TokenPair) -> None:
    answer = refresh(client, refresh_token_of(bound), proof(dpop, nonce=None))
    assert (answer.status_code, answer.content) == (401, NOT_FRESH)
    assert answer.headers["WWW-Authenticate"] == (
        f'DPoP error="use_dpop_nonce", error_description="DPoP proof needs a new nonce.", {ALGS}'
    )
    assert refresh(client, refresh_token_of(bound), proof(dpop, nonce=answer.headers["DPoP-Nonce"])).status_code == 200


@pytest.mark.parametrize("wait", [31, 59, 290, ACCESS_TOKEN_TTL, ACCESS_TOKEN_TTL + 180])
def test_a_client_that_keeps_its_last_nonce_refreshes_with_one_request(
    client: TestClient, service: FakeService, dpop: FakeDPoP, bound: TokenPair, wait: int
) -> None:
    """Whenever its access token has ended, or sooner."""
    nonce, token = dpop.nonce(), refresh_token_of(bound)
    for _ in range(8):
        service.clock.advance(wait)
        answer = refresh(client, token, proof(dpop, nonce=nonce))
        assert answer.status_code == 200
        token, nonce = answer.json["data"]["refresh_token"], answer.headers.get("DPoP-Nonce", nonce)
        assert nonce == dpop.nonce()


@pytest.mark.parametrize("header", ["", " ", "nonsense", "proof-0, proof-0", "a.b.c"])
def test_a_bad_proof_is_refused_whether_or_not_one_is_asked_for(
    client: TestClient, service: FakeService, dpop: FakeDPoP, header: str
) -> None:
    """And not in words that a client takes for the end of its session: its cookie stays."""
    pair = service.sign_in("ada")
    for headers in (with_refresh(pair), with_cookie(pair)):
        answer = client.simulate_post("/refresh_token", headers=headers | {"DPoP": header})
        assert (answer.status_code, answer.content) == (401, NO_PROOF)
        assert answer.headers["WWW-Authenticate"] == (
            f'DPoP error="invalid_dpop_proof", error_description="Invalid DPoP proof.", {ALGS}'
        )
        assert "DPoP-Nonce" not in answer.headers, "there is nothing to try again"
        assert "Set-Cookie" not in answer.headers
    assert causes(service) == [RefusalCause.PROOF_MALFORMED] * 2
    assert {event.happening for event in service.log.events[1:]} == {Happening.REFUSED}
    assert client.simulate_post("/refresh_token", headers=with_refresh(pair)).status_code == 200


@pytest.mark.parametrize("request_line", ["POST /oauth/token", "GET /refresh_token", "GET /sessions"])
def test_a_proof_for_another_request_is_refused_and_the_log_says_why(
    client: TestClient, service: FakeService, dpop: FakeDPoP, bound: TokenPair, request_line: str
) -> None:
    method, path = request_line.split()
    answer = refresh(client, refresh_token_of(bound), proof(dpop, path, method))
    assert (answer.status_code, answer.content) == (401, NO_PROOF)
    assert causes(service) == [RefusalCause.PROOF_ELSEWHERE]


def test_a_proof_binds_nothing(client: TestClient, service: FakeService, dpop: FakeDPoP, pair: TokenPair) -> None:
    """A session that was not bound at its start serves its token alone, then as before."""
    answer = refresh(client, refresh_token_of(pair), proof(dpop))
    assert answer.status_code == 200
    token = answer.json["data"]["refresh_token"]
    assert service.tokens.read_refresh_token(token).key_thumbprint is None
    assert refresh(client, token).status_code == 200


def test_a_refused_token_is_refused_whatever_was_proven(
    client: TestClient, service: FakeService, dpop: FakeDPoP
) -> None:
    answer = refresh(client, "nonsense", proof(dpop))
    assert (answer.status_code, answer.content) == (401, INVALID)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="nuovo", error="invalid_token"')
    cookie = client.simulate_post(
        "/refresh_token", headers={**with_cookie(service.sign_in("bob")), "Cookie": "__Host-refresh_token=x"}
    )
    assert cookie.headers["Set-Cookie"] == CLEARED_COOKIE


def test_logging_out_wants_no_proof(client: TestClient, dpop: FakeDPoP, bound: TokenPair) -> None:
    """Whoever has the token may end the session: that helps its owner alone."""
    assert client.simulate_post("/revoke_token", headers=with_refresh(bound)).status_code == 200
    assert refresh(client, refresh_token_of(bound), proof(dpop)).content == INVALID


def test_a_service_that_cannot_verify_ignores_proofs_and_refuses_bound_sessions(
    make_client: Callable[..., TestClient], bound: TokenPair, pair: TokenPair
) -> None:
    """As when its public URL was taken away: a session that is bound stays so."""
    client = make_client()
    headers = {"DPoP": "whatever"}
    answer = refresh(client, refresh_token_of(bound), headers)
    assert (answer.status_code, answer.content) == (401, NOT_PROVEN)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "DPoP-Nonce" not in answer.headers
    assert refresh(client, refresh_token_of(pair), headers).status_code == 200


# POST /oauth/token


def test_the_same_in_the_words_of_oauth(client: TestClient, dpop: FakeDPoP, bound: TokenPair) -> None:
    """RFC 9449, section 5: the refresh token of a public client may be bound alone."""
    token = refresh_token_of(bound)
    missing = oauth(client, token)
    assert (missing.status_code, missing.json["error"]) == (400, "invalid_dpop_proof")
    wrong = oauth(client, token, {"DPoP": "nonsense"})
    assert (wrong.status_code, wrong.json["error"]) == (400, "invalid_dpop_proof")
    stale = oauth(client, token, proof(dpop, "/oauth/token", nonce=None))
    assert (stale.status_code, stale.json["error"]) == (400, "use_dpop_nonce")
    assert missing.headers["DPoP-Nonce"] == stale.headers["DPoP-Nonce"] == dpop.nonce()
    assert "DPoP-Nonce" not in wrong.headers
    for answer in (missing, wrong, stale):
        assert "WWW-Authenticate" not in answer.headers
    answer = oauth(client, token, proof(dpop, "/oauth/token", nonce=stale.headers["DPoP-Nonce"]))
    assert (answer.status_code, answer.json["token_type"]) == (200, "Bearer")


def test_metadata_says_so_only_where_proofs_can_be_verified(
    make_client: Callable[..., TestClient], dpop: FakeDPoP
) -> None:
    """And endpoints are where the public URL is, whatever the issuer is called."""
    server = AuthorizationServer(issuer="https://example.org/nuovo", base=BASE)
    name = "dpop_signing_alg_values_supported"
    path = "/.well-known/oauth-authorization-server"
    told = make_client(dpop=dpop, server=server).simulate_get(path).json
    assert told[name] == ["ES256"]
    assert told["issuer"] == "https://example.org/nuovo"
    assert (told["token_endpoint"], told["revocation_endpoint"]) == (f"{BASE}/oauth/token", f"{BASE}/oauth/revoke")
    assert name not in make_client(server=server).simulate_get(path).json


# Access tokens


@pytest.fixture
def strict(make_client: Callable[..., TestClient], service: FakeService, dpop: FakeDPoP) -> TestClient:
    """Return a client of an application that binds access tokens, too."""
    service.policy = replace(service.policy, bound_access_tokens=True)
    return make_client(dpop=dpop, server=AuthorizationServer(issuer=BASE, base=BASE))


REQUESTS = [("GET", "/sessions"), ("DELETE", "/sessions"), ("DELETE", "/sessions/{own}")]


def shown(dpop: FakeDPoP, token: str, method: str, path: str, **made: Any) -> dict[str, str]:
    """Return the headers that show a bound access token."""
    return {"Authorization": f"DPoP {token}"} | proof(dpop, path, method, **{"access_token": token, **made})


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_a_bound_access_token_is_taken_with_its_proof_alone(
    strict: TestClient, service: FakeService, dpop: FakeDPoP, method: str, path: str
) -> None:
    pair = start(strict, dpop_jkt=KEY).json["data"]
    token, path = pair["access_token"], path.format(own=pair["session_id"])
    alone = strict.simulate_request(method, path, headers=bearer(token))
    assert alone.content == failure(401, "Invalid access token.")
    as_bearer = shown(dpop, token, method, path) | bearer(token)
    assert strict.simulate_request(method, path, headers=as_bearer).content == alone.content
    assert alone.headers["WWW-Authenticate"] == (
        f'Bearer realm="nuovo", error="invalid_token", error_description="Invalid access token.", DPoP {ALGS}'
    )
    for wrong in (
        {"Authorization": f"DPoP {token}"},
        shown(dpop, token, method, path, access_token=None),
        shown(dpop, token, method, path, access_token="x"),
        shown(dpop, token, "PATCH", path),
        shown(dpop, token, method, "/refresh_token"),
    ):
        answer = strict.simulate_request(method, path, headers=wrong)
        assert (answer.status_code, answer.content) == (401, NO_PROOF)
        assert answer.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof", ')
    other = strict.simulate_request(method, path, headers=shown(dpop, token, method, path, key=OTHER_KEY))
    assert other.content == failure(401, "Invalid access token.")
    assert other.headers["WWW-Authenticate"] == (
        f'DPoP error="invalid_token", error_description="Invalid access token.", {ALGS}'
    )
    stale = strict.simulate_request(method, path, headers=shown(dpop, token, method, path, nonce=None))
    assert stale.content == NOT_FRESH
    headers = shown(dpop, token, method, path, nonce=stale.headers["DPoP-Nonce"])
    assert strict.simulate_request(method, path, headers=headers).status_code == 200
    assert {event.happening for event in service.log.events if event.cause in PROOF_CAUSES} == {
        Happening.ACCESS_REFUSED
    }


PROOF_CAUSES = {RefusalCause.KEY_NOT_PROVEN, RefusalCause.PROOF_MALFORMED, RefusalCause.PROOF_ELSEWHERE}


def test_an_unbound_access_token_is_a_bearer_token_alone(strict: TestClient, dpop: FakeDPoP, pair: TokenPair) -> None:
    """RFC 9449, section 7.1."""
    token = pair.access_token
    assert strict.simulate_get("/sessions", headers=bearer(token)).status_code == 200
    answer = strict.simulate_get("/sessions", headers=shown(dpop, token, "GET", "/sessions"))
    assert answer.content == failure(401, "Invalid access token.")


def test_a_bad_proof_beside_a_bearer_token_is_refused_as_everywhere(
    strict: TestClient, dpop: FakeDPoP, pair: TokenPair
) -> None:
    """And a good one is no harm."""
    headers = bearer(pair.access_token)
    answer = strict.simulate_get("/sessions", headers=headers | {"DPoP": "nonsense"})
    assert (answer.status_code, answer.content) == (401, NO_PROOF)
    good = proof(dpop, "/sessions", "GET", access_token=pair.access_token)
    assert strict.simulate_get("/sessions", headers=headers | good).status_code == 200


def test_whoever_brings_nothing_is_told_both_ways(strict: TestClient) -> None:
    answer = strict.simulate_get("/sessions")
    assert answer.content == failure(401, "Access token missing.")
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="nuovo", DPoP {ALGS}'


def test_where_access_tokens_are_not_bound_none_is_asked_to_be(client: TestClient) -> None:
    assert client.simulate_get("/sessions").headers["WWW-Authenticate"] == 'Bearer realm="nuovo"'


def test_a_service_that_cannot_verify_knows_no_scheme_but_bearer(
    make_client: Callable[..., TestClient], pair: TokenPair
) -> None:
    headers = {"Authorization": f"DPoP {pair.access_token}", "DPoP": "whatever"}
    assert make_client().simulate_get("/sessions", headers=headers).content == failure(401, "Access token missing.")


def test_the_type_of_an_access_token_is_told(strict: TestClient, service: FakeService, dpop: FakeDPoP) -> None:
    """In the answer, and by introspection with the key (section 6.2)."""
    pair = service.sign_in("ada", SessionTerms(key_thumbprint=KEY))
    answer = oauth(strict, refresh_token_of(pair), proof(dpop, "/oauth/token"))
    assert answer.json["token_type"] == "DPoP"
    unbound = oauth(strict, refresh_token_of(service.sign_in("ada")), proof(dpop, "/oauth/token"))
    assert unbound.json["token_type"] == "Bearer"

    def told(token: str) -> dict[str, Any]:
        headers = FORM | bearer(SERVICE_CREDENTIAL)
        claims: dict[str, Any] = strict.simulate_post("/oauth/introspect", headers=headers, body=f"token={token}").json
        return {name: claims.get(name) for name in ("active", "token_type", "cnf")}

    key = {"jkt": KEY}
    assert told(answer.json["access_token"]) == {"active": True, "token_type": "DPoP", "cnf": key}
    assert told(answer.json["refresh_token"]) == {"active": True, "token_type": None, "cnf": key}
    assert told(unbound.json["access_token"]) == {"active": True, "token_type": "Bearer", "cnf": None}


def test_a_bound_access_token_ends_its_session_as_a_refresh_token_does(
    strict: TestClient, service: FakeService, dpop: FakeDPoP
) -> None:
    """Clients revoke by the token alone (RFC 7009); an answer of 200 that had ended nothing would be a lie."""
    pair = service.sign_in("ada", SessionTerms(key_thumbprint=KEY))
    answer = strict.simulate_post("/oauth/revoke", headers=FORM, body=f"token={pair.access_token}")
    assert answer.status_code == 200
    assert refresh(strict, refresh_token_of(pair), proof(dpop)).content == INVALID


# Pages of other origins


def test_a_page_may_send_a_proof_and_read_what_it_needs_for_the_next(client: TestClient, bound: TokenPair) -> None:
    preflight = client.simulate_options(
        "/refresh_token",
        headers={
            "Origin": ALLOWED_ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,dpop",
        },
    )
    assert "DPoP" in preflight.headers["Access-Control-Allow-Headers"].split(", ")
    answer = client.simulate_post("/refresh_token", headers=with_refresh(bound) | {"Origin": ALLOWED_ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED_ORIGIN
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"DPoP-Nonce", "WWW-Authenticate"} <= exposed & {name for name in exposed if name in answer.headers}


class Untouchable(FakeDPoP):
    """Fails whoever asks it for anything but a nonce."""

    def verify(self, *_arguments: object, **_named: object) -> Any:
        raise AssertionError

    def nonce(self) -> str:
        raise AssertionError


def test_whoever_sends_no_proof_costs_no_look_at_one(
    make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair
) -> None:
    client = make_client(dpop=Untouchable(service.clock))
    assert client.simulate_post("/refresh_token", headers=with_refresh(pair)).status_code == 200
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).status_code == 200
    assert client.simulate_post("/refresh_token", headers=bearer("nonsense")).content == INVALID
