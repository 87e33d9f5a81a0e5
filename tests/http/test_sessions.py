"""`/sessions`: begun by the login service, listed and ended by their user."""

import json
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.http.contract import (
    ACCESS_EXPIRED,
    ACCESS_INVALID,
    ACCESS_MISSING,
    CLEARED_COOKIE,
    COOKIE,
    INVALID,
    SERVICE_CREDENTIAL,
    bearer,
    by_cookie,
    failure,
    refresh_token_of,
)

REFRESH_TTL = SessionPolicy().refresh_token_ttl
NO_SUCH_SESSION = failure(404, "Session not found.")
ENDED = b'{"status":"success","code":200,"data":{"message":"Session ended."}}'
ALL_ENDED = b'{"status":"success","code":200,"data":{"message":"All sessions ended.","ended":2}}'


def start(client: TestClient, **fields: Any) -> Result:
    return client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json={"user_id": "ada", **fields})


def listed(client: TestClient, pair: TokenPair) -> list[dict[str, Any]]:
    sessions: list[dict[str, Any]] = client.simulate_get("/sessions", headers=bearer(pair.access_token)).json["data"][
        "sessions"
    ]
    return sessions


def test_start(client: TestClient) -> None:
    answer = start(client)
    assert answer.status_code == 201
    assert list(answer.json) == ["status", "code", "data"]
    assert (answer.json["status"], answer.json["code"]) == ("success", 201)
    assert list(answer.json["data"]) == ["session_id", "access_token", "refresh_token"]
    assert "Set-Cookie" not in answer.headers
    token = answer.json["data"]["refresh_token"]
    assert client.simulate_post("/refresh_token", headers=bearer(token)).status_code == 200


def test_start_for_a_browser(client: TestClient) -> None:
    """The login service passes `Set-Cookie` on; the refresh token is nowhere else."""
    answer = start(client, transport="cookie")
    assert answer.status_code == 201
    assert list(answer.json["data"]) == ["session_id", "access_token"]
    token = answer.cookies[COOKIE].value
    assert answer.headers["Set-Cookie"] == (
        f"{COOKIE}={token}; Max-Age={REFRESH_TTL}; Path=/; HttpOnly; Secure; SameSite=Strict"
    )
    assert client.simulate_post("/refresh_token", headers=by_cookie(token)).status_code == 200


def test_start_by_header_is_the_default(client: TestClient) -> None:
    assert list(start(client, transport="header").json["data"]) == list(start(client).json["data"])


@pytest.mark.parametrize("device", ["", "Firefox on Linux", "\u00c4\u00d6\U0001f600", "d" * 255, "<b>\"'\\"])
def test_a_device_is_shown_as_it_was_given(client: TestClient, device: str) -> None:
    data = start(client, device=device).json["data"]
    answer = client.simulate_get("/sessions", headers=bearer(data["access_token"]))
    assert [session["device"] for session in answer.json["data"]["sessions"]] == [device]


@pytest.mark.parametrize(
    "presented",
    [
        SERVICE_CREDENTIAL[:-1],
        SERVICE_CREDENTIAL + "x",
        SERVICE_CREDENTIAL.lower(),
        f"{SERVICE_CREDENTIAL},{SERVICE_CREDENTIAL}",
        f"{SERVICE_CREDENTIAL} {SERVICE_CREDENTIAL}",
        f'"{SERVICE_CREDENTIAL}"',
        SERVICE_CREDENTIAL + "\x00",
        SERVICE_CREDENTIAL + "\xa0",
        "\xff" * 43,
        "\ud800",
        "x" * 100_000,
    ],
    ids=lambda presented: ascii(presented[-20:]),
)
def test_another_credential_is_refused(client: TestClient, presented: str) -> None:
    extras = {"HTTP_AUTHORIZATION": f"Bearer {presented}"}
    answer = client.simulate_post("/sessions", extras=extras, json={"user_id": "ada"})
    assert (answer.status_code, answer.content) == (401, failure(401, "Invalid service credential."))


def test_each_of_several_credentials_is_good(make_client: Any) -> None:
    other = "wN2Vt0mYz5lq8pVh3o6kYx1RzB7tGd4cQeUaJfHsKiM"
    client = make_client(service_credentials=[SERVICE_CREDENTIAL, other])
    for credential in (SERVICE_CREDENTIAL, other):
        answer = client.simulate_post("/sessions", headers=bearer(credential), json={"user_id": "ada"})
        assert answer.status_code == 201


@pytest.mark.parametrize("presented", ["", "x", "None", "()"])
def test_without_credentials_nobody_may_start_sessions(make_client: Any, presented: str) -> None:
    client = make_client(service_credentials=())
    answer = client.simulate_post("/sessions", headers=bearer(presented), json={"user_id": "ada"})
    assert answer.status_code == 401


def test_a_credential_in_a_cookie_is_none(client: TestClient) -> None:
    answer = client.simulate_post("/sessions", headers=by_cookie(SERVICE_CREDENTIAL), json={"user_id": "ada"})
    assert answer.content == failure(401, "Service credential missing.")
    assert "Set-Cookie" not in answer.headers


def test_list(client: TestClient, service: FakeService) -> None:
    """The newest first, the asking one marked; nobody else's."""
    laptop = service.sign_in("ada", device="Laptop")
    service.sign_in("bob", device="Bob's")
    service.clock.advance(10)
    phone = service.sign_in("ada", device="Phone")
    service.clock.advance(10)
    service.refresh(refresh_token_of(laptop))
    assert listed(client, phone) == [
        {
            "id": phone.session_id,
            "device": "Phone",
            "started_at": START + 10,
            "last_seen_at": START + 10,
            "expires_at": START + 10 + REFRESH_TTL,
            "current": True,
        },
        {
            "id": laptop.session_id,
            "device": "Laptop",
            "started_at": START,
            "last_seen_at": START + 20,
            "expires_at": START + 20 + REFRESH_TTL,
            "current": False,
        },
    ]
    assert [session["current"] for session in listed(client, laptop)] == [False, True]


def test_the_list_has_the_envelope_to_the_byte(client: TestClient, pair: TokenPair) -> None:
    answer = client.simulate_get("/sessions", headers=bearer(pair.access_token))
    expected = {
        "status": "success",
        "code": 200,
        "data": {
            "sessions": [
                {
                    "id": pair.session_id,
                    "device": "Laptop",
                    "started_at": START,
                    "last_seen_at": START,
                    "expires_at": START + REFRESH_TTL,
                    "current": True,
                }
            ]
        },
    }
    assert answer.content == json.dumps(expected, separators=(",", ":")).encode()


def test_what_is_over_is_not_listed(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    service.revoke(refresh_token_of(service.sign_in("ada", device="Phone")))
    assert [session["id"] for session in listed(client, pair)] == [pair.session_id]


def test_end_another_session(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    phone = service.sign_in("ada", device="Phone")
    answer = client.simulate_delete(f"/sessions/{phone.session_id}", headers=bearer(pair.access_token))
    assert (answer.status_code, answer.content) == (200, ENDED)
    assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(phone))).content == INVALID
    assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair))).status_code == 200


def test_end_this_session(client: TestClient, pair: TokenPair) -> None:
    """The cookie goes with it, if there is one."""
    headers = bearer(pair.access_token) | {"Cookie": f"{COOKIE}={refresh_token_of(pair)}"}
    answer = client.simulate_delete(f"/sessions/{pair.session_id}", headers=headers)
    assert (answer.status_code, answer.content) == (200, ENDED)
    assert answer.headers["Set-Cookie"] == CLEARED_COOKIE
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).content == ACCESS_INVALID


def test_end_this_session_whose_row_the_store_has_lost(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    """No refresh token of it brings it back, not even a later one."""
    later = refresh_token_of(service.refresh(refresh_token_of(pair)))
    assert isinstance(service.sessions, FakeSessions)
    service.sessions.rows.clear()
    answer = client.simulate_delete(f"/sessions/{pair.session_id}", headers=bearer(pair.access_token))
    assert (answer.status_code, answer.content) == (200, ENDED)
    assert client.simulate_post("/refresh_token", headers=bearer(later)).content == INVALID


def test_ending_another_session_leaves_the_cookie_alone(
    client: TestClient, service: FakeService, pair: TokenPair
) -> None:
    phone = service.sign_in("ada", device="Phone")
    headers = bearer(pair.access_token) | {"Cookie": f"{COOKIE}={refresh_token_of(pair)}"}
    assert "Set-Cookie" not in client.simulate_delete(f"/sessions/{phone.session_id}", headers=headers).headers


def test_no_cookie_no_clearing(client: TestClient, pair: TokenPair) -> None:
    answer = client.simulate_delete(f"/sessions/{pair.session_id}", headers=bearer(pair.access_token))
    assert "Set-Cookie" not in answer.headers


def test_an_ended_session_cannot_be_ended_again(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    phone = service.sign_in("ada", device="Phone")
    path = f"/sessions/{phone.session_id}"
    client.simulate_delete(path, headers=bearer(pair.access_token))
    assert client.simulate_delete(path, headers=bearer(pair.access_token)).content == NO_SUCH_SESSION


def test_another_users_session_looks_like_none(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """And stays as it is."""
    bobs = service.sign_in("bob")
    answer = client.simulate_delete(f"/sessions/{bobs.session_id}", headers=bearer(pair.access_token))
    nobodys = client.simulate_delete(f"/sessions/{'A' * 22}", headers=bearer(pair.access_token))
    assert (answer.status_code, answer.content) == (404, NO_SUCH_SESSION)
    assert (nobodys.status_code, nobodys.content) == (404, NO_SUCH_SESSION)
    assert client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(bobs))).status_code == 200


def test_end_all(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """All of the user's, this one included, and nobody else's; a sign-in that follows is not touched."""
    phone, bobs = service.sign_in("ada", device="Phone"), service.sign_in("bob")
    answer = client.simulate_delete("/sessions", headers=bearer(pair.access_token))
    assert (answer.status_code, answer.content) == (200, ALL_ENDED)
    later = service.sign_in("ada")
    answers = [
        client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(each))).status_code
        for each in (pair, phone, bobs, later)
    ]
    assert answers == [401, 401, 200, 200]
    assert client.simulate_get("/sessions", headers=bearer(phone.access_token)).content == ACCESS_INVALID


def test_end_all_clears_the_cookie(client: TestClient, pair: TokenPair) -> None:
    headers = bearer(pair.access_token) | {"Cookie": f"{COOKIE}={refresh_token_of(pair)}"}
    assert client.simulate_delete("/sessions", headers=headers).headers["Set-Cookie"] == CLEARED_COOKIE


@pytest.mark.parametrize(("method", "path"), [("GET", "/sessions"), ("DELETE", "/sessions"), ("DELETE", "/sessions/x")])
def test_an_access_token_is_needed_and_only_comes_by_header(
    client: TestClient, service: FakeService, pair: TokenPair, method: str, path: str
) -> None:
    def ask(headers: dict[str, str]) -> bytes:
        content: bytes = client.simulate_request(method, path, headers=headers).content
        return content

    assert ask({}) == ACCESS_MISSING
    assert ask(by_cookie(pair.access_token)) == ACCESS_MISSING
    assert ask(by_cookie(refresh_token_of(pair))) == ACCESS_MISSING
    assert ask(bearer(refresh_token_of(pair))) == ACCESS_INVALID
    assert ask(bearer(SERVICE_CREDENTIAL)) == ACCESS_INVALID
    service.clock.advance(15 * 60)
    assert ask(bearer(pair.access_token)) == ACCESS_EXPIRED


def test_an_access_token_is_good_to_its_last_second(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    service.clock.advance(15 * 60 - 1)
    assert client.simulate_get("/sessions", headers=bearer(pair.access_token)).status_code == 200


@pytest.mark.parametrize(
    "session_id",
    ["%00", "%0d%0a", "%F0%9F%98%80", "%ff", "..", "a" * 5000, "%27%20OR%201=1--", "%E2%80%AE", "*", "null", "\u0130"],
)
def test_any_other_name_is_no_session(client: TestClient, pair: TokenPair, session_id: str) -> None:
    answer = client.simulate_delete(f"/sessions/{session_id}", headers=bearer(pair.access_token))
    assert (answer.status_code, answer.content) == (404, NO_SUCH_SESSION)
