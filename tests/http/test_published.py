"""Documents that others keep: the public keys, and what of OAuth 2.0 there is."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from entrypoints.http.oauth.server import AuthorizationServer
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import generate_private_key, private_key, public_half, public_key

SECRET = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU"
URL = "https://auth.example.org"
PATHS = ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def published(make_client: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """Return a client of an application with an access key for each algorithm, and further keys."""

    def make(*pems: str) -> TestClient:
        keys = [private_key(pem) for pem in pems]
        ring = KeyRing(SECRET, access_key=keys[0] if keys else None, verification_keys=keys[1:])
        return make_client(server=AuthorizationServer(issuer=URL, base=URL), public_keys=ring.public_keys)

    return make


def get(client: TestClient, path: str, etag: str | None = None) -> Result:
    return client.simulate_get(path, headers={} if etag is None else {"If-None-Match": etag})


def test_the_keys_are_public_halves(published: Callable[..., TestClient]) -> None:
    """Whichever file they were read from: an RFC 7638 name, one use, one algorithm, and no private member."""
    pems = [generate_private_key(algorithm) for algorithm in ("ES256", "RS256", "EdDSA")]
    answer = get(published(*pems), PATHS[0])
    keys: list[dict[str, Any]] = answer.json["keys"]
    assert list(answer.json) == ["keys"]
    assert [(key["kty"], key["use"], key["alg"]) for key in keys] == [
        ("EC", "sig", "ES256"),
        ("RSA", "sig", "RS256"),
        ("OKP", "sig", "EdDSA"),
    ]
    assert [key["kid"] for key in keys] == [public_key(public_half(pem)).id for pem in pems]
    assert all(PRIVATE_MEMBERS.isdisjoint(key) for key in keys)


def test_without_keys_there_is_nothing_to_verify_with(client: TestClient) -> None:
    """The secret least of all."""
    assert get(client, PATHS[0]).content == b'{"keys":[]}'


@pytest.mark.parametrize("path", PATHS)
def test_they_may_be_kept_for_five_minutes(published: Callable[..., TestClient], path: str) -> None:
    answer = get(published(generate_private_key("ES256")), path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()[:32]}"'
    assert answer.headers["Content-Type"] == "application/json"
    assert "Pragma" not in answer.headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{}, "other"', "*"])
def test_whoever_has_it_is_not_sent_it_again(published: Callable[..., TestClient], path: str, form: str) -> None:
    client = published(generate_private_key("ES256"))
    etag = get(client, path).headers["ETag"]
    answer = get(client, path, form.format(etag))
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == etag
    assert answer.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("etag", ["", "x", '""', '"x', "W/", ",,,", "\xff", '"' * 5000, "W/" * 5000])
def test_any_other_etag_is_sent_it(published: Callable[..., TestClient], etag: str) -> None:
    answer = published().simulate_get(PATHS[0], extras={"HTTP_IF_NONE_MATCH": etag})
    assert (answer.status_code, answer.content) == (200, b'{"keys":[]}')


def test_another_key_is_another_etag(published: Callable[..., TestClient]) -> None:
    etags = {get(published(generate_private_key("ES256")), PATHS[0]).headers["ETag"] for _ in range(2)}
    assert len(etags) == 2
