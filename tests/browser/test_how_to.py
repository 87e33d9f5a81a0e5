"""Every snippet of `docs/how-to`, executed."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import claims_of, cookies, open_app
from tests.browser.how_to import snippets, write_snippet
from tests.browser.programs import running
from tests.browser.site import Site
from tests.e2e.client import REFRESH_COOKIE, Answer, Client
from tests.e2e.nginx import Nginx
from tests.e2e.server import Nuovo, clean_environment
from tests.ports import free_port

USERS_PY = """
def check_password(name, password):
    return {("ada", "correct horse"): "ada", ("gone", "x"): "gone"}.get((name, password))
"""
USERS_JS = """
export const checkPassword = async (name, password) =>
  ({ "ada/correct horse": "ada", "gone/x": "gone" })[`${name}/${password}`] ?? null;
"""


def test_every_snippet_is_executed() -> None:
    """Each is named where a test runs it: here, among the judges, or where applications move in."""
    folders = [Path(__file__).parents[1] / name for name in ("browser", "judges", "moving")]
    tests = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py"))
    assert [name for name in snippets() if f'"{name}"' not in tests] == []


@pytest.fixture(params=["python", "node"])
def login(request: pytest.FixtureRequest, serve: Callable[..., Nuovo], tmp_path: Path) -> Iterator[Client]:
    """Run the login service of the page, in front of Nuovo."""
    nuovo, port = serve(), free_port()
    environment = {
        "SESSION_SERVICE_URL": nuovo.url,
        "SESSION_SERVICE_CREDENTIAL": nuovo.service_credential,
        "PORT": str(port),
    }
    if request.param == "python":
        folder = tmp_path
        (folder / "users.py").write_text(USERS_PY, encoding="utf-8")
        write_snippet("login.py", folder)
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "login:app"]
    else:
        folder = request.getfixturevalue("sources")
        (folder / "users.js").write_text(USERS_JS, encoding="utf-8")
        write_snippet("login.js", folder)
        command = [shutil.which("node") or "node", "login.js"]
    with running(command, port, folder, environment), Client(f"http://127.0.0.1:{port}") as client:
        yield client


def log_in(login: Client, name: str, password: str, media_type: str = "application/json") -> Answer:
    body = f'{{"name": "{name}", "password": "{password}"}}'.encode()
    headers = {"Content-Type": media_type, "User-Agent": "A browser"}
    return login.request("POST", "/login", headers=headers, body=body)


def test_a_login_service_starts_a_session_by_cookie(login: Client, serve: Callable[..., Nuovo]) -> None:
    answer = log_in(login, "ada", "correct horse")
    assert answer.status == 200
    assert list(orjson.loads(answer.body)) == ["access_token"]
    assert answer.headers["set-cookie"].startswith(f"{REFRESH_COOKIE}=")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert answer.headers["cache-control"] == "no-store"
    with Client(serve().url) as nuovo:
        refreshed = nuovo.refresh_by_cookie(answer.refresh_token)
        assert refreshed.status == 200
        devices = [session["device"] for session in nuovo.get("/sessions", refreshed.access_token).data["sessions"]]
        assert "A browser" in devices


@pytest.mark.parametrize(
    ("name", "password", "media_type", "status"),
    [
        ("ada", "wrong", "application/json", 401),
        ("gone", "x", "application/json", 403),
        ("ada", "correct horse", "text/plain", 415),
    ],
)
def test_a_login_service_refuses(login: Client, name: str, password: str, media_type: str, status: int) -> None:
    """A wrong password, a user whom Nuovo does not know, a form of another site."""
    answer = log_in(login, name, password, media_type)
    assert answer.status == status
    assert "set-cookie" not in answer.headers


def test_a_program_keeps_its_refresh_token_in_a_file(serve: Callable[..., Nuovo], tmp_path: Path) -> None:
    nuovo, store = serve(replay_grace="0"), tmp_path / "token"
    with Client(nuovo.url) as client:
        store.write_text(client.sign_in(nuovo.service_credential, "ada").refresh_token, encoding="utf-8")
    write_snippet("device.py", tmp_path)
    script = f"import pathlib, device; print(device.refresh({nuovo.url!r}, pathlib.Path('token')))"
    for generation in (2, 3):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=clean_environment(),
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert claims_of(done.stdout)["type"] == "access"
        assert claims_of(store.read_text(encoding="utf-8"))["gen"] == generation
    assert store.stat().st_mode & 0o077 == 0


def fill_in(page: Page) -> None:
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()


def use_the_application(page: Page, context: BrowserContext) -> None:
    """Sign in, reload, open a second tab, log out in it."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    fill_in(page)
    expect(page.get_by_text("Hello, ada!")).to_be_visible()
    assert len(cookies(context)) == 1
    page.reload()
    expect(page.get_by_text("Hello, ada!")).to_be_visible()
    second = context.new_page()
    second.goto(page.url)
    expect(second.get_by_text("Hello, ada!")).to_be_visible()
    second.get_by_role("button", name="Log out").click()
    for tab in (page, second):
        expect(tab.get_by_role("button", name="Sign in")).to_be_visible()
    fill_in(page)
    for tab in (page, second):
        expect(tab.get_by_text("Hello, ada!")).to_be_visible()
    assert errors == []


def test_the_frontend_without_a_framework(context: BrowserContext, site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/": write_snippet("index.html", tmp_path).read_text(encoding="utf-8"),
        "/app.js": write_snippet("app.js", tmp_path).read_text(encoding="utf-8"),
    }
    use_the_application(open_app(context, site), context)


def test_the_frontend_with_react(
    context: BrowserContext, site: Site, sources: Path, open_bundle: Callable[[Path], Page]
) -> None:
    (sources / "src").mkdir()
    copy = write_snippet("copy-client.sh", sources, **{"https://app.example.org": site.url})
    subprocess.run(["bash", "-e", copy], cwd=sources, check=True)
    write_snippet("session.js", sources / "src")
    page = open_bundle(write_snippet("app.jsx", sources / "src"))
    page.get_by_role("button", name="Log out").click()
    use_the_application(page, context)


def test_the_page_of_devices(context: BrowserContext, browser: Browser, site: Site, tmp_path: Path) -> None:
    site.pages |= {
        "/devices": write_snippet("devices.html", tmp_path).read_text(encoding="utf-8"),
        "/devices.js": write_snippet("devices.js", tmp_path).read_text(encoding="utf-8"),
    }
    others = [browser.new_context() for _ in range(3)]
    for person in (context, *others):
        open_app(person, site, "/blank").evaluate("fetch('/login', { method: 'POST' })")
    page = open_app(context, site, "/devices")
    mine = page.get_by_role("listitem")
    expect(mine.filter(has_text="(this one)")).to_have_count(1)
    before = mine.count()
    assert before >= 4
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(mine).to_have_count(before - 1)
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(mine).to_have_count(1)
    expect(mine).to_contain_text("(this one)")
    for person in others:
        assert (
            open_app(person, site, "/blank").evaluate(
                "fetch('/refresh_token', { method: 'POST' }).then(({ status }) => status)"
            )
            == 401
        )
        person.close()
    page.reload()
    expect(mine).to_contain_text("(this one)")


def test_developing_with_vite(context: BrowserContext, serve: Callable[..., Nuovo], site: Site, sources: Path) -> None:
    """The application of the React page, from its sources, with an origin of Vite's."""
    (sources / "src").mkdir()
    copy = write_snippet("copy-client.sh", sources, **{"https://app.example.org": serve().url})
    subprocess.run(["bash", "-e", copy], cwd=sources, check=True)
    types = write_snippet("copy-types.sh", sources, **{"https://app.example.org": serve().url})
    subprocess.run(["bash", "-e", types], cwd=sources, check=True)
    assert "export declare function createSession" in (sources / "src" / "nuovo-client.d.ts").read_text("utf-8")
    write_snippet("session.js", sources / "src")
    write_snippet("app.jsx", sources / "src")
    page = '<!doctype html><title>App</title><div id="app"></div><script type="module" src="/src/app.jsx"></script>'
    (sources / "index.html").write_text(page, encoding="utf-8")
    upstreams = f"[{urlsplit(serve().url).port}, {site.port}, {site.port}]"
    write_snippet("vite.config.js", sources, **{"[8000, 8001, 8002]": upstreams})
    port = free_port()
    vite = [str(sources.parents[1] / "node_modules" / ".bin" / "vite"), "--port", str(port), "--host", "127.0.0.1"]
    with running([*vite, "--strictPort"], port, sources):
        tab = context.new_page()
        tab.goto(f"http://localhost:{port}")
        use_the_application(tab, context)


@pytest.fixture
def proxied(serve: Callable[..., Nuovo], tmp_path: Path, site: Site) -> Iterator[str]:
    """Run the whole arrangement of the page: nginx, the application's files, its login, its API and Nuovo."""
    login_port = free_port()
    (tmp_path / "app").mkdir()
    write_snippet("index.html", tmp_path / "app")
    write_snippet("app.js", tmp_path / "app")
    (tmp_path / "users.py").write_text(USERS_PY, encoding="utf-8")
    write_snippet("login.py", tmp_path)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "certificate.key"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *subject, "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    nuovo = serve()
    upstream = urlsplit(nuovo.url).netloc
    proxy = Nginx(
        tmp_path,
        nuovo=(upstream, upstream),
        replaced={
            "127.0.0.1:8001": f"127.0.0.1:{login_port}",
            "127.0.0.1:8002": f"127.0.0.1:{site.port}",
            "client_body_timeout 10s": "client_body_timeout 1s",
        },
        tls=(certificate, key),
    )
    environment = {"SESSION_SERVICE_URL": nuovo.url, "SESSION_SERVICE_CREDENTIAL": nuovo.service_credential}
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{login_port}", "login:app"]
    with ExitStack() as stack:
        stack.enter_context(running(gunicorn, login_port, tmp_path, environment))
        stack.enter_context(proxy)
        yield f"localhost:{proxy.public}"


class Visitor:
    """A client of nginx that chooses its own headers."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._trust = ssl.create_default_context()
        self._trust.check_hostname = False
        self._trust.verify_mode = ssl.CERT_NONE

    def socket(self) -> ssl.SSLSocket:
        host, _, port = self.address.partition(":")
        return self._trust.wrap_socket(socket.create_connection((host, int(port)), timeout=30))

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        connection = HTTPSConnection(self.address, context=self._trust, timeout=30)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return Answer(
            status=answer.status, headers={name.lower(): value for name, value in answer.getheaders()}, body=content
        )

    def log_in(self) -> str:
        """Return the refresh token of the cookie."""
        body = b'{"name": "ada", "password": "correct horse"}'
        answer = self.request("POST", "/login", {"Content-Type": "application/json"}, body)
        assert answer.status == 200
        return answer.refresh_token


@pytest.fixture
def visitor(proxied: str) -> Visitor:
    return Visitor(proxied)


def test_behind_nginx_the_whole_application_works(browser: Browser, proxied: str) -> None:
    """Over TLS, with one origin for the application, its login, its API and Nuovo."""
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"https://{proxied}/")
    use_the_application(page, context)
    context.close()


def test_nginx_passes_the_host_on(visitor: Visitor) -> None:
    """A browser without `Sec-Fetch-Site` is recognised by an `Origin` that is this host, port included."""
    cookie = {"Cookie": f"{REFRESH_COOKIE}={visitor.log_in()}"}
    own = visitor.request("POST", "/refresh_token", cookie | {"Origin": f"https://{visitor.address}"})
    assert own.status == 200
    other = visitor.request("POST", "/refresh_token", cookie | {"Origin": "https://localhost"})
    assert other.status == 403


def test_nginx_passes_nuovos_answers_on(visitor: Visitor) -> None:
    answer = visitor.request("POST", "/refresh_token")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="nuovo"'
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])  # nginx's own, in both logs
    assert visitor.request("GET", "/client.js").headers["content-type"].startswith("text/javascript")
    assert visitor.request("GET", "/docs").status == 200


@pytest.mark.parametrize("path", ["/refresh_token", "/revoke_token", "/refresh_token/", "/revoke_token?a=b"])
def test_nginx_redirects_no_post(visitor: Visitor, path: str) -> None:
    assert visitor.request("POST", path).status in (401, 405)


def test_nginx_keeps_the_start_of_sessions_inside(visitor: Visitor, serve: Callable[..., Nuovo]) -> None:
    headers = {"Authorization": f"Bearer {serve().service_credential}", "Content-Type": "application/json"}
    assert visitor.request("POST", "/sessions", headers, b'{"user_id": "ada"}').status == 403
    assert visitor.request("POST", "/sessions/", headers, b'{"user_id": "ada"}').status == 403
    assert visitor.request("GET", "/sessions").status == 401  # Nuovo's answer
    assert visitor.request("GET", "/health/ready").headers["content-type"] == "text/html"  # the application's


def test_stalled_clients_hold_nobody_up_and_are_cut_off(visitor: Visitor) -> None:
    """More of them than Nuovo has workers: nginx waits for their requests, and not for long."""
    token = visitor.log_in()
    half = b"POST /refresh_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf of the"
    with ExitStack() as stack:
        stalled = [stack.enter_context(visitor.socket()) for _ in range(12)]
        for connection in stalled:
            connection.sendall(half)
        headers = {"Cookie": f"{REFRESH_COOKIE}={token}", "Sec-Fetch-Site": "same-origin"}
        assert visitor.request("POST", "/refresh_token", headers).status == 200
        for connection in stalled:
            assert connection.recv(1000) == b""
