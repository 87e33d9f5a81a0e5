"""What a token is worth, told to services (RFC 7662)."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote_plus, urlencode

import pytest
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.http.contract import SERVICE_CREDENTIAL, bearer, refresh_token_of

INVALID = 'error="invalid_token", error_description="Invalid service credential."'
INACTIVE = b'{"active":false}'
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"}


def ask(client: TestClient, token: str, headers: dict[str, str] | None = None, **form: str) -> Result:
    headers = bearer(SERVICE_CREDENTIAL) if headers is None else headers
    return client.simulate_post("/oauth/introspect", headers=FORM | headers, body=urlencode({"token": token, **form}))


def is_active(client: TestClient, token: str) -> bool:
    answer = ask(client, token)
    assert answer.status_code == 200
    assert answer.json["active"] or answer.content == INACTIVE
    return bool(answer.json["active"])


def test_an_access_token(client: TestClient, service: FakeService) -> None:
    """With the application's claims, of which none can pass for one of the service's own."""
    service.users.put(User(id="ada", claims={"role": "admin", "active": False, "token_type": "DPoP"}))
    pair = service.sign_in("ada", SessionTerms(claims={"amr": ["pwd"]}))
    token = service.tokens.read_access_token(pair.access_token)
    assert ask(client, pair.access_token).json == {
        "active": True,
        "iss": "nuovo",
        "aud": "api",
        "sub": "ada",
        "client_id": "frontend",
        "sid": pair.session_id,
        "jti": token.id,
        "iat": START,
        "exp": START + 900,
        "type": "access",
        "token_type": "Bearer",
        "role": "admin",
        "amr": ["pwd"],
    }


def test_a_refresh_token(client: TestClient, pair: TokenPair) -> None:
    assert ask(client, refresh_token_of(pair)).json == {
        "active": True,
        "iss": "nuovo",
        "aud": "nuovo",
        "sub": "ada",
        "client_id": "frontend",
        "sid": pair.session_id,
        "jti": f"{pair.session_id}.1",
        "iat": START,
        "exp": START + 14 * 86_400,
        "type": "refresh",
        "auth_time": START,
    }


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "pct"])
def test_the_hint_changes_nothing(client: TestClient, pair: TokenPair, hint: str) -> None:
    for token in (pair.access_token, refresh_token_of(pair)):
        assert ask(client, token, token_type_hint=hint).json["active"]


def log_out(service: FakeService, pair: TokenPair) -> None:
    service.revoke(refresh_token_of(pair))


def end_all(service: FakeService, pair: TokenPair) -> None:
    service.sessions.end_all("ada", at=service.clock.now())


def disable(service: FakeService, pair: TokenPair) -> None:
    service.users.put(User(id="ada", active=False))


def remove(service: FakeService, pair: TokenPair) -> None:
    service.users.remove("ada")


def two_months_later(service: FakeService, pair: TokenPair) -> None:
    service.clock.advance(60 * 86_400)


@pytest.mark.parametrize("happens", [log_out, end_all, disable, remove, two_months_later])
def test_a_token_is_active_only_while_it_would_be_accepted(
    client: TestClient, service: FakeService, pair: TokenPair, happens: Callable[..., object]
) -> None:
    tokens = [pair.access_token, refresh_token_of(pair)]
    assert [is_active(client, token) for token in tokens] == [True, True]
    happens(service, pair)
    assert [is_active(client, token) for token in tokens] == [False, False]


def test_the_lives_of_tokens_end_at_their_second(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    service.clock.advance(899)
    assert is_active(client, pair.access_token)
    service.clock.advance(1)
    assert not is_active(client, pair.access_token)
    assert is_active(client, refresh_token_of(pair))


def test_a_token_whose_row_was_lost_is_active(client: TestClient, service: FakeService, pair: TokenPair) -> None:
    """It would heal."""
    assert isinstance(service.sessions, FakeSessions)
    service.sessions.rows.clear()
    assert is_active(client, refresh_token_of(pair))
    assert is_active(client, pair.access_token)
    assert service.sessions.rows == {}


def test_looking_at_a_reused_token_ends_nothing(
    make_client: Callable[..., TestClient], service: FakeService, pair: TokenPair
) -> None:
    """Who looks is not who presents it."""
    service.policy = replace(service.policy, lost_answer_recovery=0)
    client = make_client()
    current = refresh_token_of(service.refresh(refresh_token_of(pair)))
    service.clock.advance(60)
    events = list(service.log.events)
    assert not is_active(client, refresh_token_of(pair))
    assert is_active(client, current)
    assert service.log.events == events


@pytest.mark.parametrize("token", ["nonsense", "x" * 5000, "a.b.c", "\x00", "\U0001f600"], ids=ascii)
def test_anything_else_is_not_active(client: TestClient, token: str) -> None:
    assert not is_active(client, token)


def test_it_needs_a_token(client: TestClient) -> None:
    answer = ask(client, "")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="nuovo", Basic realm="nuovo"'),
        ({"Cookie": f"__Host-refresh_token={SERVICE_CREDENTIAL}"}, 'Bearer realm="nuovo", Basic realm="nuovo"'),
        (
            bearer("nonsense"),
            f'Bearer realm="nuovo", {INVALID}, Basic realm="nuovo"',
        ),
    ],
)
def test_only_services_are_told(client: TestClient, pair: TokenPair, headers: dict[str, str], challenge: str) -> None:
    answer = ask(client, pair.access_token, headers)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == challenge


def test_no_users_token_is_a_credential(client: TestClient, pair: TokenPair) -> None:
    for token in (pair.access_token, refresh_token_of(pair)):
        assert ask(client, pair.access_token, bearer(token)).status_code == 401


SECRET_TO_ENCODE = "p4ss/w0rd+with=signs%&more-than-32-bytes"


@pytest.fixture
def named(make_client: Callable[..., TestClient]) -> TestClient:
    """Return a client of an application that knows two named services, and one without a name."""
    return make_client(
        service_credentials=[f"api:{SERVICE_CREDENTIAL}", f"web:{SECRET_TO_ENCODE}", SERVICE_CREDENTIAL[::-1]]
    )


@pytest.mark.parametrize(
    "headers",
    [
        basic("api", SERVICE_CREDENTIAL),
        {"Authorization": basic("api", SERVICE_CREDENTIAL)["Authorization"].replace("Basic", "bAsIc ")},
        basic("web", quote_plus(SECRET_TO_ENCODE)),
        bearer(SERVICE_CREDENTIAL),
        bearer(SECRET_TO_ENCODE),
        bearer(SERVICE_CREDENTIAL[::-1]),
    ],
)
def test_a_service_may_present_itself_as_a_client(named: TestClient, pair: TokenPair, headers: dict[str, str]) -> None:
    """By HTTP Basic, encoded as RFC 6749, section 2.3.1, has it; or as everywhere else."""
    assert ask(named, pair.access_token, headers).json["active"]


@pytest.mark.parametrize(
    "headers",
    [
        basic("web", SERVICE_CREDENTIAL),
        basic("", SERVICE_CREDENTIAL),
        basic("api", ""),
        basic("api", SERVICE_CREDENTIAL[:-1]),
        basic("", SERVICE_CREDENTIAL[::-1]),
        basic("frontend", SERVICE_CREDENTIAL[::-1]),
        basic("API", SERVICE_CREDENTIAL),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic \xff"},
        {"Authorization": f"Basic {b64encode(b'api').decode()}"},
        {"Authorization": f"Basic {b64encode(bytes(range(128, 256))).decode()}"},
        bearer(f"api:{SERVICE_CREDENTIAL}"),
    ],
)
def test_another_client_is_told_nothing(named: TestClient, pair: TokenPair, headers: dict[str, str]) -> None:
    answer = named.simulate_post(
        "/oauth/introspect",
        headers=FORM,
        body=urlencode({"token": pair.access_token}),
        extras={"HTTP_AUTHORIZATION": headers["Authorization"]},
    )
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
