"""Settings of a move that do not go together, and those that make an old key sign what it must not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from entrypoints.bootstrap import Built, build
from entrypoints.settings import SettingsError, load_settings

KEY = "Y6f1nIfFzV9tq0uCk3J2wDqv8LxPZsa5bRmeH7Gg4To"
OLD_KEY = "z7Wc2Qd9Lr4Xk6Vb1Nm8Tj3Hs5Gf0PyEaUoIiKvXqR"
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PRIVATE_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ED448_PEM = (
    ed448.Ed448PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)
FLASK, SIMPLEJWT, TOOLKIT = "ADOPT_FLASK_JWT_EXTENDED", "ADOPT_SIMPLEJWT", "ADOPT_OAUTH_TOOLKIT"


def start(**given: str) -> Built:
    return build(load_settings({"NUOVO_SECRET_KEY": KEY} | {f"NUOVO_{name}": value for name, value in given.items()}))


def problem_of(**given: str) -> str:
    with pytest.raises(SettingsError) as refused:
        start(**given)
    (problem,) = refused.value.problems
    assert not any(secret in problem for secret in given.values() if len(secret) > 30)
    return problem


@pytest.mark.parametrize("library", [FLASK, SIMPLEJWT])
@pytest.mark.parametrize("own", ["SECRET_KEY", "PREVIOUS_SECRET_KEYS", "SERVICE_CREDENTIALS"])
def test_a_key_of_the_old_application_is_no_secret_of_nuovos(library: str, own: str) -> None:
    """Whoever else holds a key could make refresh tokens with it."""
    assert problem_of(**{f"{library}_KEY": OLD_KEY, own: OLD_KEY}).startswith(f"NUOVO_{library}_KEY is a secret of")


@pytest.mark.parametrize("library", [FLASK, SIMPLEJWT])
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("super-secret", "has 12 bytes; whoever has one token could guess it"),
        ("-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----", "is no RSA, elliptic curve or Ed25519 key"),
        (ED448_PEM, "is no RSA, elliptic curve or Ed25519 key"),
    ],
    ids=["short", "rubbish", "Ed448"],
)
def test_a_key_that_verifies_nothing(library: str, key: str, words: str) -> None:
    assert problem_of(**{f"{library}_KEY": key, "ADOPT_SIMPLEJWT_BLACKLIST": "false"}).startswith(
        f"NUOVO_{library}_KEY {words}"
    )


@pytest.mark.parametrize(
    ("key", "algorithm", "words"),
    [
        (OLD_KEY, "RS256", "is a key for HS256, HS384, HS512, not for RS256"),
        (PUBLIC_PEM, "HS256", "is a key for ES256, not for HS256"),
        (PUBLIC_PEM, "ES384", "is a key for ES256, not for ES384"),
    ],
    ids=["secret", "public key as a secret", "another curve"],
)
def test_an_algorithm_that_is_not_the_keys(key: str, algorithm: str, words: str) -> None:
    """A public key is never taken for a secret (RFC 8725, section 2.1)."""
    assert problem_of(**{f"{FLASK}_KEY": key, f"{FLASK}_ALGORITHM": algorithm}) == f"NUOVO_{FLASK}_KEY {words}"


def test_a_public_key_signs_nothing() -> None:
    words = f"NUOVO_{FLASK}_KEY is a public key, with which no access token can be signed"
    assert problem_of(**{f"{FLASK}_KEY": PUBLIC_PEM, f"{FLASK}_SIGNS_ACCESS_TOKENS": "true"}) == words
    start(**{f"{FLASK}_KEY": PRIVATE_PEM, f"{FLASK}_SIGNS_ACCESS_TOKENS": "true"})


def test_one_key_signs_access_tokens() -> None:
    both = {f"{library}_KEY": OLD_KEY for library in (FLASK, SIMPLEJWT)}
    signs = {f"{library}_SIGNS_ACCESS_TOKENS": "true" for library in (FLASK, SIMPLEJWT)}
    assert "one key signs; set one of them" in problem_of(**both, **signs)
    own = {"ACCESS_TOKEN_KEY": PRIVATE_PEM, f"{FLASK}_KEY": OLD_KEY, f"{FLASK}_SIGNS_ACCESS_TOKENS": "true"}
    assert problem_of(**own) == (
        f"NUOVO_ACCESS_TOKEN_KEY and NUOVO_{FLASK}_SIGNS_ACCESS_TOKENS: one key signs; set one of them"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({f"{FLASK}_PATH": "/refresh"}, f"NUOVO_{FLASK}_PATH needs NUOVO_{FLASK}_KEY"),
        ({f"{SIMPLEJWT}_PATH": "/api/token/refresh/"}, f"NUOVO_{SIMPLEJWT}_PATH needs NUOVO_{SIMPLEJWT}_KEY"),
        ({f"{TOOLKIT}_PATH": "/o/token/"}, f"NUOVO_{TOOLKIT}_PATH needs NUOVO_{TOOLKIT}=true"),
        ({f"{FLASK}_SIGNS_ACCESS_TOKENS": "true"}, f"NUOVO_{FLASK}_SIGNS_ACCESS_TOKENS needs NUOVO_{FLASK}_KEY"),
        ({f"{FLASK}_TOKEN_LOCATION": ","}, f"NUOVO_{FLASK}_TOKEN_LOCATION must name headers, cookies or both"),
    ],
)  # fmt: skip
def test_what_needs_another(given: dict[str, str], words: str) -> None:
    assert problem_of(**given) == words


@pytest.mark.parametrize("path", ["refresh", "/a b", "/{id}", "/refresh_token", "/a//b", "/é"])
def test_a_path_is_plain_and_nobody_elses(path: str) -> None:
    assert f"NUOVO_{SIMPLEJWT}_PATH" in problem_of(**{f"{SIMPLEJWT}_KEY": OLD_KEY, f"{SIMPLEJWT}_PATH": path})


def test_two_old_endpoints_have_two_paths() -> None:
    keys = {f"{FLASK}_KEY": OLD_KEY, f"{SIMPLEJWT}_KEY": OLD_KEY}
    words = problem_of(**keys, **{f"{FLASK}_PATH": "/refresh", f"{SIMPLEJWT}_PATH": "/refresh"})
    assert "two of them are one path" in words


def test_tables_of_the_old_application_are_in_a_database_of_tables() -> None:
    redis = {"DATABASE_URL": "redis://127.0.0.1:7000"}
    words = problem_of(**redis, ADOPT_OAUTH_TOOLKIT="true")
    assert words == "NUOVO_USERS_DATABASE_URL must name the database of the old application's tables"
