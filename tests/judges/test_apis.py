"""Resource servers of other people verify access tokens by the public keys, and take nothing else for one."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from tests.e2e.server import wait_for
from tests.judges.apis import KINDS, Api, serving
from tests.judges.authority import Authority, another_key
from tests.ports import free_port

EVERY = [pytest.param(name, marks=[pytest.mark.node] if kind.needs_node else []) for name, kind in KINDS.items()]
ANOTHER_ISSUER = "https://another.example.org"


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable[..., Api]]:
    """Run resource servers until the last test is over; those who ask for the same share it."""
    with ExitStack() as stack:
        apis: dict[tuple[str, str], Api] = {}

        def start(name: str, authority: Authority) -> Api:
            if (name, authority.issuer) not in apis:
                kind = KINDS[name]
                folder = tmp_path_factory.mktemp("api")
                if kind.needs_node:
                    folder = request.getfixturevalue("node_modules") / folder.name
                    folder.mkdir()
                apis[name, authority.issuer] = stack.enter_context(serving(kind, authority, folder))
            return apis[name, authority.issuer]

        yield start


@pytest.fixture(params=EVERY)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(name: str, _running: Callable[..., Api], authority: Authority) -> Api:
    return _running(name, authority)


def test_it_knows_who_asks_and_as_what(api: Api, authority: Authority) -> None:
    for user, role, reports in (("ada", "admin", 200), ("bob", "member", 403)):
        token = authority.sign_in(user).access_token
        answer = api.get("/api/me", token)
        assert answer.status == 200, answer
        assert orjson.loads(answer.body) == {"user": user, "role": role}
        assert api.get("/api/reports", token).status == reports


def test_it_takes_refreshed_tokens(api: Api, authority: Authority) -> None:
    assert api.status(authority.refresh(authority.sign_in().refresh_token).access_token) == 200


def test_it_refuses_who_brings_no_token(api: Api) -> None:
    assert api.status(None) == 401


def test_it_takes_a_refresh_token_for_no_access_token(name: str, api: Api, authority: Authority) -> None:
    assert api.status(authority.sign_in().refresh_token) == _refused(name)


def _unsigned(authority: Authority) -> str:
    header = urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{authority.sign_in().access_token.split('.')[1]}."


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda a: a.forge(a.sign_in().access_token, aud="another"), id="another audience"),
        pytest.param(lambda a: a.forge(a.sign_in().access_token, iss=ANOTHER_ISSUER), id="another issuer"),
        pytest.param(lambda a: a.forge(a.sign_in().access_token, key=another_key()), id="another key of that name"),
        pytest.param(
            lambda a: a.forge(a.sign_in().access_token, key=another_key(), header={"kid": "x"}), id="an unknown key"
        ),
        pytest.param(lambda a: a.sign_in().access_token[:-8] + "AAAAAAAA", id="a broken signature"),
        pytest.param(lambda _: "nonsense", id="nonsense"),
        pytest.param(_unsigned, id="no signature"),
    ],
)
def test_it_refuses(name: str, api: Api, authority: Authority, make: Callable[[Authority], str]) -> None:
    assert api.status(make(authority)) == _refused(name)


def test_it_refuses_what_has_expired(api: Api, authority: Authority) -> None:
    now = int(time.time())
    assert api.status(authority.forge(authority.sign_in().access_token, iat=now - 1000, exp=now - 100)) == 401


def test_it_fetches_keys_once(name: str, api: Api, authority: Authority) -> None:
    token = authority.sign_in().access_token
    assert api.status(token) == 200
    before = authority.requests_for("/.well-known")
    assert before >= KINDS[name].fetches_keys
    for _ in range(20):
        assert api.status(token) == 200
    assert authority.requests_for("/.well-known") == before


COLD = {"simplejwt": 401, "express-oauth2-jwt-bearer": 401, "Authlib": 500}
"""What is not 503 where the keys cannot be had, because the library says so."""


def test_it_does_not_blame_the_token_when_it_cannot_fetch_keys(
    name: str, authority: Authority, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Its issuer cannot be reached."""
    kind = KINDS[name]
    if kind.fetches_keys:
        folder = request.getfixturevalue("sources") if kind.needs_node else tmp_path
        with serving(kind, authority, folder, ISSUER=f"https://localhost:{free_port()}") as api:
            assert api.status(authority.sign_in().access_token) == COLD.get(name, 503)


NEVER = ("Flask-JWT-Extended, settings alone", "Authlib")
"""They have a key, or keep what they fetched, until they are started anew."""
LATER = ("oauth4webapi",)
"""It asks for keys again a minute after it did."""


def test_a_change_of_the_key(
    establish: Callable[..., Authority], node_modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By the runbook no API notices, not even while the service is away; a key that leaked is replaced in a moment."""
    authority = establish()
    first, second, third = authority.access_token_key, authority.new_key(), authority.new_key()
    authority.use_keys(first, second)
    authority.reload()
    with ExitStack() as stack:
        apis = {}
        for name, kind in KINDS.items():
            folder = tmp_path_factory.mktemp("api")
            if kind.needs_node:
                folder = node_modules / folder.name
                folder.mkdir()
            apis[name] = stack.enter_context(serving(kind, authority, folder))
        old = authority.sign_in().access_token
        assert {name: api.status(old) for name, api in apis.items()} == dict.fromkeys(apis, 200)
        fetched = authority.requests_for("/.well-known")
        assert fetched >= sum(kind.fetches_keys for kind in KINDS.values())

        authority.use_keys(second, first)
        authority.reload()
        new = authority.sign_in().access_token
        authority.nginx.stop()
        for token in (old, new):
            statuses = {name: api.status(token) for name, api in apis.items()}
            assert statuses.pop("Flask-JWT-Extended, settings alone") == (200 if token == old else 422)
            assert statuses == dict.fromkeys(statuses, 200)
        assert authority.requests_for("/.well-known") == fetched

        authority.nginx.__enter__()
        authority.use_keys(third)
        authority.reload()
        newest = authority.sign_in().access_token
        waiting = [name for name in apis if name not in (*NEVER, *LATER)]
        wait_for("keys fetched again", lambda: all(apis[name].status(newest) == 200 for name in waiting), timeout=90)
        assert {name: apis[name].status(newest) for name in NEVER} == {NEVER[0]: 422, NEVER[1]: 401}


def _refused(name: str) -> int:
    """Return the status of a refusal: 401 everywhere but in one library, unless it is told."""
    return 422 if name == "Flask-JWT-Extended, settings alone" else 401
