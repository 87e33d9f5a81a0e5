"""What a sign-in may ask for: claims, an end, a cookie that does not outlive the browser."""

from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.sessions import SessionPolicy
from domain.model.users import User
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.builders import WHOLE_LIST
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.http.contract import COOKIE, SERVICE_CREDENTIAL, bearer, by_cookie, failure

POLICY = SessionPolicy()
CLAIMS = {"amr": ["pwd", "otp"], "tenant": {"id": 7, "name": "\u00c4rzte"}, "staff": False, "score": 0.5, "none": None}


def start(client: TestClient, **fields: Any) -> Result:
    return client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json={"user_id": "ada", **fields})


def claims_of(service: FakeService, answer: Result) -> dict[str, Any]:
    """Return the application's claims in the access token of an answer."""
    return dict(service.tokens.read_access_token(answer.json["data"]["access_token"]).claims)


def refreshed(client: TestClient, answer: Result) -> Result:
    return client.simulate_post("/refresh_token", headers=bearer(answer.json["data"]["refresh_token"]))


def test_claims_are_in_every_access_token(client: TestClient, service: FakeService) -> None:
    answer = start(client, claims=CLAIMS)
    for _ in range(3):
        assert claims_of(service, answer) == CLAIMS
        service.clock.advance(60)
        answer = refreshed(client, answer)


def test_the_users_claims_are_read_anew_and_count(client: TestClient, service: FakeService) -> None:
    service.users.put(User(id="ada", claims={"role": "admin"}))
    answer = start(client, claims={"amr": ["pwd"]})
    assert claims_of(service, answer) == {"amr": ["pwd"], "role": "admin"}
    service.users.put(User(id="ada", claims={"role": "guest"}))
    assert claims_of(service, refreshed(client, answer)) == {"amr": ["pwd"], "role": "guest"}


def test_a_claim_that_the_users_table_gives_cannot_be_given(make_client: Any, service: FakeService) -> None:
    """Whether or not a value stands there now: otherwise it would fill the gap of whoever has none."""
    service.start = replace(service.start, claims_of_users=frozenset({"role", "tenant"}))
    answer = start(make_client(), claims={"amr": ["pwd"], "role": "admin"})
    assert (answer.status_code, answer.content) == (422, failure(422, "claims: role is read from the users table."))
    assert service.log.events == []


def test_what_no_token_can_carry_is_refused_at_the_start(make_client: Any, service: FakeService) -> None:
    """Not at a refresh, when it would log somebody out."""
    keys = KeyRing("kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU")
    service.tokens = AuthlibTokenCodec(keys, issuer="nuovo", audience="api", client_id="frontend")
    service.users.put(User(id="ada", claims={"groups": "x" * 1000}))
    client = make_client()
    assert start(client, claims={"x": "y" * 1400}).status_code == 201
    answer = start(client, claims={"x": "y" * 2000})
    assert answer.status_code == 422
    assert answer.json["message"].startswith("claims: an access token with these claims and the user's has 4")
    assert answer.json["message"].endswith(" characters; at most 4096 can be carried.")
    assert len(service.list_sessions("ada", WHOLE_LIST)) == 1


def test_a_session_ends_when_it_was_asked_to(client: TestClient, service: FakeService) -> None:
    """However much it is used; and no token of it says otherwise."""
    answer = start(client, lifetime=600)
    for _ in range(5):
        token = service.tokens.read_access_token(answer.json["data"]["access_token"])
        assert token.expires_at <= START + 600
        service.clock.advance(119)
        answer = refreshed(client, answer)
    service.clock.advance(5)
    assert refreshed(client, answer).content == failure(401, "Refresh token has expired.")


@pytest.mark.parametrize("lifetime", [1, 600, 600.0])
def test_a_whole_number_is_one_however_it_is_written(client: TestClient, service: FakeService, lifetime: float) -> None:
    token = service.tokens.read_refresh_token(start(client, lifetime=lifetime).json["data"]["refresh_token"])
    assert token.ends_at == START + lifetime


def test_a_session_never_outlives_the_policy(client: TestClient, service: FakeService) -> None:
    answer = start(client, lifetime=400 * 86_400)
    token = service.tokens.read_refresh_token(answer.json["data"]["refresh_token"])
    assert (token.ends_at, token.expires_at) == (START + POLICY.session_ttl, START + POLICY.refresh_token_ttl)


@pytest.mark.parametrize(("remember", "lasting"), [(True, True), (False, False), (None, True)])
def test_the_cookie_lasts_as_was_asked_through_every_rotation(
    client: TestClient, service: FakeService, *, remember: bool | None, lasting: bool
) -> None:
    fields = {} if remember is None else {"remember": remember}
    answer = start(client, transport="cookie", **fields)
    for _ in range(4):
        cookie = answer.headers["Set-Cookie"]
        assert ("Max-Age" in cookie) == lasting
        assert "Expires" not in cookie
        service.clock.advance(40)
        answer = client.simulate_post("/refresh_token", headers=by_cookie(answer.cookies[COOKIE].value))
        assert answer.status_code == 200
