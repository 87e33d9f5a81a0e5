"""Settings that are more than a text or a number: claims, names of services, keys."""

from typing import Any

import pytest

from entrypoints.bootstrap import build
from entrypoints.settings import Settings, SettingsError, load_settings
from infrastructure.authlib.keys import generate_private_key, private_key, public_half

SECRET = "Y6f1nIfFzV9tq0uCk3J2wDqv8LxPZsa5bRmeH7Gg4To"
OTHER = "p0QwTz5XbU8nEo2LcVh6RyJkD3FsG9MiAa1Nq7StB4C"
NO_CREDENTIAL = (
    "NUOVO_SERVICE_CREDENTIALS: each must be secret or name:secret; names are letters, digits, _ and -,"
    " secrets hold no :"
)


def load(**given: str) -> Settings:
    return load_settings({"NUOVO_SECRET_KEY": SECRET} | {f"NUOVO_{name}": value for name, value in given.items()})


def problems_of(**given: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        build(load(**given))
    return refused.value.problems


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("role", [("role", "role")]),
        ("role, tenant_id:tenant", [("role", "role"), ("tenant_id", "tenant")]),
        ("role:https://example.org/role", [("role", "https://example.org/role")]),
        ("role,role:roles", [("role", "role"), ("role", "roles")]),
        ("exp:expires", [("exp", "expires")]),
    ],
)
def test_claims_are_columns_with_or_without_a_name_of_their_own(text: str, columns: list[Any]) -> None:
    assert load(USERS_CLAIMS=text).users_claims == columns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("role,exp", "exp is a claim that Nuovo itself writes"),
        ("role:sub", "sub is a claim that Nuovo itself writes"),
        ("role,kind:role", "claim role stands twice"),
        (":role", "each entry must be column or column:claim"),
        ("role:", "each entry must be column or column:claim"),
        ("role:" + "x" * 129, "a claim's name has 1 to 128 printable characters"),
    ],
)
def test_claims_that_cannot_be(text: str, words: str) -> None:
    assert problems_of(USERS_CLAIMS=text) == [f"NUOVO_USERS_CLAIMS: {words}"]


def test_claims_are_shown_as_they_are_given() -> None:
    shown = dict(load(USERS_CLAIMS="role,tenant_id:tenant").shown())
    assert shown["NUOVO_USERS_CLAIMS"] == "role, tenant_id:tenant"


def test_service_credentials_may_have_names() -> None:
    settings = load(SERVICE_CREDENTIALS=f"login:{OTHER}, {OTHER[::-1]}")
    assert [entry.get_secret_value() for entry in settings.service_credentials] == [f"login:{OTHER}", OTHER[::-1]]


@pytest.mark.parametrize("entry", [f"a:b:{OTHER}", f":{OTHER}", f"{OTHER}:", f"log in:{OTHER}", f"{'x' * 33}:{OTHER}"])
def test_a_credential_with_a_colon_too_many_is_never_guessed(entry: str) -> None:
    assert problems_of(SERVICE_CREDENTIALS=entry) == [NO_CREDENTIAL]


def test_a_name_adds_nothing_to_a_secret() -> None:
    """Weakness, doubles and second uses are those of the secret alone."""
    (problem,) = problems_of(SERVICE_CREDENTIALS=f"a-name-that-is-long-enough:{OTHER[:20]}")
    assert problem.startswith("NUOVO_SERVICE_CREDENTIALS has 20 bytes")
    assert problems_of(SERVICE_CREDENTIALS=f"login:{OTHER},web:{OTHER}") == [
        "NUOVO_SERVICE_CREDENTIALS has the same secret twice; remove one"
    ]
    assert problems_of(SERVICE_CREDENTIALS=f"login:{SECRET}") == [
        "NUOVO_SERVICE_CREDENTIALS holds a signing key; each secret must have one use"
    ]


@pytest.mark.parametrize(("algorithm", "kind"), [("ES256", "EC"), ("RS256", "RSA"), ("EdDSA", "OKP")])
def test_keys_for_access_tokens_are_pem(algorithm: str, kind: str) -> None:
    signing, following, before = (generate_private_key(algorithm) for _ in range(3))
    built = build(
        load(
            ACCESS_TOKEN_KEY=signing,
            ACCESS_TOKEN_VERIFICATION_KEYS=public_half(following) + public_half(before) + public_half(signing),
        )
    )
    published: Any = built.operations.public_keys["keys"]
    assert [key["kid"] for key in published] == [private_key(pem).id for pem in (signing, following, before)]
    assert {(key["kty"], key["alg"], key["use"]) for key in published} == {(kind, algorithm, "sig")}


def test_nothing_is_published_of_a_secret() -> None:
    assert build(load(PREVIOUS_SECRET_KEYS=OTHER)).operations.public_keys == {"keys": []}


def test_a_key_may_be_published_before_any_signs() -> None:
    """So that every verifier knows it when the secret is left behind."""
    pem = generate_private_key("ES256")
    published: Any = build(load(ACCESS_TOKEN_VERIFICATION_KEYS=public_half(pem))).operations.public_keys["keys"]
    assert [key["kid"] for key in published] == [private_key(pem).id]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ACCESS_TOKEN_KEY", OTHER, " is not a private key in PEM (-----BEGIN PRIVATE KEY-----)"),
        (
            "ACCESS_TOKEN_KEY",
            public_half(generate_private_key("ES256")),
            " is not a private key in PEM (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            "ACCESS_TOKEN_VERIFICATION_KEYS",
            generate_private_key("ES256"),
            " holds a private key; list public halves alone: nuovo keys public < private.pem",
        ),
        (
            "ACCESS_TOKEN_VERIFICATION_KEYS",
            f"{public_half(generate_private_key('EdDSA'))}and another",
            ": must be PEM blocks alone (-----BEGIN PUBLIC KEY-----), one after the other",
        ),
        (
            "ACCESS_TOKEN_VERIFICATION_KEYS",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            " holds something that is not a public key in PEM (-----BEGIN PUBLIC KEY-----)",
        ),
    ],
    ids=["rubbish", "public", "private", "between", "broken"],
)
def test_keys_that_cannot_be(name: str, value: str, words: str) -> None:
    (problem,) = problems_of(**{name: value})
    assert problem == f"NUOVO_{name}{words}"


def test_keys_are_not_shown() -> None:
    pem = generate_private_key("ES256")
    shown = dict(load(ACCESS_TOKEN_KEY=pem, ACCESS_TOKEN_VERIFICATION_KEYS=public_half(pem)).shown())
    assert shown["NUOVO_ACCESS_TOKEN_KEY"] == "…"
    assert shown["NUOVO_ACCESS_TOKEN_VERIFICATION_KEYS"] == "1 given"
