"""Settings of bound sessions, what does not go together, and what follows from them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from falcon.testing import TestClient

from domain.model.users import User
from entrypoints.bootstrap import build
from entrypoints.settings import Settings, SettingsError, load_settings
from tests.http.contract import SERVICE_CREDENTIAL, bearer
from tests.key_holder import KeyHolder

SECRET = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU"


def loaded(**values: str) -> Settings:
    return load_settings(
        {"NUOVO_SECRET_KEY": SECRET} | {f"NUOVO_{name.upper()}": value for name, value in values.items()}
    )


@pytest.mark.parametrize(
    ("values", "base"),
    [
        ({}, None),
        ({"issuer": "login"}, None),
        ({"issuer": "https://auth.example.org"}, "https://auth.example.org"),
        ({"issuer": "https://auth.example.org/"}, "https://auth.example.org"),
        ({"issuer": "https://example.org/auth/"}, "https://example.org/auth"),
        ({"issuer": "http://localhost:8000"}, "http://localhost:8000"),
        ({"issuer": "http://auth.example.org"}, None),
        ({"public_url": "https://auth.example.org"}, "https://auth.example.org"),
        ({"issuer": "https://login.example.org", "public_url": "https://example.org/a"}, "https://example.org/a"),
        ({"public_url": "http://[::1]:8000"}, "http://[::1]:8000"),
    ],
)
def test_where_clients_find_the_service(values: dict[str, str], base: str | None) -> None:
    settings = loaded(**values)
    assert settings.public_base(settings.issuer) == base


@pytest.mark.parametrize(
    ("issuer", "public_url", "base"),
    [
        ("https://auth.example.org", None, "https://auth.example.org"),
        ("https://auth.example.org/", None, "https://auth.example.org"),
        ("https://auth.example.org:8443/auth", None, "https://auth.example.org:8443/auth"),
        ("https://login.example.org", "https://auth.example.org/x", "https://auth.example.org/x"),
        ("http://localhost:8000", None, "http://localhost:8000"),
        ("http://127.0.0.1:8000/auth", None, "http://127.0.0.1:8000/auth"),
        ("http://[::1]:8000", None, "http://[::1]:8000"),
        ("nuovo", None, None),
        ("nuovo", "https://auth.example.org", None),
        ("urn:nuovo", "https://auth.example.org", None),
        ("auth.example.org", None, None),
        ("http://auth.example.org", None, None),
        ("http://localhost.evil.example", None, None),
        ("http://localhost@evil.example", None, None),
        ("https://ada@auth.example.org", None, None),
        ("https://auth.example.org//", None, None),
        ("https://AUTH.example.org", None, None),
        ('https://auth.example.org/"', None, None),
        ("https://auth.example.org?a=b", None, None),
        ("https://auth.example.org#a", None, None),
        ("https://", None, None),
    ],
)
def test_only_an_issuer_that_is_a_url_has_metadata(
    client_with: Callable[..., TestClient], issuer: str, public_url: str | None, base: str | None
) -> None:
    """And there one finds what is below the public URL."""
    client = client_with(issuer=issuer, **({} if public_url is None else {"public_url": public_url}))
    answer = client.simulate_get("/.well-known/oauth-authorization-server")
    if base is None:
        assert answer.status_code == 404
    else:
        assert (answer.json["issuer"], answer.json["token_endpoint"]) == (issuer, f"{base}/oauth/token")


@pytest.mark.parametrize(
    "url",
    [
        "auth.example.org", "http://auth.example.org", "https://auth.example.org/", "https://AUTH.example.org", "https://",
        "https://auth.example.org?x", "https://auth.example.org#x", "https://ada@auth.example.org", "ftp://example.org",
        "https://auth.example.org/a b", "https://auth.example.org//a", "https://auth.example.org:port",
    ],
)  # fmt: skip
def test_a_public_url_is_one(url: str) -> None:
    with pytest.raises(SettingsError, match="NUOVO_PUBLIC_URL must be where clients find Nuovo"):
        loaded(public_url=url)


def test_bound_access_tokens_need_a_public_url() -> None:
    with pytest.raises(SettingsError, match="NUOVO_DPOP_ACCESS_TOKENS needs NUOVO_PUBLIC_URL"):
        loaded(dpop_access_tokens="true")
    assert loaded(dpop_access_tokens="true", public_url="https://auth.example.org").policy.bound_access_tokens
    assert not loaded(public_url="https://auth.example.org").policy.bound_access_tokens


@pytest.fixture
def client_with(tmp_path: Path) -> Callable[..., TestClient]:
    """Return a client of the service as settings make it, with a user."""

    def make(**values: str) -> TestClient:
        built = build(
            loaded(database_url=f"sqlite:///{tmp_path}/n.sqlite3", service_credentials=SERVICE_CREDENTIAL, **values)
        )
        built.operations.migrate()
        built.operations.directory.put(User(id="ada"))
        return TestClient(built.app())

    return make


def test_the_service_as_it_is_set_up_verifies_proofs_for_its_public_url(
    client_with: Callable[..., TestClient],
) -> None:
    """The real verifier is there, its nonces are good, and access tokens are bound if that is set."""
    client, holder = client_with(public_url="https://example.org/auth", dpop_access_tokens="true"), KeyHolder("EdDSA")
    fields = {"user_id": "ada", "dpop_jkt": holder.thumbprint}
    pair = client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json=fields).json["data"]
    url = "https://example.org/auth/refresh_token"
    headers = bearer(pair["refresh_token"])
    first = client.simulate_post("/refresh_token", headers=headers | {"DPoP": holder.prove("POST", url)})
    assert first.status_code == 401
    proof = holder.prove("POST", url, first.headers["DPoP-Nonce"])
    second = client.simulate_post("/refresh_token", headers=headers | {"DPoP": proof})
    assert second.status_code == 200
    token = second.json["data"]["access_token"]
    listing = holder.prove("GET", "https://example.org/auth/sessions", first.headers["DPoP-Nonce"], token)
    shown = {"Authorization": f"DPoP {token}", "DPoP": listing}
    assert client.simulate_get("/sessions", headers=shown).status_code == 200
    assert client.simulate_get("/sessions", headers=bearer(token)).status_code == 401


def test_without_a_public_url_there_is_no_dpop(client_with: Callable[..., TestClient]) -> None:
    fields = {"user_id": "ada", "dpop_jkt": KeyHolder().thumbprint}
    answer = client_with().simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json=fields)
    assert answer.status_code == 422
    assert "NUOVO_PUBLIC_URL" in answer.json["message"]
