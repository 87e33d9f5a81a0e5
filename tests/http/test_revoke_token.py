"""`POST /revoke_token`: logging out."""

from collections.abc import Callable

import pytest
from falcon.testing import TestClient

from domain.model.tokens import TokenPair
from domain.model.users import User
from ports.security_log import Happening
from tests.fakes.service import FakeService
from tests.http.contract import (
    ACCESS_INVALID,
    CLEARED_COOKIE,
    INVALID,
    bearer,
    by_cookie,
    refresh_token_of,
    without_rotation,
)

REVOKED = b'{"status":"success","code":200,"data":{"message":"Refresh token revoked."}}'
TRANSPORTS = pytest.mark.parametrize("sent", [bearer, by_cookie], ids=["header", "cookie"])
Sent = Callable[[str], dict[str, str]]


@TRANSPORTS
def test_the_session_is_over(client: TestClient, pair: TokenPair, sent: Sent) -> None:
    token = refresh_token_of(pair)
    answer = client.simulate_post("/revoke_token", headers=sent(token))
    assert (answer.status_code, answer.content) == (200, REVOKED)
    assert client.simulate_post("/refresh_token", headers=sent(token)).content == INVALID
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).content == ACCESS_INVALID


def test_a_cookie_is_cleared(client: TestClient, pair: TokenPair) -> None:
    answer = client.simulate_post("/revoke_token", headers=by_cookie(refresh_token_of(pair)))
    assert answer.headers["Set-Cookie"] == CLEARED_COOKIE


def test_a_header_clears_no_cookie(client: TestClient, pair: TokenPair) -> None:
    assert "Set-Cookie" not in client.simulate_post("/revoke_token", headers=bearer(refresh_token_of(pair))).headers


@TRANSPORTS
def test_again_is_the_same(client: TestClient, service: FakeService, pair: TokenPair, sent: Sent) -> None:
    headers = sent(refresh_token_of(pair))
    assert {client.simulate_post("/revoke_token", headers=headers).content for _ in range(3)} == {REVOKED}
    assert service.log.happenings.count(Happening.ENDED) == 1


def test_an_expired_token_still_logs_out(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """RFC 7009: whoever can prove that the session is theirs may end it."""
    service.clock.advance(15 * 86_400)
    assert client.simulate_post("/revoke_token", headers=bearer(refresh_token_of(pair))).content == REVOKED


def test_a_superseded_token_still_logs_out(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    first = refresh_token_of(pair)
    current = client.simulate_post("/refresh_token", headers=bearer(first)).json["data"]["refresh_token"]
    assert client.simulate_post("/revoke_token", headers=bearer(first)).content == REVOKED
    assert client.simulate_post("/refresh_token", headers=bearer(current)).content == INVALID


@pytest.mark.parametrize("disabled", [True, False])
def test_a_user_who_is_gone_may_log_out(
    client: TestClient, service: FakeService, pair: TokenPair, *, disabled: bool
) -> None:
    service.users.remove("ada")
    if disabled:
        service.users.put(User(id="ada", active=False))
    assert client.simulate_post("/revoke_token", headers=bearer(refresh_token_of(pair))).content == REVOKED


def test_other_sessions_go_on(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    other = refresh_token_of(service.sign_in("ada", device="Phone"))
    client.simulate_post("/revoke_token", headers=bearer(refresh_token_of(pair)))
    assert client.simulate_post("/refresh_token", headers=bearer(other)).status_code == 200


def test_without_rotation_too(make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair) -> None:
    without_rotation(service)
    client = make_client()
    token = refresh_token_of(pair)
    assert client.simulate_post("/revoke_token", headers=bearer(token)).content == REVOKED
    assert client.simulate_post("/refresh_token", headers=bearer(token)).content == INVALID


def test_a_token_of_somebody_else_clears_the_cookie_that_brought_it(client: TestClient) -> None:
    answer = client.simulate_post("/revoke_token", headers=by_cookie("nonsense"))
    assert answer.content == INVALID
    assert answer.headers["Set-Cookie"] == CLEARED_COOKIE
