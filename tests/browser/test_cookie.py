"""The refresh cookie in a real browser, on `http://localhost`."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import COOKIE, cookies, generation, open_app, the_cookie
from tests.browser.site import Site

REFRESH = """async () => {
  const response = await fetch("/refresh_token", { method: "POST" });
  return { status: response.status, ...(await response.json()) };
}"""


def test_the_browser_keeps_the_cookie_with_every_attribute(page: Page, context: BrowserContext) -> None:
    """A `__Host-` cookie without Secure, or with a Domain, would have been dropped without a word."""
    cookie = the_cookie(context)
    assert cookie["name"] == COOKIE
    assert cookie["domain"] == "localhost"  # no leading dot: for this host alone
    assert cookie["path"] == "/"
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Strict"
    days_left = (datetime.fromtimestamp(cookie["expires"], UTC) - datetime.now(UTC)).total_seconds() / 86_400
    assert 13.9 < days_left < 14.1


def test_no_script_sees_the_cookie(page: Page) -> None:
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("cookieStore.getAll()") == []


def test_no_script_plants_or_removes_the_cookie(page: Page, context: BrowserContext) -> None:
    before = the_cookie(context)
    page.evaluate(f"document.cookie = '{COOKIE}=planted; Secure; Path=/'")
    page.evaluate(f"document.cookie = '{COOKIE}=; Secure; Path=/; Max-Age=0'")
    assert the_cookie(context) == before


def test_a_refresh_sends_the_cookie_and_rotation_replaces_it(page: Page, context: BrowserContext, site: Site) -> None:
    before = the_cookie(context)["value"]
    answer = page.evaluate(REFRESH)
    assert answer["status"] == "success"
    assert list(answer["data"]) == ["access_token"]  # what came by cookie goes back by cookie alone
    after = the_cookie(context)["value"]
    assert after != before
    assert generation(context) == 2
    (request,) = [request for request in site.requests if request.path == "/refresh_token"]
    assert request.headers["Cookie"] == f"{COOKIE}={before}"
    assert page.evaluate(REFRESH)["status"] == "success"
    assert generation(context) == 2  # once per grace: the same token once more


def test_nothing_of_a_session_is_in_any_storage(page: Page, context: BrowserContext) -> None:
    page.evaluate("session.refresh()")
    state = context.storage_state(indexed_db=True)
    assert state["origins"] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_after_log_out_the_cookie_is_gone_and_its_token_dead(page: Page, context: BrowserContext, site: Site) -> None:
    """Gone from the browser, and worth nothing to whoever had copied it."""
    stolen = the_cookie(context)
    page.evaluate("session.logout()")
    assert cookies(context) == []
    assert page.evaluate("events") == ["ended: logout"]
    assert page.evaluate(REFRESH)["message"] == "Refresh token missing."
    context.add_cookies([stolen])  # type: ignore[list-item]  # as `cookies` gives them
    assert page.evaluate(REFRESH)["message"] == "Invalid refresh token."
    assert cookies(context) == []


@pytest.mark.parametrize("way", ["session.endAllSessions()", "session.endSession(current.id)"])
def test_ending_the_own_session_takes_the_cookie_along(page: Page, context: BrowserContext, way: str) -> None:
    own = "(await session.listSessions()).find((each) => each.current)"
    page.evaluate(f"(async () => {{ const current = {own}; await {way}; }})()")
    assert cookies(context) == []
    assert page.evaluate("events") == ["ended: logout"]


def test_a_session_that_was_ended_elsewhere_takes_the_cookie_along(
    page: Page, context: BrowserContext, site: Site
) -> None:
    site.nuovo.run("sessions", "revoke", "--user", "ada")  # type: ignore[union-attr]
    assert page.evaluate("session.refresh().catch((error) => error.reason)") == "invalid"
    assert cookies(context) == []


def test_signing_in_again_replaces_the_cookie(page: Page, context: BrowserContext, site: Site) -> None:
    """One cookie, whichever tab signs in."""
    before = the_cookie(context)["value"]
    other = open_app(context, site)
    other.evaluate("fetch('/login', { method: 'POST' })")
    after = the_cookie(context)["value"]
    assert after != before
    assert page.evaluate(REFRESH)["status"] == "success"


def test_a_cookie_that_another_path_planted_is_refused_rather_than_guessed(page: Page, context: BrowserContext) -> None:
    """Browsers keep no second `__Host-` cookie of another path; this one is what an attacker would need."""
    page.evaluate(f"document.cookie = '{COOKIE}=planted; Secure; Path=/refresh_token'")
    assert len(cookies(context)) == 1
    assert page.evaluate(REFRESH)["status"] == "success"
