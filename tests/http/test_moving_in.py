"""Bound sessions at the endpoints of applications that move in, whose clients know nothing of keys."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.errors import RefusalCause
from domain.model.proofs import DeviceBinding
from domain.model.tokens import TokenPair
from domain.use_cases.start_session import SessionTerms
from entrypoints.http.credentials import ServiceCredentials
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.moving_in.flask_jwt_extended import FlaskCookies, FlaskJwtExtendedRefreshResource, csrf_value
from entrypoints.http.moving_in.oauth_toolkit import OAuthIntrospectionResource, OAuthTokenResource
from entrypoints.http.moving_in.simplejwt import SimplejwtRefreshResource
from entrypoints.http.refresh_cookie import RefreshCookie
from ports.oauth_clients import OAuthClients
from tests.builders import KEY
from tests.fakes.dpop import BASE, FakeDPoP
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL, bearer, refresh_token_of

SIMPLEJWT, KEEPING, FLASK, TOOLKIT = "/api/token/refresh/", "/api/token/keep/", "/refresh", "/o/token/"
INTROSPECTION = "/o/introspect/"
COOKIES = FlaskCookies(refresh=RefreshCookie(name="refresh_token_cookie", same_site="Lax"))
Ask = Callable[[TestClient, str, dict[str, str]], Result]


class AnyClient(OAuthClients):
    """Takes every client for the one of the token."""

    def authenticate(self, client_id: str, secret: str | None) -> bool:
        return True

    def may_present(self, client_id: str, presented: str) -> bool:
        return True


def simplejwt(client: TestClient, token: str, headers: dict[str, str]) -> Result:
    return client.simulate_post(SIMPLEJWT, json={"refresh": token}, headers=headers)


def simplejwt_that_keeps(client: TestClient, token: str, headers: dict[str, str]) -> Result:
    return client.simulate_post(KEEPING, json={"refresh": token}, headers=headers)


def flask(client: TestClient, token: str, headers: dict[str, str]) -> Result:
    return client.simulate_post(FLASK, headers=headers | {"Authorization": f"Bearer {token}"})


def flask_by_cookie(client: TestClient, token: str, headers: dict[str, str]) -> Result:
    shown = {"Cookie": f"refresh_token_cookie={token}", "X-CSRF-TOKEN": csrf_value(token)}
    return client.simulate_post(FLASK, headers=headers | shown)


def toolkit(client: TestClient, token: str, headers: dict[str, str]) -> Result:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = f"grant_type=refresh_token&client_id=app&refresh_token={token}"
    return client.simulate_post(TOOLKIT, body=body, headers=headers | form)


NOT_VALID = {"detail": "Key not proven.", "code": "token_not_valid"}
REFUSED: dict[Ask, tuple[int, dict[str, Any], str | None]] = {
    simplejwt: (401, NOT_VALID, 'Bearer realm="api"'),
    simplejwt_that_keeps: (401, NOT_VALID, 'Bearer realm="api"'),
    flask: (401, {"msg": "Key not proven"}, None),
    flask_by_cookie: (401, {"msg": "Key not proven"}, None),
    toolkit: (400, {"error": "invalid_grant", "error_description": "Key not proven."}, None),
}
"""By endpoint: status, body, and the challenge that the library has. None of them knows a challenge of DPoP."""
EVERYWHERE = pytest.mark.parametrize("ask", REFUSED, ids=[ask.__name__ for ask in REFUSED])


@pytest.fixture
def dpop(service: FakeService) -> FakeDPoP:
    return FakeDPoP(service.clock)


@pytest.fixture
def make_old(make_client: Callable[..., TestClient], service: FakeService, dpop: FakeDPoP) -> Callable[[], TestClient]:
    """Return a client of the service as it is now, with the old endpoints."""

    def make() -> TestClient:
        flask_resource = FlaskJwtExtendedRefreshResource(
            by_header=service.refresh,
            by_cookie=service.refresh,
            locations=["headers", "cookies"],
            cookies=COOKIES,
            guard=CrossSiteGuard([]),
            csrf_value_of=lambda _: None,
        )
        endpoints = {
            SIMPLEJWT: SimplejwtRefreshResource(service.refresh),
            KEEPING: SimplejwtRefreshResource(service.keep),
            FLASK: flask_resource,
            TOOLKIT: OAuthTokenResource(service.refresh, AnyClient(), other_grants=None),
        }
        return make_client(dpop=dpop, old_endpoints=endpoints)

    return make


def require_refusal(ask: Ask, answer: Result) -> None:
    status, body, challenge = REFUSED[ask]
    assert (answer.status_code, answer.json) == (status, body)
    assert answer.headers.get("WWW-Authenticate") == challenge
    assert not {"DPoP-Nonce", "Set-Cookie", "Secure-Session-Registration"} & set(answer.headers)


@EVERYWHERE
def test_a_bound_session_is_refused_in_the_librarys_words_and_goes_on(
    make_old: Callable[[], TestClient], service: FakeService, dpop: FakeDPoP, ask: Ask
) -> None:
    """With a proof as well: no client of these libraries makes one, and none is looked for."""
    client, token = make_old(), refresh_token_of(service.sign_in("ada", SessionTerms(key_thumbprint=KEY)))
    for path in ("/refresh_token", SIMPLEJWT, KEEPING, FLASK, TOOLKIT):
        for headers in ({}, {"DPoP": dpop.prove(KEY, "POST", BASE + path, dpop.nonce())}):
            require_refusal(ask, ask(client, token, headers))
    assert {event.cause for event in service.log.events[1:]} == {RefusalCause.KEY_NOT_PROVEN}
    proof = dpop.prove(KEY, "POST", f"{BASE}/refresh_token", dpop.nonce())
    headers = {"Authorization": f"Bearer {token}", "DPoP": proof}
    assert client.simulate_post("/refresh_token", headers=headers).status_code == 200


@EVERYWHERE
def test_where_a_binding_is_required_an_unbound_session_is_refused_likewise(
    make_old: Callable[[], TestClient], service: FakeService, pair: TokenPair, ask: Ask
) -> None:
    """After its first rotation, or at once where it would never rotate."""
    service.policy = replace(service.policy, device_binding=DeviceBinding.REQUIRE)
    client, token = make_old(), refresh_token_of(pair)
    if ask is not simplejwt_that_keeps:
        service.refresh(token)
        service.clock.advance(service.policy.replay_grace + 1)
    require_refusal(ask, ask(client, token, {}))


def test_a_bound_access_token_is_not_active_to_who_asks_for_no_proof(
    make_client: Callable[..., TestClient], service: FakeService
) -> None:
    """As the toolkit does: it would take the token from whoever has it."""
    service.policy = replace(service.policy, bound_access_tokens=True)
    introspection = OAuthIntrospectionResource(
        ServiceCredentials([SERVICE_CREDENTIAL]), service.authenticate, str.upper
    )
    client = make_client(old_endpoints={INTROSPECTION: introspection})
    headers = bearer(SERVICE_CREDENTIAL) | {"Content-Type": "application/x-www-form-urlencoded"}
    told = [
        client.simulate_post(INTROSPECTION, headers=headers, body=f"token={service.sign_in('ada', terms).access_token}")
        for terms in (SessionTerms(), SessionTerms(key_thumbprint=KEY))
    ]
    assert (told[0].json["active"], told[0].json["username"]) == (True, "ADA")
    assert told[1].json == {"active": False}
