"""The README's code does what the README says, against a running service."""

import re
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from joserfc.errors import JoseError

from tests.e2e.server import USER, Nuovo

README = Path(__file__).parents[2] / "README.md"
EXECUTABLE = re.compile(r"<!-- test: (?P<name>[\w-]+) -->\n```python\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def readme() -> dict[str, dict[str, Any]]:
    """Return what each block of the README that is marked `<!-- test: NAME -->` defines, by name."""
    blocks = {}
    for block in EXECUTABLE.finditer(README.read_text(encoding="utf-8")):
        blocks[block["name"]] = {"__name__": block["name"]}
        exec(compile(block["code"], f"README.md, {block['name']}", "exec"), blocks[block["name"]])  # noqa: S102
    return blocks


def test_every_python_block_is_marked_and_tested(readme: dict[str, dict[str, Any]]) -> None:
    assert README.read_text(encoding="utf-8").count("```python") == len(readme)
    assert set(readme) == {"login-service", "frontend", "resource-server"}


def test_a_login_service_a_frontend_and_an_api_work_together(nuovo: Nuovo, readme: dict[str, dict[str, Any]]) -> None:
    start_session = readme["login-service"]["start_session"]
    refresh = readme["frontend"]["refresh"]
    user_of = readme["resource-server"]["user_of"]
    key = nuovo.environment["NUOVO_SECRET_KEY"]

    session = start_session(nuovo.url, nuovo.service_credential, USER, "Firefox on Linux")
    assert user_of(session["access_token"], key) == USER
    access_token, refresh_token = refresh(nuovo.url, session["refresh_token"])
    assert user_of(access_token, key) == USER
    assert access_token != session["access_token"]
    assert refresh_token != session["refresh_token"]
    refresh(nuovo.url, refresh_token)


def test_an_api_refuses_what_is_no_access_token(nuovo: Nuovo, readme: dict[str, dict[str, Any]]) -> None:
    session = readme["login-service"]["start_session"](nuovo.url, nuovo.service_credential, USER, "")
    user_of = readme["resource-server"]["user_of"]
    key = nuovo.environment["NUOVO_SECRET_KEY"]
    with pytest.raises(ValueError, match="not an access token"):
        user_of(session["refresh_token"], key)
    for mistaken in ({"audience": "another"}, {"issuer": "another"}, {"secret_key": "x" * 64}):
        with pytest.raises(JoseError):
            user_of(session["access_token"], **{"secret_key": key, **mistaken})


def test_a_login_service_hears_when_it_is_refused(nuovo: Nuovo, readme: dict[str, dict[str, Any]]) -> None:
    start_session = readme["login-service"]["start_session"]
    for credential, user, status in (("wrong", USER, 401), (nuovo.service_credential, "nobody", 404)):
        with pytest.raises(HTTPError) as refused:
            start_session(nuovo.url, credential, user, "")
        refused.value.close()
        assert refused.value.code == status
