"""The service never starts on a key that others may know."""

import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from domain.model.secrets import HOW_TO_MAKE_ONE
from entrypoints.settings import SettingsError, load_settings
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import WeakKeyError
from tests.e2e.server import Nuovo, clean_environment
from tests.hostile.forge import PREVIOUS_SECRET, SECRET, STRANGERS_SECRET
from tests.hostile.public_keys import public_keys

KEY_FILES = {name: key.decode() for name, key in public_keys().items() if re.search("PEM|SSH|JWK", name)}
WEAK = {
    "empty": "",
    "a blank": " ",
    "a word": "secret",
    "a letter": "x",
    "one byte short": SECRET[:31],
    "thirty-one characters of two bytes each would do, fifteen do not": "\u00e4\u00f6" * 7 + "\u00fc",
    "one letter": "a" * 64,
    "zeros": "0" * 64,
    "two letters": "ab" * 32,
    "a word again and again": "secret" * 8,
    "the sample of many tutorials": "your-256-bit-secret-your-256-bit-secret",
    "the sample of a documentation": "super-secret-jwt-token-with-at-least-32-characters-long",
    "what a template says": "change-me-change-me-change-me-change-me-1234567890",
    "what a template says, in another way": "REPLACE_ME_WITH_A_LONG_RANDOM_STRING_0123456789",
    "what a framework generates for a start": "django-insecure-0h4*q8c7^1z$k2m5n9b3v6x",
    "a word and a number, again and again": "password1234" * 3,
    "the digits": "0123456789" * 4,
    "the alphabet": "abcdefghijklmnopqrstuvwxyz0123456789",
    "a row of keys": "qwertyuiopasdfghjklzxcvbnm123456",
    "another sample of a documentation": "a-string-secret-at-least-256-bits-long",
    "the sample of a framework's guide": "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "what it is for": "dev-secret-key-do-not-use-in-production",
    "what a comment says": "<your secret here, at least 32 characters>",
    **{f"a key file, {name}": text for name, text in KEY_FILES.items()},
    "a private key": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n",
    "a key file on one line": KEY_FILES["ec PEM"].replace("\n", "\\n"),
    "a certificate": "-----BEGIN CERTIFICATE-----\n" + b64encode(bytes(range(256))).decode(),
}
SECRETS = ["NUOVO_SECRET_KEY", "NUOVO_PREVIOUS_SECRET_KEYS", "NUOVO_SERVICE_CREDENTIALS"]


def problems(**environment: str) -> list[str]:
    """Return what is said of the settings, nothing if the service would start."""
    try:
        load_settings({"NUOVO_SECRET_KEY": SECRET, **environment})
    except SettingsError as error:
        return error.problems
    return []


def test_good_secrets_are_good() -> None:
    """So what is refused below is refused for its weakness."""
    secrets = {"NUOVO_PREVIOUS_SECRET_KEYS": PREVIOUS_SECRET, "NUOVO_SERVICE_CREDENTIALS": STRANGERS_SECRET}
    assert problems(**secrets) == []
    KeyRing(SECRET, [PREVIOUS_SECRET])


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("weak", WEAK)
def test_a_weak_secret_stops_the_start(name: str, weak: str) -> None:
    """In words that name the setting and the way to a good one, and never say the secret."""
    secret = WEAK[weak]
    if name != "NUOVO_SECRET_KEY" and not secret.strip():
        assert problems(**{name: secret}) == []  # an empty list
        return
    said = problems(**{name: secret})
    words = "names are letters" if name == "NUOVO_SERVICE_CREDENTIALS" and ":" in secret else HOW_TO_MAKE_ONE
    assert any(problem.startswith(name) and words in problem for problem in said)
    assert len(secret) < 8 or not any(secret in problem for problem in said)


@pytest.mark.parametrize("weak", WEAK)
def test_a_key_ring_takes_no_weak_key(weak: str) -> None:
    """Whoever builds it: the last line of defence."""
    for secrets in ((WEAK[weak], []), (SECRET, [WEAK[weak]])):
        with pytest.raises(WeakKeyError) as refused:
            KeyRing(*secrets)
        assert len(WEAK[weak]) < 8 or WEAK[weak] not in str(refused.value)


def test_a_key_that_is_not_set_stops_the_start() -> None:
    with pytest.raises(SettingsError) as stopped:
        load_settings({})
    assert [
        problem for problem in stopped.value.problems if "NUOVO_SECRET_KEY" in problem and HOW_TO_MAKE_ONE in problem
    ]


@pytest.mark.parametrize(
    "secrets",
    [
        {"NUOVO_PREVIOUS_SECRET_KEYS": SECRET},
        {"NUOVO_PREVIOUS_SECRET_KEYS": f"{PREVIOUS_SECRET},{SECRET}"},
        {"NUOVO_PREVIOUS_SECRET_KEYS": f"{PREVIOUS_SECRET},{PREVIOUS_SECRET}"},
        {"NUOVO_PREVIOUS_SECRET_KEYS": f"{PREVIOUS_SECRET}, {PREVIOUS_SECRET} "},
        {"NUOVO_SERVICE_CREDENTIALS": f"{STRANGERS_SECRET},{STRANGERS_SECRET}"},
        {"NUOVO_SERVICE_CREDENTIALS": SECRET},
        {"NUOVO_SERVICE_CREDENTIALS": PREVIOUS_SECRET, "NUOVO_PREVIOUS_SECRET_KEYS": PREVIOUS_SECRET},
    ],
)
def test_no_secret_stands_twice(secrets: dict[str, str]) -> None:
    said = problems(**secrets)
    assert len(said) == 1
    assert not any(secret in said[0] for secret in (SECRET, PREVIOUS_SECRET, STRANGERS_SECRET))


def test_a_key_ring_takes_no_key_twice() -> None:
    for previous in ([SECRET], [PREVIOUS_SECRET, PREVIOUS_SECRET]):
        with pytest.raises(WeakKeyError):
            KeyRing(SECRET, previous)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"changeme\n", KEY_FILES["rsa PEM"].encode(), bytes(range(128, 256))], ids=len
)
def test_a_secret_file_is_held_to_the_same(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as stopped:
        load_settings({"NUOVO_SECRET_KEY_FILE": str(file)})
    assert all("NUOVO_SECRET_KEY" in problem for problem in stopped.value.problems)


def test_a_secret_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(SettingsError):
            load_settings({"NUOVO_SECRET_KEY_FILE": str(path)})


def test_settings_that_take_any_secret_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check every weak secret would do, and the tests above would say so."""
    monkeypatch.setattr("entrypoints.settings.weakness_of", lambda _secret: None)
    with pytest.raises(AssertionError):
        test_a_weak_secret_stops_the_start("NUOVO_SECRET_KEY", "one letter")


@pytest.mark.parametrize("weak", ["empty", "the sample of many tutorials", "a key file, rsa PEM"])
def test_a_real_process_does_not_start(tmp_path: Path, weak: str) -> None:
    environment = {"NUOVO_SECRET_KEY": WEAK[weak], "NUOVO_SERVICE_CREDENTIALS": "short"}
    nuovo = Nuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3", environment=environment)
    ended = nuovo.run("serve", "--bind", "127.0.0.1:0")
    assert ended.returncode != 0
    assert "Listening" not in ended.stderr + ended.stdout
    said = [line for line in ended.stderr.splitlines() if "NUOVO_" in line]
    assert [line.split()[0] for line in said] == ["NUOVO_SECRET_KEY", "NUOVO_SERVICE_CREDENTIALS"]
    assert "Traceback" not in ended.stderr
    assert not WEAK[weak] or WEAK[weak] not in ended.stderr + ended.stdout
    assert not (tmp_path / "nuovo.sqlite3").exists()


def test_gunicorn_alone_does_not_start_either(tmp_path: Path) -> None:
    """`gunicorn entrypoints.wsgi:app` checks the same, and does not start its workers again and again."""
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "entrypoints.wsgi:app"],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=clean_environment() | {"NUOVO_SECRET_KEY": WEAK["the sample of many tutorials"]},
        timeout=60,
    )
    assert ended.returncode != 0
    assert "NUOVO_SECRET_KEY is a sample value" in ended.stderr
    assert "Traceback" not in ended.stderr
