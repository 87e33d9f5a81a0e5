"""Client secrets as Django has hashed them, made here by the standard library alone."""

import hashlib
import time
from base64 import b64encode

import pytest

from domain.model.errors import StoreUnavailableError
from infrastructure.adoption.django_secrets import DjangoSecrets

SECRET = "a client's secret \u00e9"


def pbkdf2(digest: str, rounds: int = 1000) -> str:
    hashed = hashlib.pbkdf2_hmac(digest, SECRET.encode(), b"salt", rounds)
    return f"pbkdf2_{digest}${rounds}$salt${b64encode(hashed).decode()}"


def scrypt() -> str:
    hashed = hashlib.scrypt(SECRET.encode(), salt=b"salt", n=2**14, r=8, p=5, maxmem=64 * 1024 * 1024, dklen=64)
    return f"scrypt$16384$salt$8$5${b64encode(hashed).decode()}"


STORED = {"plain": SECRET, "sha256": pbkdf2("sha256"), "sha1": pbkdf2("sha1"), "scrypt": scrypt()}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_the_right_secret_alone_is_right(stored: str) -> None:
    secrets = DjangoSecrets()
    for _ in range(2):
        assert secrets.check(SECRET, stored)
        assert not secrets.check(SECRET + " ", stored)
        assert not secrets.check("", stored)
        assert not secrets.check(stored, stored) or stored == SECRET


def test_an_empty_secret_is_never_right() -> None:
    """A public client has none."""
    assert not DjangoSecrets().check("", "")


@pytest.mark.parametrize("stored", ["argon2$argon2id$v=19$m=102400", "bcrypt_sha256$$2b$12$x", "pbkdf2_sha256$x$y$z"])
def test_an_unknown_hash_is_trouble_and_no_refusal(stored: str) -> None:
    with pytest.raises(StoreUnavailableError):
        DjangoSecrets().check(SECRET, stored)


def test_what_was_right_is_not_hashed_again() -> None:
    secrets, stored = DjangoSecrets(), pbkdf2("sha256", 400_000)
    assert secrets.check(SECRET, stored)
    begun = time.perf_counter()
    assert secrets.check(SECRET, stored)
    assert time.perf_counter() - begun < 0.01
