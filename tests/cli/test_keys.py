"""`nuovo keys`: PEM and JSON on standard output, and nothing else."""

import json

import pytest

from infrastructure.authlib.keys import private_key, public_key
from tests.cli.conftest import Nuovo, Opener


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_generate_prints_a_private_key_and_nothing_else(nuovo: Nuovo, opener: Opener, algorithm: str) -> None:
    """Without any setting: it is how the first one is made."""
    opener.problems = ["nothing is set"]
    result = nuovo("keys", "generate", "--algorithm", algorithm)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert result.stdout.endswith("-----END PRIVATE KEY-----\n")
    assert private_key(result.stdout).jwk["alg"] == algorithm


def test_generate_makes_another_one_each_time(nuovo: Nuovo) -> None:
    assert nuovo("keys", "generate").stdout != nuovo("keys", "generate").stdout


def test_generate_for_another_algorithm_is_refused(nuovo: Nuovo) -> None:
    result = nuovo("keys", "generate", "--algorithm", "none")
    assert (result.exit_code, result.stdout) == (2, "")


def test_public_prints_the_half_that_verifies(nuovo: Nuovo) -> None:
    pem = nuovo("keys", "generate").stdout
    result = nuovo("keys", "public", stdin=pem)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert public_key(result.stdout).id == private_key(pem).id


def test_public_of_something_else_is_an_error_that_does_not_repeat_it(nuovo: Nuovo) -> None:
    result = nuovo("keys", "public", stdin="hunter2")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: What was read is not a private key in PEM (-----BEGIN PRIVATE KEY-----).\n"


def test_jwks_prints_what_is_published(nuovo: Nuovo, opener: Opener) -> None:
    opener.public_keys = {"keys": [{"kty": "EC", "kid": "k"}]}
    result = nuovo("keys", "jwks")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == opener.public_keys
