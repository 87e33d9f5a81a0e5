"""Secrets that must not be used, and why."""

import secrets

import pytest

from domain.model.secrets import MIN_SECRET_BYTES, weakness_of

STRONG = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA"


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "empty"),
        ("xyz", "3 bytes"),
        (STRONG[:-1], "31 bytes"),
        ("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----", "key file"),
        ("-----BEGIN RSA PRIVATE KEY-----", "key file"),
        (f"\n  -----BEGIN CERTIFICATE-----{STRONG}", "key file"),
        ("---- BEGIN SSH2 PUBLIC KEY ----", "key file"),
        (f"ssh-rsa AAAAB3NzaC1yc2E{STRONG}", "key file"),
        (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5{STRONG}", "key file"),
        (f"ecdsa-sha2-nistp256 AAAAE2VjZHNh{STRONG}", "key file"),
        ("a" * 32, "repeats"),
        ("0123456780123456780123456780123456", "repeats"),
        ("abc" * 1000, "repeats"),
        ("change-me-change-me-change-me-please", "sample"),
        ("CHANGE_ME_before_you_go_to_production", "sample"),
        ("your-256-bit-secret-your-256-bit-secret", "sample"),
        ("this-is-a-Super.Secret-value-of-ours", "sample"),
        ("django-insecure-kD8vQ2mX7pL1sT4wZ9bN6cR3yH5j", "sample"),
    ],
)
def test_a_weak_secret_is_named_for_what_it_is(secret: str, reason: str) -> None:
    weakness = weakness_of(secret)

    assert weakness is not None
    assert reason in weakness
    assert not secret or secret not in weakness


@pytest.mark.parametrize(
    "secret", [STRONG, "🦉🦊🐢🐙🦔🐝🦋🐞🦀🐳", "a passphrase of quite a few words, chosen blindly"]
)
def test_nothing_speaks_against_a_long_and_varied_secret(secret: str) -> None:
    """Its length is counted in bytes."""
    assert len(secret.encode()) >= MIN_SECRET_BYTES
    assert weakness_of(secret) is None


def test_secrets_that_were_made_as_advised_are_good() -> None:
    assert {weakness_of(secrets.token_urlsafe(48)) for _ in range(200)} == {None}


def test_a_secret_that_no_text_can_hold_is_judged_too() -> None:
    """A lone surrogate, as an environment variable that is not UTF-8 reads in Python."""
    assert weakness_of("\udcff") == f"has 3 bytes; at least {MIN_SECRET_BYTES} are needed"
