"""The login service's side: sessions of a user whom it names, seen and ended."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from falcon.testing import Result, TestClient

from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from ports.security_log import Happening
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.http.contract import SERVICE_CREDENTIAL, bearer, failure, refresh_token_of

REFRESH_TTL = SessionPolicy().refresh_token_ttl
ODD_USERS = [
    "a/b",
    "/",
    "//",
    "a/sessions",
    "sessions",
    "sessions/sessions",
    f"a/sessions/{'x' * 22}",
    "a%2Fb",
    "100%",
    "a?b#c",
    "a b+c",
    "ада@пример",
    "\U0001f600",
    "auth0|5f7c",
    "https://idp.example/users/1",
    "x" * 255,
]


def ask(client: TestClient, method: str, user_id: str, rest: str = "", **params: str) -> Result:
    path = f"/users/{quote(user_id, safe='')}/sessions{rest}"
    return client.simulate_request(method, path, headers=bearer(SERVICE_CREDENTIAL), params=params)


def ended(answer: Result) -> int:
    """Return how many sessions were live, of an answer that says nothing else."""
    assert answer.status_code == 200
    assert list(answer.json["data"]) == ["ended"]
    return int(answer.json["data"]["ended"])


def works(client: TestClient, pair: TokenPair) -> bool:
    return client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair))).status_code == 200


def test_the_list_has_the_envelope_to_the_byte(client: TestClient, pair: TokenPair) -> None:
    """Nothing is current here."""
    session: dict[str, Any] = {
        "id": pair.session_id,
        "device": "Laptop",
        "started_at": START,
        "last_seen_at": START,
        "expires_at": START + REFRESH_TTL,
    }
    expected = {"status": "success", "code": 200, "data": {"sessions": [session]}}
    assert ask(client, "GET", "ada").content == json.dumps(expected, separators=(",", ":")).encode()


def test_end_all_says_how_many_were_live(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """Not those that were over already, nor anybody else's; a sign-in that follows is not touched."""
    service.revoke(refresh_token_of(service.sign_in("ada")))
    phone, bobs = service.sign_in("ada"), service.sign_in("bob")
    assert ended(ask(client, "DELETE", "ada")) == 2
    assert ended(ask(client, "DELETE", "ada")) == 0
    later = service.sign_in("ada")
    assert [works(client, each) for each in (pair, phone, bobs, later)] == [False, False, True, True]


def test_all_but_one_may_be_ended(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """As after a changed password, for the browser in which it was changed."""
    others = [service.sign_in("ada") for _ in range(3)]
    assert ended(ask(client, "DELETE", "ada", **{"except": pair.session_id})) == 3
    assert works(client, pair)
    assert not any(works(client, other) for other in others)


def test_a_session_of_somebody_else_spares_nothing(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    bobs = service.sign_in("bob")
    assert ended(ask(client, "DELETE", "ada", **{"except": bobs.session_id})) == 1
    assert not works(client, pair)


def test_one_session_may_be_ended(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    phone = service.sign_in("ada")
    assert ended(ask(client, "DELETE", "ada", f"/{phone.session_id}")) == 1
    assert (works(client, pair), works(client, phone)) == (True, False)
    again = ask(client, "DELETE", "ada", f"/{phone.session_id}")
    assert (again.status_code, again.content) == (404, failure(404, "Session not found."))


def test_a_session_is_reached_under_its_own_user_alone(client: TestClient, pair: TokenPair) -> None:
    assert ask(client, "DELETE", "bob", f"/{pair.session_id}").status_code == 404
    assert works(client, pair)


@pytest.mark.parametrize("gone", [False, True])
def test_users_who_are_disabled_or_gone_have_sessions_too(
    client: TestClient, service: FakeService, pair: TokenPair, *, gone: bool
) -> None:
    """Whoever locks a user, and ends their sessions afterwards, is not told that there is no such user."""
    if gone:
        service.users.remove("ada")
    else:
        service.users.put(User(id="ada", active=False))
    assert [session["id"] for session in ask(client, "GET", "ada").json["data"]["sessions"]] == [pair.session_id]
    assert ended(ask(client, "DELETE", "ada")) == 1
    service.users.put(User(id="ada"))
    assert not works(client, pair)


def test_nobody_has_no_sessions(client: TestClient) -> None:
    assert ask(client, "GET", "nobody").json["data"] == {"sessions": []}
    assert ended(ask(client, "DELETE", "nobody")) == 0


@pytest.mark.parametrize("user_id", ODD_USERS, ids=ascii)
def test_any_user_can_be_named(client: TestClient, service: FakeService, user_id: str) -> None:
    """Percent-encoded; a slash in it is none of the path's."""
    service.users.put(User(id=user_id))
    one, other = service.sign_in(user_id), service.sign_in(user_id)
    assert len(ask(client, "GET", user_id).json["data"]["sessions"]) == 2
    assert ended(ask(client, "DELETE", user_id, f"/{one.session_id}")) == 1
    assert ended(ask(client, "DELETE", user_id)) == 1
    assert not works(client, other)


@pytest.mark.parametrize("segment", ["%00", "a%0ab", "%C2%85", "x" * 256, ""], ids=ascii)
def test_what_cannot_be_a_user_is_refused(client: TestClient, segment: str) -> None:
    for method in ("GET", "DELETE"):
        answer = client.simulate_request(method, f"/users/{segment}/sessions", headers=bearer(SERVICE_CREDENTIAL))
        assert (answer.status_code, answer.content) == (
            422,
            failure(422, "user_id: must be a string of 1 to 255 characters, none of them a control character."),
        )


def test_two_spellings_are_never_one_user(client: TestClient, service: FakeService) -> None:
    """What is not UTF-8 is nobody, not the user of the replacement character."""
    service.users.put(User(id="a\ufffd"))
    pair = service.sign_in("a\ufffd")
    raw = {"PATH_INFO": "/users/a\xff/sessions"}  # as a server hands on `%FF`
    answer = client.simulate_delete("/", headers=bearer(SERVICE_CREDENTIAL), extras=raw)
    assert (answer.status_code, answer.content) == (404, failure(404, "Not found."))
    assert works(client, pair)


@pytest.mark.parametrize("path_info", ["/users/a%b/sessions", "//users/a%b/sessions", "///users/a%b/sessions"])
def test_a_user_is_the_same_however_many_slashes_lead(client: TestClient, service: FakeService, path_info: str) -> None:
    """Falcon routes all of these. `%b` and `%2541` must be read once, not twice."""
    for user_id in ("a%b", "a%41"):
        service.users.put(User(id=user_id))
        pair = service.sign_in(user_id)
        raw = {"PATH_INFO": path_info.replace("a%b", user_id)}
        assert ended(client.simulate_delete("/", headers=bearer(SERVICE_CREDENTIAL), extras=raw)) == 1
        assert not works(client, pair)


@pytest.mark.parametrize("path", ["/users/", "/users/ada", "/users/ada/sessions/x/y", "/users/ada/session", "/users"])
def test_other_paths_below_users_are_unknown(client: TestClient, path: str) -> None:
    answer = client.simulate_get(path, headers=bearer(SERVICE_CREDENTIAL))
    assert (answer.status_code, answer.content) == (404, failure(404, "Not found."))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("expect=x", "The only query parameter is except."),
        ("except=", "except: must be the identifier of a session."),
        ("except=current", "except: must be the identifier of a session."),
        ("except=a&except=b", "except: must be given once."),
        ("limit=10", "The only query parameter is except."),
    ],
)
def test_a_parameter_that_is_not_understood_ends_nothing(
    client: TestClient, service: FakeService, pair: TokenPair, query: str, message: str
) -> None:
    """A misspelt `except` must not be one that was left out."""
    answer = client.simulate_delete("/users/ada/sessions", headers=bearer(SERVICE_CREDENTIAL), query_string=query)
    assert (answer.status_code, answer.content) == (422, failure(422, message))
    assert works(client, pair)


def test_the_log_tells_which_service_asked(make_client: Any, service: FakeService, pair: TokenPair) -> None:
    """By the name of its credential, also while the secret is changed and both are good."""
    other = "wN2Vt0mYz5lq8pVh3o6kYx1RzB7tGd4cQeUaJfHsKiM"
    client = make_client(service_credentials=[SERVICE_CREDENTIAL, f"support:{other}", f"support:{other[::-1]}"])
    for secret, name in (
        (other, "service:support"),
        (other[::-1], "service:support"),
        (SERVICE_CREDENTIAL, "service"),
    ):
        answer = client.simulate_delete("/users/ada/sessions", headers=bearer(secret))
        assert answer.status_code == 200
        event = service.log.events[-1]
        assert (event.happening, event.user_id, str(event.actor)) == (Happening.ALL_ENDED, "ada", name)


@pytest.mark.parametrize("presented", ["login:{secret}", "login", "{secret}:", ":{secret}"])
def test_the_name_is_no_part_of_what_is_presented(make_client: Any, pair: TokenPair, presented: str) -> None:
    client = make_client(service_credentials=[f"login:{SERVICE_CREDENTIAL}"])
    headers = bearer(presented.format(secret=SERVICE_CREDENTIAL))
    assert client.simulate_delete("/users/ada/sessions", headers=headers).status_code == 401
    assert works(client, pair)
