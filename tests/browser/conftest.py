"""A real browser in front of the real service. Without one there is nothing to test here."""

import os
import shutil
import subprocess
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.browser.site import Site
from tests.e2e.nginx import program as nginx
from tests.e2e.server import NUOVO, Nuovo
from tests.left_out import LeftOut

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

# Playwright has an environment of its own (`tox -e browser`); in every other one there is nothing here to collect.
collect_ignore_glob = [] if find_spec("playwright") else ["test_*.py"]

COOKIE = "__Host-refresh_token"
_BUNDLE_PAGE = """<!doctype html><title>App</title><link rel="icon" href="data:,">
<div id="app"></div><script type="module" src="/bundle.js"></script>"""
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_ARGUMENTS = [
    "--no-sandbox",  # in containers there is none to be had
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _chromium() -> str | None:
    """Return the browser of NUOVO_TEST_CHROMIUM, or the system's, or `None`."""
    return os.environ.get("NUOVO_TEST_CHROMIUM") or next(filter(None, map(shutil.which, (*_NAMES, _MAC))), None)


def _absent() -> dict[str, str]:
    """Return the fixtures that cannot be had here, each with the reason."""
    reasons = {
        "chromium": None if _chromium() else "no Chromium here; install one, or name it in NUOVO_TEST_CHROMIUM",
        "node_modules": None if shutil.which("npm") else "no npm here",
        "proxied": None if nginx() and shutil.which("openssl") else "no nginx or no openssl here",
    }
    return {fixture: reason for fixture, reason in reasons.items() if reason}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LeftOut(Path(__file__).parent, _absent()))


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the browser's program."""
    found = _chromium()
    assert found is not None, "tests that need it are left out without it"
    return found


@pytest.fixture(scope="session")
def launch(chromium: str) -> Iterator[Callable[..., Any]]:
    """Start a browser, or with a `profile` the one person's of that folder; keywords are those of Playwright."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  here it is sure to be there

    with sync_playwright() as playwright:
        browsers: list[Browser | BrowserContext] = []

        def start(profile: Path | None = None, **options: Any) -> "Browser | BrowserContext":
            options |= {"executable_path": chromium, "args": [*_ARGUMENTS, *options.get("args", ())]}
            if profile is None:
                browsers.append(playwright.chromium.launch(**options))
            else:
                browsers.append(playwright.chromium.launch_persistent_context(profile, **options))
            return browsers[-1]

        yield start
        for browser in browsers:
            browser.close()


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Any]) -> "Browser":
    browser: Browser = launch()
    return browser


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    """Open a browser of one person: its own cookies, and any number of tabs."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Nuovo]]:
    """Start a service of its own on SQLite; keywords are settings. The same settings give the same service."""
    started: dict[tuple[tuple[str, str], ...], Nuovo] = {}

    def start(**settings: str) -> Nuovo:
        key = tuple(sorted(settings.items()))
        if key not in started:
            folder = tmp_path_factory.mktemp("nuovo")
            environment = {f"NUOVO_{name.upper()}": value for name, value in settings.items()}
            nuovo = Nuovo(folder, f"sqlite:///{folder}/nuovo.sqlite3", environment=environment)
            started[key] = nuovo.prepare().start()
        return started[key]

    yield start
    for nuovo in started.values():
        nuovo.kill()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `nuovo serve --demo`, and return its address. It is asked to stop, so that it deletes its own folder."""
    nuovo = Nuovo(tmp_path_factory.mktemp("demo"), "sqlite://")
    nuovo.start(command=(str(NUOVO), "serve", "--demo", "--bind", "127.0.0.1:0"))
    yield nuovo.url.replace("127.0.0.1", "localhost")
    nuovo.stop()


@pytest.fixture
def site(serve: Callable[..., Nuovo]) -> Iterator[Site]:
    """Run an application and Nuovo with its default settings, on one origin."""
    with Site(nuovo=serve()) as site:
        yield site


@pytest.fixture
def page(context: "BrowserContext", site: Site) -> "Page":
    """Open a tab of the application, signed in."""
    page = open_app(context, site)
    sign_in(page)
    return page


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the pinned packages of npm, which nothing but these tests uses."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here")  # for a test that asks for this fixture in one case of several
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(Path(__file__).with_name(name), folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        pytest.skip(f"npm could not install: {done.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.fixture
def sources(node_modules: Path, request: pytest.FixtureRequest) -> Path:
    """Make an empty folder in which packages of npm are found."""
    folder = node_modules / "sources" / str(request.node.name).replace("/", "-")
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def open_bundle(sources: Path, context: "BrowserContext", site: Site) -> Callable[[Path], "Page"]:
    """Bundle a module with esbuild and open it as the application, signed in."""

    def bundle(entry: Path) -> "Page":
        esbuild = sources.parents[1] / "node_modules" / ".bin" / "esbuild"
        done = subprocess.run(
            [
                esbuild,
                entry,
                "--bundle",
                "--format=esm",
                "--jsx=automatic",
                '--define:process.env.NODE_ENV="development"',
            ],
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        site.pages |= {"/": _BUNDLE_PAGE, "/bundle.js": done.stdout}
        page = context.new_page()
        page.goto(f"{site.url}/blank")
        page.evaluate("fetch('/login', { method: 'POST' })")
        page.goto(site.url)
        return page

    return bundle


def open_app(context: "BrowserContext", site: Site, path: str = "/") -> "Page":
    page = context.new_page()
    page.goto(site.url + path)
    return page


def sign_in(page: "Page") -> None:
    """Sign in, in a page of the application."""
    page.evaluate(
        """async () => {
          const { access_token: token } = await (await fetch("/login", { method: "POST" })).json();
          session.start(token);
        }"""
    )


def cookies(context: "BrowserContext") -> list[dict[str, Any]]:
    """All refresh cookies that the browser holds, whatever their host."""
    return [dict(cookie) for cookie in context.cookies() if "refresh_token" in cookie["name"]]


def the_cookie(context: "BrowserContext") -> dict[str, Any]:
    (cookie,) = cookies(context)
    return cookie


def generation(context: "BrowserContext") -> int:
    """Of the refresh token in the browser's cookie."""
    return int(claims_of(the_cookie(context)["value"])["gen"])


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JWT, unverified."""
    part = token.split(".")[1]
    claims: dict[str, Any] = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
