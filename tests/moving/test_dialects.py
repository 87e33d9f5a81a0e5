"""Tokens as applications set their libraries up: keys, algorithms, claims, issuers, audiences, older versions."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.moving.nuovo import MovedTo
from tests.moving.old import django_app
from tests.moving.old.applications import FLASK_SECRET, FlaskApplication, SimplejwtApplication

Move = Callable[..., MovedTo]


def pair_of(private: Any) -> tuple[str, str]:
    """Return both halves in PEM, the private one first."""
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
    )


PAIRS = {
    "RS256": pair_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ES256": pair_of(ec.generate_private_key(ec.SECP256R1())),
    "ES384": pair_of(ec.generate_private_key(ec.SECP384R1())),
}
ALGORITHMS = ["HS256", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384"]


@pytest.fixture
def using() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("half", ["public", "private"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_key_and_algorithm_of_flask_jwt_extended(
    database_url: str, move: Move, algorithm: str, half: str
) -> None:
    pair = PAIRS.get(algorithm, PAIRS["RS256"] if algorithm[1] == "S" else None)
    is_secret = algorithm.startswith("HS")
    keys = {"JWT_SECRET_KEY": FLASK_SECRET * 2}
    if not is_secret and pair:
        keys = {"JWT_PRIVATE_KEY": pair[0], "JWT_PUBLIC_KEY": pair[1]}
    old = FlaskApplication(database_url, JWT_ALGORITHM=algorithm, **keys)
    (token,) = old.issue_all(old.add_users(1)).values()
    key = FLASK_SECRET * 2 if is_secret else keys[f"JWT_{half.upper()}_KEY"]
    settings = {name: value for name, value in old.settings.items() if "SIGNS" not in name}
    nuovo = move(**{**settings, "ADOPT_FLASK_JWT_EXTENDED_KEY": key, "ADOPT_FLASK_JWT_EXTENDED_ALGORITHM": algorithm})
    assert nuovo.refresh(token).status == 200
    old.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_key_and_algorithm_of_simplejwt(
    simplejwt: SimplejwtApplication, move: Move, using: ExitStack, algorithm: str
) -> None:
    pair = PAIRS.get(algorithm, PAIRS["RS256"])
    if algorithm.startswith("HS"):
        key = django_app.SECRET * 2
        using.enter_context(django_app.simplejwt(ALGORITHM=algorithm, SIGNING_KEY=key))
    else:
        using.enter_context(django_app.simplejwt(ALGORITHM=algorithm, SIGNING_KEY=pair[0], VERIFYING_KEY=pair[1]))
        key = pair[1]
    (token,) = simplejwt.issue_all(simplejwt.add_users(1)).values()
    settings = {name: value for name, value in simplejwt.settings.items() if "SIGNS" not in name}
    nuovo = move(**{**settings, "ADOPT_SIMPLEJWT_KEY": key, "ADOPT_SIMPLEJWT_ALGORITHM": algorithm})
    assert nuovo.refresh(token).status == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_claims_issuer_and_audience_of_flask_jwt_extended(database_url: str, move: Move) -> None:
    """The new access tokens say the same, and their issuer and audience are those that the application expects."""
    old = FlaskApplication(
        database_url,
        JWT_IDENTITY_CLAIM="identity",
        JWT_ENCODE_ISSUER="old.example.org",
        JWT_DECODE_ISSUER="old.example.org",
        JWT_ENCODE_AUDIENCE=["shop", "blog"],
        JWT_DECODE_AUDIENCE="shop",
        JWT_ENCODE_NBF=False,
    )
    user = old.add_users(1)[0]
    said = {
        "ADOPT_FLASK_JWT_EXTENDED_IDENTITY_CLAIM": "identity",
        "ADOPT_FLASK_JWT_EXTENDED_ISSUER": "old.example.org",
        "ADOPT_FLASK_JWT_EXTENDED_AUDIENCE": "shop",
    }
    nuovo = move(**old.settings, **said)
    answer = nuovo.refresh(old.issue(user))
    assert old.whose(answer.access_token) == user
    strange = move(**{**old.settings, **said, "ADOPT_FLASK_JWT_EXTENDED_AUDIENCE": "bank"})
    assert strange.refresh(old.issue(user)).status == 401
    strange = move(**{**old.settings, **said, "ADOPT_FLASK_JWT_EXTENDED_ISSUER": "another.example.org"})
    assert strange.refresh(old.issue(user)).status == 401
    old.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_claims_issuer_and_audience_of_simplejwt(simplejwt: SimplejwtApplication, move: Move, using: ExitStack) -> None:
    names = {"USER_ID_CLAIM": "uid", "TOKEN_TYPE_CLAIM": "typ", "JTI_CLAIM": "id"}
    using.enter_context(django_app.simplejwt(ISSUER="old.example.org", AUDIENCE="shop", **names))
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    said = {
        "ADOPT_SIMPLEJWT_USER_ID_CLAIM": "uid",
        "ADOPT_SIMPLEJWT_TOKEN_TYPE_CLAIM": "typ",
        "ADOPT_SIMPLEJWT_JTI_CLAIM": "id",
        "ADOPT_SIMPLEJWT_ISSUER": "old.example.org",
        "ADOPT_SIMPLEJWT_AUDIENCE": "shop",
    }
    answer = move(**simplejwt.settings, **said).refresh(token)
    assert simplejwt.whose(answer.access_token) == user
    wrong = {**simplejwt.settings, **said, "ADOPT_SIMPLEJWT_AUDIENCE": "bank"}
    assert move(**wrong).refresh(simplejwt.issue(simplejwt.add_users(1)[0])).status == 401


def test_what_a_token_said_of_its_user_goes_on_into_access_tokens(simplejwt: SimplejwtApplication, move: Move) -> None:
    """The library copies every claim of a refresh token into its access tokens, and frontends read them."""
    user = simplejwt.add_users(1)[0]
    token = str(django_app.issue_simplejwt(user, role="editor", nested={"a": [1, None, "\u00e9"]}))
    answer = move(**simplejwt.settings).refresh(token)
    me = simplejwt.client.get("/me", headers={"Authorization": f"Bearer {answer.access_token}"})
    assert me.json == {"user": str(user.pk), "role": "editor"}
    claims = jwt.decode(answer.access_token, options={"verify_signature": False})
    assert claims["nested"] == {"a": [1, None, "\u00e9"]}


@pytest.mark.parametrize("version", ["PyJWT 1", "PyJWT 2"])
def test_tokens_of_years_ago(simplejwt: SimplejwtApplication, move: Move, version: str) -> None:
    """Users were numbers until simplejwt 5.4, and headers were in another order until PyJWT 2.4."""
    user = simplejwt.add_users(1)[0]
    claims = {**django_app.issue_simplejwt(user).payload, "user_id": user.pk}
    token = jwt.encode(claims, django_app.SECRET, "HS256", sort_headers=version == "PyJWT 2")
    assert move(**simplejwt.settings).refresh(token).status == 200


@pytest.mark.parametrize("expires", [False, True])
def test_a_token_without_an_end_has_one_here(database_url: str, move: Move, *, expires: bool) -> None:
    old = FlaskApplication(database_url)
    token = old.old.issue(old.add_users(1)[0], expires_delta=None if expires else False)
    assert ("exp" in jwt.decode(token, options={"verify_signature": False})) is expires
    assert move(**old.settings).refresh(token).status == 200
    old.close()


def test_an_access_token_is_no_refresh_token(old: Any, move: Move) -> None:
    nuovo = move(**old.settings)
    for token in old.access_tokens(old.add_users(1)[0]):
        assert nuovo.refresh(token).body["message"] == "Invalid refresh token."
        assert nuovo.revoke(token).status == 401
