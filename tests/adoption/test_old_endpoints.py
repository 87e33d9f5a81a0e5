"""The old endpoints under hostile tokens, bodies and headers: refused in the libraries' words, and nothing breaks."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from falcon.testing import TestClient

from entrypoints.bootstrap import build
from entrypoints.settings import load_settings
from infrastructure.adoption.signed_claims import SignedClaims
from tests.fakes.clock import START
from tests.hostile.catalogue import GROUPS, tokens
from tests.hostile.forge import REFRESH, SECRET, STRANGERS_SECRET
from tests.stores import Opened, Stores

DAY = 86_400
SIMPLEJWT, FLASK, TOOLKIT = "/api/token/refresh/", "/refresh", "/o/token/"
NOT_VALID = {"detail": "Token is invalid", "code": "token_not_valid"}


@pytest.fixture(scope="module")
def client(stores: Stores) -> Iterator[TestClient]:
    """Return a client of a service that adopts signed tokens, whose own secret is the forge's."""
    url = stores["sqlite"].new()
    service = build(
        load_settings(
            {
                "NUOVO_SECRET_KEY": SECRET,
                "NUOVO_DATABASE_URL": url,
                "NUOVO_ADOPT_SIMPLEJWT_KEY": STRANGERS_SECRET,
                "NUOVO_ADOPT_SIMPLEJWT_PATH": SIMPLEJWT,
                "NUOVO_ADOPT_SIMPLEJWT_BLACKLIST": "false",
                "NUOVO_ADOPT_FLASK_JWT_EXTENDED_KEY": STRANGERS_SECRET,
                "NUOVO_ADOPT_FLASK_JWT_EXTENDED_PATH": FLASK,
                "NUOVO_ADOPT_FLASK_JWT_EXTENDED_TOKEN_LOCATION": "headers,cookies",
            }
        )
    )
    yield TestClient(service.app())
    opened = Opened(stores)
    opened("sqlite", url)
    opened.close()
    assert service.moving_in.foreign.schemes


@pytest.mark.parametrize("group", GROUPS)
def test_every_hostile_token_is_refused(client: TestClient, group: str) -> None:
    for name, text in tokens(REFRESH, group):
        body = json.dumps({"refresh": text}).encode()
        answer = client.simulate_post(SIMPLEJWT, body=body, headers={"Content-Type": "application/json"})
        try:
            is_no_text = not orjson.loads(body)["refresh"].strip()
        except ValueError:
            is_no_text = True
        too_large = len(body) > 8192
        assert answer.status_code == (413 if too_large else 400 if is_no_text else 401), name
        assert too_large or is_no_text or answer.json == NOT_VALID, name
        if text.isascii() and text.isprintable() and len(text.split()) == 1 and "," not in text:
            answer = client.simulate_post(FLASK, headers={"Authorization": f"Bearer {text}"})
            assert (answer.status_code, answer.json) == (422, {"msg": "Signature verification failed"}), name


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b"{}", 415), ("", b"{}", 415), ("application/json", b"[" * 2000, 400),
        ("application/json", b"\xff", 400), ("application/json", b"", 400), ("application/json", b"[]", 400),
        ("application/json", b'"x"', 400), ("application/json", b'{"refresh":"a","refresh":"b"}', 401),
        ("application/json", b'{"refresh":1}', 400), ("application/json", b"x" * 9000, 413),
        ("application/x-www-form-urlencoded", b"refresh=a&refresh=b", 400),
        ("application/x-www-form-urlencoded", b"refresh=%ff", 400), ("application/x-www-form-urlencoded", b"&&=", 400),
    ],
)  # fmt: skip
def test_no_body_breaks_the_endpoint(client: TestClient, content_type: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert client.simulate_post(SIMPLEJWT, body=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ","}, {"Authorization": "Bearer ,"}, {"Authorization": "Bearer a,Bearer b"},
        {"Authorization": "bearer x"}, {"Authorization": "Bearer " + "x" * 7000}, {"Authorization": "Bearer \xe9"},
        {"Cookie": "refresh_token_cookie="}, {"Cookie": "refresh_token_cookie=x"},
        {"Cookie": "refresh_token_cookie=x", "X-CSRF-TOKEN": "\xe9"}, {"Cookie": ";;=;refresh_token_cookie"},
    ],
)  # fmt: skip
def test_no_header_breaks_the_endpoint(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.simulate_post(FLASK, headers=headers)
    assert answer.status_code in (401, 422)
    assert answer.json.keys() == {"msg"}


def test_a_token_of_the_old_key_is_refused_for_a_user_who_is_not_there(client: TestClient) -> None:
    """In the words for an account that is not there; what it said is nowhere in the answer."""
    claims: dict[str, Any] = {"token_type": "refresh", "exp": 2**32, "iat": START, "jti": "x", "user_id": "nobody"}
    answer = client.simulate_post(SIMPLEJWT, json={"refresh": SignedClaims(STRANGERS_SECRET).write(claims)})
    assert answer.status_code == 401
    assert "nobody" not in answer.text


def test_without_a_path_there_is_no_old_endpoint(client: TestClient) -> None:
    assert client.simulate_post(TOOLKIT).status_code == 404


@pytest.mark.parametrize("path", [SIMPLEJWT, FLASK])
def test_tokens_are_posted(client: TestClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert client.simulate_request(method, path).status_code == 405
    assert client.simulate_post(path).headers["Cache-Control"] == "no-store"
