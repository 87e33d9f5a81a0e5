"""`POST /refresh_token`, held against the text of its specification.

The bodies stand here as the specification prints them; an answer is the same without the white space.
"""

import json
from collections.abc import Callable

import pytest
from falcon.testing import TestClient

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from ports.security_log import Happening
from tests.fakes.service import FakeService
from tests.http.contract import EXPIRED, INVALID, bearer, by_cookie, refresh_token_of, without_rotation

SUCCESS = """
{
  "status": "success",
  "code": 200,
  "data": {
    "access_token": "nuovo_access_token"
  }
}
"""
MISSING_REFRESH_TOKEN = """
{
  "status": "error",
  "code": 401,
  "message": "Refresh token missing."
}
"""
INVALID_REFRESH_TOKEN = """
{
  "status": "error",
  "code": 401,
  "message": "Invalid refresh token."
}
"""
USER_NOT_FOUND = """
{
  "status": "error",
  "code": 404,
  "message": "User not found."
}
"""
REFRESH_TOKEN_EXPIRED = """
{
  "status": "error",
  "code": 401,
  "message": "Refresh token has expired."
}
"""
TRANSPORTS = pytest.mark.parametrize("sent", [bearer, by_cookie], ids=["header", "cookie"])
Sent = Callable[[str], dict[str, str]]


def compact(printed: str) -> bytes:
    return json.dumps(json.loads(printed), separators=(",", ":")).encode()


@TRANSPORTS
def test_success(make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair, sent: Sent) -> None:
    """Without rotation, which the specification calls an optional improvement, this is the whole body."""
    without_rotation(service)
    answer = make_client().simulate_post("/refresh_token", headers=sent(refresh_token_of(pair)))
    assert answer.status_code == 200
    assert answer.content == compact(SUCCESS.replace("nuovo_access_token", answer.json["data"]["access_token"]))
    assert answer.headers["Content-Type"] == "application/json"


def test_success_gives_an_access_token_of_the_same_session(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    answer = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    token = service.tokens.read_access_token(answer.json["data"]["access_token"])
    assert (token.session_id, token.user_id) == (pair.session_id, "ada")
    assert token.expires_at - token.issued_at == 15 * 60


def test_success_with_rotation_adds_the_next_refresh_token(client: TestClient, pair: TokenPair) -> None:
    answer = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    data = answer.json["data"]
    assert answer.status_code == 200
    assert list(data) == ["access_token", "refresh_token"]
    assert answer.content == b'{"status":"success","code":200,"data":{"access_token":"%s","refresh_token":"%s"}}' % (
        data["access_token"].encode(),
        data["refresh_token"].encode(),
    )
    assert client.simulate_post("/refresh_token", headers=bearer(data["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Basic YWRhOmFkYQ=="}],
    ids=["none", "scheme_alone", "empty", "another_scheme"],
)
def test_missing_refresh_token(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.simulate_post("/refresh_token", headers=headers)
    assert answer.status_code == 401
    assert answer.content == compact(MISSING_REFRESH_TOKEN)


@TRANSPORTS
def test_invalid_refresh_token(client: TestClient, sent: Sent) -> None:
    answer = client.simulate_post("/refresh_token", headers=sent("not-a-token-of-this-service"))
    assert answer.status_code == 401
    assert answer.content == compact(INVALID_REFRESH_TOKEN)


@TRANSPORTS
def test_access_token_is_no_refresh_token(client: TestClient, pair: TokenPair, sent: Sent) -> None:
    """The token type is checked (section 2)."""
    assert client.simulate_post("/refresh_token", headers=sent(pair.access_token)).content == INVALID


@TRANSPORTS
def test_user_not_found(client: TestClient, service: FakeService, pair: TokenPair, sent: Sent) -> None:
    service.users.remove("ada")
    answer = client.simulate_post("/refresh_token", headers=sent(refresh_token_of(pair)))
    assert answer.status_code == 404
    assert answer.content == compact(USER_NOT_FOUND)


@TRANSPORTS
def test_refresh_token_expired(client: TestClient, service: FakeService, pair: TokenPair, sent: Sent) -> None:
    service.clock.advance(SessionPolicy().refresh_token_ttl)
    answer = client.simulate_post("/refresh_token", headers=sent(refresh_token_of(pair)))
    assert answer.status_code == 401
    assert answer.content == compact(REFRESH_TOKEN_EXPIRED)


def test_the_last_second_of_a_token_is_good_and_the_next_is_not(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    service.clock.advance(SessionPolicy().refresh_token_ttl - 1)
    first = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    service.clock.advance(1)
    second = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    assert (first.status_code, second.content) == (200, EXPIRED)


def test_blacklisted_token(client: TestClient, pair: TokenPair) -> None:
    """A token is worth nothing after logout (section 6)."""
    token = refresh_token_of(pair)
    assert client.simulate_post("/revoke_token", headers=bearer(token)).status_code == 200
    assert client.simulate_post("/refresh_token", headers=bearer(token)).content == INVALID


def test_expired_and_revoked_is_expired(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    client.simulate_post("/revoke_token", headers=bearer(refresh_token_of(pair)))
    service.clock.advance(SessionPolicy().refresh_token_ttl)
    assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair))).content == EXPIRED


def test_disabled_user(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """Not told apart from any other refusal."""
    service.users.put(User(id="ada", active=False))
    assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair))).content == INVALID


def test_within_the_grace_a_token_and_its_successor_get_the_same_successor(client: TestClient, pair: TokenPair) -> None:
    first = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    successor = first.json["data"]["refresh_token"]
    presented = (refresh_token_of(pair), successor, refresh_token_of(pair))
    answers = [first, *(client.simulate_post("/refresh_token", headers=bearer(token)) for token in presented)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert {answer.json["data"]["refresh_token"] for answer in answers} == {successor}
    assert len({answer.json["data"]["access_token"] for answer in answers}) == 4


def test_reuse_ends_the_session_for_everybody(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    stolen = refresh_token_of(pair)
    successor = client.simulate_post("/refresh_token", headers=bearer(stolen)).json["data"]["refresh_token"]
    service.clock.advance(service.policy.replay_grace + 1)
    current = client.simulate_post("/refresh_token", headers=bearer(successor)).json["data"]["refresh_token"]
    assert client.simulate_post("/refresh_token", headers=bearer(stolen)).content == INVALID
    assert client.simulate_post("/refresh_token", headers=bearer(current)).content == INVALID
    assert service.log.happenings.count(Happening.ENDED) == 1


def test_nothing_but_the_token_is_needed(client: TestClient, pair: TokenPair) -> None:
    """No parameters in the body: one that is there is not even read."""
    headers = bearer(refresh_token_of(pair)) | {"Content-Type": "application/json"}
    answer = client.simulate_post("/refresh_token", headers=headers, body="{not json", query_string="refresh_token=x")
    assert answer.status_code == 200
