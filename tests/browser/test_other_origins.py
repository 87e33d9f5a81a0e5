"""Pages of other origins, in the browser of somebody who is signed in.

`localhost` on another port is another origin of the same site: browsers send it the SameSite=Strict cookie, so only
Nuovo's own guard refuses. `127.0.0.1` is another site: the cookie stays at home, unless it is SameSite=None.
"""

from collections.abc import Callable, Iterator

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import cookies, generation, open_app, sign_in, the_cookie
from tests.browser.site import BLANK, Site
from tests.e2e.server import Nuovo, wait_for

PATHS = ["/refresh_token", "/revoke_token"]
SAME_SITE, OTHER_SITE = "localhost", "127.0.0.1"

ATTACKS = {
    "a form": """(url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: url });
      document.body.append(form);
      form.submit();
    }""",
    "a form that looks like JSON": """(url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: url, enctype: "text/plain" });
      const input = Object.assign(document.createElement("input"), { name: '{"a":"', value: '"}' });
      form.append(input);
      document.body.append(form);
      form.submit();
    }""",
    "a form in a new tab": """(url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "POST", action: url, target: "_blank" });
      document.body.append(form);
      form.submit();
    }""",
    "fetch with credentials": """(url) => {
      fetch(url, { method: "POST", credentials: "include" }).catch(() => {});
    }""",
    "fetch without CORS": """(url) => {
      fetch(url, { method: "POST", credentials: "include", mode: "no-cors" }).catch(() => {});
    }""",
    "a Blob": """(url) => {
      const body = new Blob(["{}"]);
      fetch(url, { method: "POST", credentials: "include", mode: "no-cors", body }).catch(() => {});
    }""",
    "a beacon": """(url) => { navigator.sendBeacon(url, new Blob(["{}"])); }""",
    "a form in an iframe": """(url) => {
      const [frame, form] = [document.createElement("iframe"), document.createElement("form")];
      frame.name = "inside";
      Object.assign(form, { method: "POST", action: url, target: "inside" });
      document.body.append(frame, form);
      form.submit();
    }""",
    "a sandboxed iframe": """(url) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts allow-forms";
      frame.srcdoc = `<form method="POST" action="${url}"></form><script>document.forms[0].submit()</script>`;
      document.body.append(frame);
    }""",
}


@pytest.fixture(scope="module")
def obliging(launch: Callable[..., BrowserContext], tmp_path_factory: pytest.TempPathFactory) -> BrowserContext:
    """Start a browser that sends cookies from other sites' pages, as Chromium by default does no more."""
    profile = tmp_path_factory.mktemp("profile")
    preferences = profile / "Default" / "Preferences"
    preferences.parent.mkdir()
    preferences.write_bytes(orjson.dumps({"profile": {"cookie_controls_mode": 0}}))
    return launch(profile)


@pytest.fixture
def context(obliging: BrowserContext) -> Iterator[BrowserContext]:
    """Return the browser that helps attackers most, without cookies and with one empty tab."""
    yield obliging
    for page in obliging.pages[1:]:
        page.close()
    obliging.clear_cookies()


@pytest.fixture(params=["Strict", "None"])
def victim(request: pytest.FixtureRequest, serve: Callable[..., Nuovo]) -> Iterator[Site]:
    """Run the application, and Nuovo with the strictest cookie and with the one that every site's request carries."""
    with Site(nuovo=serve(cookie_same_site=request.param)) as site:
        yield site


@pytest.fixture(scope="module")
def foreign() -> Iterator[Site]:
    """Serve pages under other origins than the application's."""
    with Site(pages={"/": BLANK}) as site:
        yield site


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_whatever_another_origin_sends_is_refused_and_leaves_the_session_alone(
    context: BrowserContext, victim: Site, foreign: Site, attack: str
) -> None:
    page = open_app(context, victim)
    sign_in(page)
    before = the_cookie(context)
    for host in (SAME_SITE, OTHER_SITE):
        for path in PATHS:
            victim.requests.clear()
            evil = context.new_page()
            evil.goto(foreign.url_on(host))
            evil.evaluate(ATTACKS[attack], victim.url + path)
            wait_for("the attack's end", lambda path=path: victim.answers(path))  # type: ignore[misc]
            (request,) = [request for request in victim.requests if request.path == path]
            assert request.has_cookie or host == OTHER_SITE or "sandboxed" in attack
            # Without the cookie there is nothing to refuse: no token came.
            assert request.status == (403 if request.has_cookie else 401)
    assert the_cookie(context) == before
    assert page.evaluate("session.refresh()").count(".") == 2
    assert generation(context) == 2


@pytest.mark.parametrize("host", [SAME_SITE, OTHER_SITE])
def test_an_origin_that_is_not_allowed_reads_nothing(
    context: BrowserContext, victim: Site, foreign: Site, host: str
) -> None:
    sign_in(open_app(context, victim))
    evil = context.new_page()
    evil.goto(foreign.url_on(host))
    for path, method in [("/refresh_token", "POST"), ("/sessions", "GET"), ("/health/live", "GET")]:
        outcome = evil.evaluate(
            "([url, method]) => fetch(url, { method, credentials: 'include' }).then((r) => r.status, (e) => e.name)",
            [victim.url + path, method],
        )
        assert outcome == "TypeError"


@pytest.mark.parametrize("host", [SAME_SITE, OTHER_SITE])
def test_a_preflight_of_an_origin_that_is_not_allowed_is_the_end(
    context: BrowserContext, victim: Site, foreign: Site, host: str
) -> None:
    """A header of its own makes the browser ask first, and the request itself is never sent."""
    sign_in(open_app(context, victim))
    evil = context.new_page()
    evil.goto(foreign.url_on(host))
    outcome = evil.evaluate(
        """(url) => fetch(url, { method: "POST", credentials: "include", headers: { "X-Request-ID": "a" } })
          .then((r) => r.status, (e) => e.name)""",
        f"{victim.url}/refresh_token",
    )
    assert outcome == "TypeError"
    assert [r.method for r in victim.requests if r.path == "/refresh_token"] == ["OPTIONS"]


@pytest.mark.parametrize("path", ["/docs", "/demo"])
def test_pages_of_the_service_are_framed_by_nobody(
    context: BrowserContext, demo: str, foreign: Site, path: str
) -> None:
    page = context.new_page()
    page.goto(foreign.url)
    with page.expect_event("requestfailed") as failed:
        page.evaluate(
            "(url) => { document.body.append(Object.assign(document.createElement('iframe'), { src: url })); }",
            demo + path,
        )
    assert failed.value.failure == "net::ERR_BLOCKED_BY_RESPONSE"


@pytest.mark.parametrize("host", [SAME_SITE, OTHER_SITE])
@pytest.mark.parametrize("body", ["form", "json"])
def test_the_demos_sign_in_is_for_its_own_page(
    context: BrowserContext, demo: str, foreign: Site, host: str, body: str
) -> None:
    """Otherwise any site could sign its visitors in here (login CSRF)."""
    page = context.new_page()
    page.goto(foreign.url_on(host))
    script = {
        "form": ATTACKS["a form in an iframe"],
        "json": """(url) => fetch(url, {
          method: "POST", mode: "no-cors", credentials: "include", body: '{"transport":"cookie"}',
        }).catch(() => {})""",
    }
    with page.expect_event("response", lambda response: response.url.endswith("/sign_in")) as answer:
        page.evaluate(script[body], demo + "/demo/sign_in")
    assert answer.value.status == 403
    assert cookies(context) == []


@pytest.fixture(params=[("Strict", SAME_SITE), ("None", OTHER_SITE)], ids=["same site", "other site"])
def allowed(
    request: pytest.FixtureRequest, serve: Callable[..., Nuovo], context: BrowserContext, foreign: Site
) -> Iterator[Page]:
    """Open a page of another origin that is allowed, in a browser with a session."""
    same_site, host = request.param
    nuovo = serve(cookie_same_site=same_site, allowed_origins=foreign.url_on(host))
    with Site(nuovo=nuovo) as site:
        sign_in(open_app(context, site))
        page = context.new_page()
        page.goto(foreign.url_on(host))
        page.evaluate(
            """async (baseUrl) => {
              const { createSession } = await import(`${baseUrl}/client.js`);
              Object.assign(window, { baseUrl, session: createSession({ baseUrl }), events: [] });
              session.addEventListener("ended", ({ detail }) => events.push(detail.reason));
            }""",
            site.url,
        )
        yield page


def test_an_allowed_origin_refreshes_lists_and_logs_out(allowed: Page, context: BrowserContext) -> None:
    """With `client.js` from Nuovo's origin, and preflights for the `Authorization` header."""
    assert allowed.evaluate("session.refresh()").count(".") == 2
    assert generation(context) == 2
    (mine,) = [entry for entry in allowed.evaluate("session.listSessions()") if entry["current"]]
    assert mine["device"] == "Browser"
    assert allowed.evaluate("(async () => (await session.fetch(`${baseUrl}/sessions`)).status)()") == 200
    allowed.evaluate("session.logout()")
    assert cookies(context) == []
    assert allowed.evaluate("events") == ["logout"]


def test_an_allowed_origin_ends_sessions(allowed: Page, context: BrowserContext) -> None:
    """DELETE needs a preflight, and takes the cookie of the own session along."""
    allowed.evaluate(
        """async () => {
          const own = (await session.listSessions()).find((each) => each.current);
          await session.endSession(own.id);
        }"""
    )
    assert cookies(context) == []


def test_an_allowed_origin_reads_errors(allowed: Page) -> None:
    """A page must learn why it was refused, and the header that says when to come back."""
    answer = allowed.evaluate(
        """async () => {
          const response = await fetch(`${baseUrl}/sessions`, { headers: { Authorization: "Bearer x.y.z" } });
          return { ...(await response.json()), id: response.headers.get("X-Request-ID") };
        }"""
    )
    assert answer.pop("id")
    assert answer == {"status": "error", "code": 401, "message": "Invalid access token."}
    assert allowed.evaluate("fetch(`${baseUrl}/nowhere`).then((response) => response.status)") == 404


def test_an_allowed_origin_learns_the_servers_time(allowed: Page) -> None:
    """The client reckons with the `Date` header where it is exposed."""
    allowed.evaluate("session.refresh()")
    assert allowed.evaluate("fetch(`${baseUrl}/health/live`).then((r) => r.headers.get('Date'))")


def test_a_browser_that_blocks_cookies_of_other_sites_needs_one_site(
    browser: Browser, serve: Callable[..., Nuovo], foreign: Site
) -> None:
    """Why the how-to pages advise one origin: what is allowed here and SameSite=None may still be blocked there."""
    nuovo = serve(cookie_same_site="None", allowed_origins=foreign.url_on(OTHER_SITE))
    context = browser.new_context()
    with Site(nuovo=nuovo) as site:
        sign_in(open_app(context, site))
        page = context.new_page()
        page.goto(foreign.url_on(OTHER_SITE))
        answer = page.evaluate(
            "(url) => fetch(url, { method: 'POST', credentials: 'include' }).then((response) => response.json())",
            f"{site.url}/refresh_token",
        )
        assert answer["message"] == "Refresh token missing."
        assert len(cookies(context)) == 1
    context.close()
