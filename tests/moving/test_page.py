"""`docs/how-to/moving-in.md`, executed.

Its settings start Nuovo, its lines are set in the applications, and nginx runs its blocks.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from werkzeug.test import Client

from tests.browser.how_to import snippets
from tests.e2e.nginx import program
from tests.e2e.server import wait_for
from tests.moving.nuovo import SERVICE_CREDENTIAL, MovedTo, serving, serving_wsgi
from tests.moving.old import django_app
from tests.moving.old.applications import FLASK_SECRET, FlaskApplication, SimplejwtApplication, ToolkitApplication
from tests.ports import free_port

PRIVATE = ec.generate_private_key(ec.SECP256R1())
PRIVATE_PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
Move = Callable[..., MovedTo]


SNIPPETS = snippets()


def settings_of(name: str, **known: str) -> dict[str, str]:
    """Return what the page tells a team to set, without `NUOVO_`; a key is what `known` has for its name."""
    pairs = (line.removeprefix("NUOVO_").partition("=") for line in SNIPPETS[name].splitlines())
    return {name: known.get(name, value) for name, _, value in pairs}


FLASK = settings_of("flask-jwt-extended.env", ADOPT_FLASK_JWT_EXTENDED_KEY=FLASK_SECRET)
SIMPLEJWT = settings_of("simplejwt.env", ADOPT_SIMPLEJWT_KEY=django_app.SECRET)
TOOLKIT = settings_of("oauth-toolkit.env")


def with_own_key(settings: dict[str, str], **more: str) -> dict[str, str]:
    """Return the settings with a key of their own for access tokens."""
    kept = {name: value for name, value in settings.items() if not name.endswith("SIGNS_ACCESS_TOKENS")}
    return {**kept, "ACCESS_TOKEN_KEY": PRIVATE_PEM, **more}


@pytest.fixture
def using() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_flask_jwt_extended_with_nothing_changed(flask: FlaskApplication, move: Move) -> None:
    ((user, token),) = flask.issue_all(flask.add_users(1)).items()
    answer = Client(move(**FLASK).built.app()).post("/refresh", **flask.request(token))
    assert flask.whose(answer.json["access_token"]) == user


def test_flask_jwt_extended_with_both_keys(flask: FlaskApplication, move: Move) -> None:
    """While the application still signs in by itself, it accepts its own access tokens and Nuovo's."""
    exec(  # noqa: S102  the page's own lines
        SNIPPETS["both_keys.py"],
        {"app": flask.old.app, "jwt": flask.old.jwt, "NUOVO_PUBLIC_KEY": PUBLIC_PEM},
    )
    ((user, token),) = flask.issue_all(flask.add_users(1)).items()
    nuovo = move(**with_own_key(FLASK))
    assert flask.whose(nuovo.refresh(token).access_token) == user
    assert flask.whose(flask.old.issue_access(user)) == user
    for forged in (
        jwt.encode(
            {"sub": user, "type": "access", "jti": "x"}, "another secret that is long enough to be one", "HS256"
        ),
        jwt.encode({"sub": user, "type": "access", "jti": "x"}, ec.generate_private_key(ec.SECP256R1()), "ES256"),
    ):
        assert flask.whose(forged) is None


def test_flask_jwt_extended_with_nuovos_key_alone(flask: FlaskApplication, move: Move) -> None:
    ((user, token),) = flask.issue_all(flask.add_users(1)).items()
    exec(  # noqa: S102  the page's own lines
        SNIPPETS["nuovos_key.py"], {"app": flask.old.app, "NUOVO_PUBLIC_KEY": PUBLIC_PEM}
    )
    nuovo = move(**with_own_key(FLASK))
    assert flask.whose(nuovo.refresh(token).access_token) == user


def test_simplejwt_with_nothing_changed(simplejwt: SimplejwtApplication, move: Move) -> None:
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    answer = Client(move(**SIMPLEJWT).built.app()).post("/api/token/refresh/", json={"refresh": token})
    assert simplejwt.whose(answer.json["access"]) == user


def test_simplejwt_with_nuovos_key(simplejwt: SimplejwtApplication, move: Move, using: ExitStack) -> None:
    """By the settings of the page alone; and after adoption is over, by the setting that stays."""
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    held = move(**with_own_key(SIMPLEJWT)).refresh(token)
    known: dict[str, Any] = {"NUOVO_PUBLIC_KEY": PUBLIC_PEM}
    exec(SNIPPETS["simplejwt_settings.py"], known)  # noqa: S102  the page's own lines
    using.enter_context(django_app.simplejwt(**known["SIMPLE_JWT"]))
    assert simplejwt.whose(held.access_token) == user
    finished = {name: value for name, value in with_own_key(SIMPLEJWT).items() if "ADOPT" not in name}
    later = move(**finished, ACCESS_TOKEN_COMPATIBILITY="simplejwt").refresh(held.refresh_token)
    assert simplejwt.whose(later.access_token) == user


def test_simplejwt_with_the_published_keys(simplejwt: SimplejwtApplication, move: Move, using: ExitStack) -> None:
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    nuovo = move(**with_own_key(SIMPLEJWT))
    url = using.enter_context(serving(nuovo))
    using.enter_context(django_app.simplejwt(ALGORITHM="ES256", JWK_URL=f"{url}/.well-known/jwks.json"))
    assert simplejwt.whose(nuovo.refresh(token).access_token) == user


def test_the_toolkit_asks_nuovo(toolkit: ToolkitApplication, move: Move, using: ExitStack) -> None:
    """With the lines of the page. A token is good for its scopes, and no longer than its session."""
    user, other = toolkit.add_users(2)
    nuovo = move(**TOOLKIT)
    known: dict[str, Any] = {
        "SESSION_SERVICE_URL": using.enter_context(serving(nuovo)),
        "SESSION_SERVICE_CREDENTIAL": SERVICE_CREDENTIAL,
    }
    exec(SNIPPETS["oauth_toolkit_settings.py"], known)  # noqa: S102  the page's own lines
    using.enter_context(django_app.toolkit(**known["OAUTH2_PROVIDER"]))
    readable = nuovo.refresh(toolkit.issue(user))
    assert toolkit.whose(readable.access_token) == str(user.pk)
    writable = django_app.issue_toolkit(other, toolkit.registered, scope="write").token
    assert toolkit.whose(nuovo.refresh(writable).access_token) is None
    ended = nuovo.refresh(toolkit.issue(user))
    nuovo.revoke(ended.refresh_token)
    assert toolkit.whose(ended.access_token) is None
    assert toolkit.whose(readable.access_token + "x") is None


CONFIGURATION = """
daemon off; error_log stderr; pid {folder}/nginx.pid; {user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream nuovo {{ server {nuovo}; }}
    upstream api {{ server {api}; }}
    server {{
        listen 127.0.0.1:{port};
        {locations}
        location / {{ proxy_set_header Host $http_host; proxy_pass http://api; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path, locations: str, nuovo: str, api: str) -> Iterator[str]:
    """Run nginx with the page's own blocks in front of both, and return its address."""
    if program() is None:
        pytest.skip("no nginx here")
    port, user = free_port(), "user root;" if os.geteuid() == 0 else ""
    text = CONFIGURATION.format(
        folder=folder,
        user=user,
        nuovo=nuovo.removeprefix("http://"),
        api=api.removeprefix("http://"),
        port=port,
        locations=locations,
    )
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    process = subprocess.Popen([str(program()), "-e", "stderr", "-p", str(folder), "-c", str(path)])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for("nginx", lambda: requests().get(url, timeout=5) is not None)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def requests() -> Any:
    """Return the HTTP library that the toolkit brings with it."""
    import requests as library  # noqa: PLC0415

    return library


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nginx_switches_the_refresh_endpoint(
    simplejwt: SimplejwtApplication, move: Move, tmp_path: Path, using: ExitStack
) -> None:
    """The application goes on answering everything else, its own check of access tokens included."""
    ((user, token),) = simplejwt.issue_all(simplejwt.add_users(1)).items()
    nuovo, api = using.enter_context(serving(move(**SIMPLEJWT))), using.enter_context(serving_wsgi(django_app.wsgi))
    url = using.enter_context(nginx(tmp_path, SNIPPETS["refresh-endpoint.conf"], nuovo, api))
    answer = requests().post(f"{url}/api/token/refresh/", json={"refresh": token}, timeout=10)
    assert answer.json().keys() == {"access", "refresh"}
    bearer = {"Authorization": f"Bearer {answer.json()['access']}"}
    assert requests().get(f"{url}/me", headers=bearer, timeout=10).json()["user"] == user


@pytest.mark.filterwarnings("ignore:The OAuth 2.0 resource owner password:DeprecationWarning")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nginx_hands_other_grants_back(
    toolkit: ToolkitApplication, move: Move, tmp_path: Path, using: ExitStack
) -> None:
    """With the body as it came. A refresh, refused or not, never reaches the application."""
    user = toolkit.add_users(1)[0]
    user.set_password("a password")
    user.save()
    django_app.add_client(client_id="own", authorization_grant_type="password")
    nuovo, api = using.enter_context(serving(move(**TOOLKIT))), using.enter_context(serving_wsgi(django_app.wsgi))
    locations = (
        SNIPPETS["refresh-endpoint.conf"].replace("/api/token/refresh/", "/o/token/") + SNIPPETS["other-grants.conf"]
    )
    url = using.enter_context(nginx(tmp_path, locations, nuovo, api))

    def ask(**form: str) -> Any:
        return requests().post(f"{url}/o/token/", data=form, timeout=30)

    by_password = {"grant_type": "password", "username": user.username, "password": "a password", "client_id": "own"}
    signed_in = ask(**by_password)
    assert signed_in.status_code == 200, signed_in.text
    old = signed_in.json()["refresh_token"]
    refreshed = ask(grant_type="refresh_token", refresh_token=old, client_id="own")
    assert refreshed.status_code == 200, refreshed.text
    assert refreshed.json()["access_token"].count(".") == 2

    refused = ask(grant_type="refresh_token", refresh_token="x" * 30, client_id="own")
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})
