"""An application built from the how-to pages alone, and what its users live through.

Two machines: one has Nuovo, nginx, the login service and the table of users; the other has the API, which is told the
public address and nothing else.
"""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, HTTPSHandler, Request, build_opener

import orjson
import pytest

from tests.browser.how_to import write_snippet
from tests.browser.programs import running
from tests.e2e.server import SCRIPTS, clean_environment
from tests.judges.apis import KINDS, serving
from tests.judges.authority import AUDIENCE, Authority
from tests.ports import free_port

LOGIN_SERVICE = ("users.py", "login.py", "ending.py", "password.py", "lock.py")
PASSWORDS = {"ada": "correct horse", "bob": "battery staple"}


@dataclass
class Application:
    """What runs, seen from its users and from who looks after it."""

    issuer: str
    trust: Path
    folder: Path
    environment: dict[str, str]

    def operate(self, statement: str) -> str:
        """Run Python where the login service runs, as its operator does, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", statement],
            cwd=self.folder,
            env=clean_environment() | self.environment,
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return done.stdout.strip()

    def device(self, name: str) -> "Device":
        return Device(self, name)


@dataclass
class Device:
    """A browser: a cookie jar that no page sees, and an access token in the memory of a page."""

    application: Application
    name: str
    access_token: str = ""
    cookies: CookieJar = field(default_factory=CookieJar)

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the application's own origin, as a page of it does, and return status and body."""
        headers = {"User-Agent": self.name, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
        if self.access_token:
            headers["Authorization"] = f"Bearer {self.access_token}"
        data = None if body is None else orjson.dumps(body)
        request = Request(self.application.issuer + path, data, headers, method=method)  # noqa: S310  HTTPS
        trust = ssl.create_default_context(cafile=self.application.trust)
        opener = build_opener(HTTPSHandler(context=trust), HTTPCookieProcessor(self.cookies))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, orjson.loads(answer.read())
        except HTTPError as refused:
            with refused:
                return refused.code, None

    def log_in(self, user: str, password: str) -> int:
        """Sign in, and return the status."""
        self.access_token = ""
        status, body = self.request("POST", "/login", {"name": user, "password": password})
        if status == 200:
            self.access_token = body["access_token"]
        return status

    def refresh(self) -> int:
        """Do what the client does when an access token has run out, and return the status."""
        self.access_token = ""
        status, body = self.request("POST", "/refresh_token")
        if status == 200:
            self.access_token = body["data"]["access_token"]
        return status

    def change_password(self, old: str, new: str) -> tuple[int, Any]:
        return self.request("POST", "/login/password", {"old": old, "new": new})

    @property
    def devices(self) -> list[str]:
        """Where the user is signed in, the present device last."""
        _, body = self.request("GET", "/sessions")
        sessions = sorted(body["data"]["sessions"], key=lambda session: session["current"])
        return [session["device"] for session in sessions]


@pytest.fixture(scope="module")
def application(establish: Callable[..., Authority], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """Set the application up as the pages say."""
    ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
    for name in LOGIN_SERVICE:
        write_snippet(name, ours)
    users, key = ours / "users.sqlite3", write_snippet("access-token-key.sh", ours)
    environment = {"USERS_FILE": str(users), "PATH": f"{SCRIPTS}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", key], cwd=ours, env=clean_environment() | environment, check=True)
    assert (ours / "access-token-key.pem").stat().st_mode & 0o077 == 0
    set_up = Application(issuer="", trust=ours, folder=ours, environment=environment)
    set_up.operate(f"import users; users.add_user('ada', {PASSWORDS['ada']!r}, 'admin')")
    set_up.operate(f"import users; users.add_user('bob', {PASSWORDS['bob']!r}, 'member')")

    written = write_snippet("roles.env", ours, **{"/srv/app/users.sqlite3": str(users)})
    settings = dict(line.split("=", 1) for line in written.read_text(encoding="utf-8").splitlines())
    settings |= {"NUOVO_ACCESS_TOKEN_KEY_FILE": str(ours / "access-token-key.pem"), "NUOVO_REPLAY_GRACE": "30s"}
    login_port, api_port = free_port(), free_port()
    ports = {"127.0.0.1:8001": f"127.0.0.1:{login_port}", "127.0.0.1:8002": f"127.0.0.1:{api_port}"}
    authority = establish(settings, ports)
    environment |= {
        "SESSION_SERVICE_URL": authority.inner_url,
        "SESSION_SERVICE_CREDENTIAL": authority.service_secret,
        "ISSUER": authority.issuer,
        "AUDIENCE": AUDIENCE,
    }
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", f"127.0.0.1:{login_port}"]
    with ExitStack() as stack:
        stack.enter_context(running([*gunicorn, "password:app"], login_port, ours, environment))
        stack.enter_context(serving(KINDS["FastAPI, PyJWT"], authority, theirs, port=api_port))
        yield Application(issuer=authority.issuer, trust=authority.trust, folder=ours, environment=environment)


def test_who_has_which_role_may_do_what(application: Application) -> None:
    """And a role that changes counts from the next refresh on."""
    ada, bob = application.device("Ada's laptop"), application.device("Bob's laptop")
    assert ada.log_in("ada", "wrong") == 401
    assert ada.log_in("ada", PASSWORDS["ada"]) == 200
    assert bob.log_in("bob", PASSWORDS["bob"]) == 200
    assert ada.request("GET", "/api/me") == (200, {"user": "ada", "role": "admin"})
    assert bob.request("GET", "/api/me") == (200, {"user": "bob", "role": "member"})
    assert ada.request("GET", "/api/reports")[0] == 200
    assert bob.request("GET", "/api/reports")[0] == 403
    application.operate("import users; users.set_role('bob', 'admin')")
    assert bob.refresh() == 200
    assert bob.request("GET", "/api/reports")[0] == 200
    application.operate("import users; users.set_role('bob', 'member')")
    assert bob.refresh() == 200
    assert bob.request("GET", "/api/reports")[0] == 403


def test_a_user_sees_devices_and_signs_out_everywhere_else(application: Application) -> None:
    laptop, phone, here = (application.device(name) for name in ("laptop", "phone", "here"))
    for device in (laptop, phone, here):
        assert device.log_in("bob", PASSWORDS["bob"]) == 200
    assert here.devices[-1] == "here"
    assert {"laptop", "phone"} <= set(here.devices)
    assert here.request("DELETE", "/sessions?except=current")[0] == 200
    assert here.devices == ["here"]
    assert [device.refresh() for device in (laptop, phone, here)] == [401, 401, 200]


def test_a_changed_password_signs_everybody_else_out(application: Application) -> None:
    thief, here = application.device("thief"), application.device("here")
    for device in (thief, here):
        assert device.log_in("ada", PASSWORDS["ada"]) == 200
    assert application.device("nobody").change_password(PASSWORDS["ada"], "x") == (401, None)
    assert here.change_password("wrong", "x") == (403, None)
    assert thief.refresh() == 200
    others = len(here.devices) - 1
    assert others >= 1
    assert here.change_password(PASSWORDS["ada"], "new horse") == (200, {"ended": others})
    assert thief.refresh() == 401
    assert thief.log_in("ada", PASSWORDS["ada"]) == 401
    assert here.refresh() == 200
    assert here.request("GET", "/api/me")[0] == 200
    assert here.devices == ["here"]
    assert here.change_password("new horse", PASSWORDS["ada"]) == (200, {"ended": 0})


def test_a_locked_user_is_out_and_an_unlocked_one_signs_in_anew(application: Application) -> None:
    device = application.device("phone")
    assert device.log_in("bob", PASSWORDS["bob"]) == 200
    live = len(device.devices)
    assert application.operate("import lock; print(lock.lock('bob'))") == str(live)
    assert device.refresh() == 401
    assert device.log_in("bob", PASSWORDS["bob"]) == 403
    application.operate("import lock; lock.unlock('bob')")
    assert device.refresh() == 401
    assert device.log_in("bob", PASSWORDS["bob"]) == 200
    assert device.request("GET", "/api/me")[0] == 200


def test_a_disabled_user_goes_on_when_enabled_again(application: Application) -> None:
    """What `lock` is for: disabling alone only suspends."""
    asking, silent = application.device("phone"), application.device("laptop")
    for device in (asking, silent):
        assert device.log_in("bob", PASSWORDS["bob"]) == 200
    application.operate("import users; users.set_active('bob', False)")
    assert asking.refresh() == 401
    application.operate("import users; users.set_active('bob', True)")
    assert asking.refresh() == 401  # its cookie is gone
    assert silent.refresh() == 200


@pytest.mark.node
def test_the_page_changes_a_password(application: Application, tmp_path: Path) -> None:
    device = application.device("here")
    assert device.log_in("ada", PASSWORDS["ada"]) == 200
    write_snippet("password.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    script = tmp_path / "page.js"
    script.write_text(
        """
        import { changePassword } from "./password.js";
        const { ISSUER, TOKEN, OLD, NEW } = process.env;
        const authorization = { Authorization: `Bearer ${TOKEN}` };
        const session = {
          fetch: (path, init) => fetch(ISSUER + path, { ...init, headers: { ...init.headers, ...authorization } }),
        };
        console.log(await changePassword(session, OLD, NEW));
        """,
        encoding="utf-8",
    )

    def change(old: str, new: str) -> subprocess.CompletedProcess[str]:
        told = {"ISSUER": application.issuer, "NODE_EXTRA_CA_CERTS": str(application.trust)}
        environment = {**clean_environment(), **told, "TOKEN": device.access_token, "OLD": old, "NEW": new}
        return subprocess.run(
            ["node", script], env=environment, check=False, capture_output=True, text=True, encoding="utf-8"
        )

    others = len(device.devices) - 1
    assert "The password was not changed." in change("wrong", "new horse").stderr
    assert change(PASSWORDS["ada"], "new horse").stdout == f"{others}\n"
    assert change("new horse", PASSWORDS["ada"]).stdout == "0\n"


def test_logging_out_ends_the_session(application: Application) -> None:
    device = application.device("phone")
    assert device.log_in("ada", PASSWORDS["ada"]) == 200
    device.access_token = ""  # the cookie alone, as the client has it
    assert device.request("POST", "/revoke_token")[0] == 200
    assert device.refresh() == 401
