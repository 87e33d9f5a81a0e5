"""The two pages that the service has, as a person gets them."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.conftest import cookies
from tests.e2e.server import wait_for

PHONE: ViewportSize = {"width": 360, "height": 740}


class Watch:
    """What a page does that its reader does not see."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.answers: list[tuple[str, int]] = []
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("response", lambda answer: self.answers.append((urlsplit(answer.url).path, answer.status)))


@pytest.fixture(params=["light", "dark"])
def styled(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1120, "height": 800})
    yield context
    context.close()


@pytest.fixture
def picture(styled: BrowserContext) -> Callable[[Page, str], None]:
    """Keep a picture of a page in the folder of NUOVO_TEST_SCREENSHOTS, if that is set."""
    folder = os.environ.get("NUOVO_TEST_SCREENSHOTS")

    def take(page: Page, name: str) -> None:
        if folder is not None:
            scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=name != "docs")

    return take


@pytest.fixture
def axe(node_modules: Path) -> Callable[[Page], list[str]]:
    """Return what axe-core finds wrong with a page."""
    source = (node_modules / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")

    def run(page: Page) -> list[str]:
        page.evaluate(source)
        result: dict[str, Any] = page.evaluate("axe.run()")
        return [f"{found['id']}: {node['html']}" for found in result["violations"] for node in found["nodes"]]

    return run


def sign_in(page: Page, demo: str) -> None:
    page.goto(f"{demo}/demo")
    page.get_by_role("button", name="Sign in as ada").click()
    expect(page.get_by_text("this one", exact=True)).to_be_visible()


def present(page: Page, number: int) -> None:
    page.get_by_role("button", name=f"Present token {number}").click()


def seconds_left(page: Page) -> int:
    minutes, seconds = page.get_by_role("timer").inner_text().split(":")
    return 60 * int(minutes) + int(seconds)


@pytest.mark.parametrize("path", ["/docs", "/demo"])
def test_a_page_renders_without_an_error_or_a_request_to_another_host(
    styled: BrowserContext, demo: str, path: str, picture: Callable[[Page, str], None]
) -> None:
    page = styled.new_page()
    watch = Watch(page)
    page.goto(demo + path)
    if path == "/docs":
        page.locator("#operations-Tokens-refreshAccessToken").wait_for()
    else:
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert watch.errors == []
    assert watch.hosts == {urlsplit(demo).netloc}
    assert {status for _, status in watch.answers} == {200}
    if path == "/docs":
        picture(page, "docs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_documentation_fits_a_telephone(browser: Browser, demo: str, scheme: Literal["light", "dark"]) -> None:
    """With every operation open, and dressed as its reader's system is."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{demo}/docs")
    page.locator("#operations-Tokens-refreshAccessToken").wait_for()
    for operation in page.locator("button.opblock-summary-control").all():
        operation.click()
    expect(page.locator(".responses-table").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (background == "rgb(28, 32, 34)") == (scheme == "dark")
    context.close()


def test_the_documentation_tries_an_operation(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    watch = Watch(page)
    page.goto(f"{demo}/docs")
    operation = page.locator("#operations-Health-getLiveness, [id^=operations-Health]").first
    operation.locator("button.opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert watch.errors == []


def test_a_person_signs_in_refreshes_and_logs_out(styled: BrowserContext, demo: str) -> None:
    page = styled.new_page()
    watch = Watch(page)
    sign_in(page, demo)
    expect(page.get_by_text("signed in as ada")).to_be_visible()
    assert 890 <= seconds_left(page) <= 900
    first = page.locator("#token-id").inner_text()
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator("#token-id")).not_to_have_text(first)
    page.get_by_role("button", name="Refresh 5 times at once").click()
    expect(page.get_by_role("log")).to_contain_text("5 calls, 1 request")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    wait_for("the server's word", lambda: cookies(styled) == [])
    assert watch.errors == []


def test_a_reload_stays_signed_in_and_a_visitor_is_not_refused(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    watch = Watch(page)
    sign_in(page, demo)
    page.reload()
    expect(page.get_by_text("this one", exact=True)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert watch.errors == []


def test_an_expired_access_token_is_shown_and_no_log_out(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    page.clock.install()
    sign_in(page, demo)
    page.clock.fast_forward("15:01")
    expect(page.get_by_text("It has expired. That is no log-out")).to_be_visible()
    assert seconds_left(page) == 0
    page.get_by_role("button", name="Reload the list").click()
    expect(page.get_by_role("log")).to_contain_text("A new access token, from the server.")
    expect(page.get_by_text("signed in as ada")).to_be_visible()


def test_a_second_tab_shares_the_session(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    sign_in(page, demo)
    with context.expect_page() as opened:
        page.get_by_role("link", name="Open a second tab").click()
    second = opened.value
    expect(second.get_by_role("log")).to_contain_text("A new access token, from another tab.")
    assert second.locator("#token-id").inner_text() == page.locator("#token-id").inner_text()
    second.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_role("log")).to_contain_text("A new access token, from another tab.")
    page.get_by_role("button", name="Log out").click()
    for tab in (page, second):
        expect(tab.get_by_role("log")).to_contain_text("Signed out.")
        expect(tab.get_by_text("signed out", exact=True)).to_be_visible()


def begin(page: Page) -> None:
    """Begin the experiment: its owner has refreshed twice when there is something to press."""
    page.get_by_role("button", name="Begin the experiment").click()
    expect(page.locator("#outcome")).to_have_text("200. Token 2 was traded for token 3.", timeout=30_000)


def test_an_impatient_visitor_sees_a_second_tab_go_on_and_a_thief_caught(
    styled: BrowserContext, demo: str, picture: Callable[[Page, str], None], axe: Callable[[Page], list[str]]
) -> None:
    page = styled.new_page()
    page.goto(f"{demo}/demo")
    assert axe(page) == []
    sign_in(page, demo)
    outcome = page.locator("#outcome")
    begin(page)
    present(page, 3)
    expect(outcome).to_contain_text("The session has just rotated: the current token 3 came back once more")
    present(page, 2)
    expect(outcome).to_contain_text("Token 2 was replaced a moment ago: the current token 3 came back once more")
    assert axe(page) == []
    picture(page, "demo")
    present(page, 1)
    expect(outcome).to_contain_text("401 Invalid refresh token. Token 1 is neither the current one nor the one before")
    present(page, 3)
    expect(outcome).to_contain_text("The session is over, for every one of its tokens.")
    assert axe(page) == []
    expect(page.get_by_text("signed in as ada")).to_be_visible()  # that was another session


def test_a_lost_answer_is_recovered_after_the_grace_and_ends_the_session_if_it_was_not_lost(
    context: BrowserContext, demo: str
) -> None:
    page = context.new_page()
    page.goto(f"{demo}/demo")
    outcome = page.locator("#outcome")
    begin(page)
    row = page.locator("#tokens").get_by_role("listitem").filter(has_text="Token 2")
    expect(row).to_contain_text("replaced 7 s ago", timeout=30_000)
    present(page, 2)
    expect(outcome).to_contain_text("its answer counts as lost. Here is token 4. Token 3 is left behind")
    present(page, 3)
    expect(outcome).to_contain_text("401 Invalid refresh token.")


def test_sessions_are_listed_and_ended(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    sign_in(page, demo)
    mine = page.get_by_role("listitem").filter(has_text="this one")
    other = page.locator("#sessions").get_by_role("listitem").filter(has_text="Experiment")
    count = other.count()
    page.get_by_role("button", name="Begin the experiment").click()
    expect(other).to_have_count(count + 1)
    other.first.get_by_role("button", name="End the session on Experiment").click()
    expect(other).to_have_count(count)
    mine.get_by_role("button", name="End the session on Browser").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    wait_for("the server's word", lambda: cookies(context) == [])


def test_all_sessions_are_ended_at_once(browser: Browser, context: BrowserContext, demo: str) -> None:
    """The other browser finds out with its next request."""
    elsewhere = browser.new_context()
    far = elsewhere.new_page()
    sign_in(far, demo)
    page = context.new_page()
    sign_in(page, demo)
    page.get_by_role("button", name="End all sessions").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    far.get_by_role("button", name="Refresh now").click()
    expect(far.get_by_role("log")).to_contain_text("The session was ended elsewhere.")
    elsewhere.close()


def test_the_keyboard_alone_is_enough_and_never_loses_its_place(context: BrowserContext, demo: str) -> None:
    page = context.new_page()
    page.goto(f"{demo}/demo")
    for _ in range(3):
        page.keyboard.press("Tab")  # past the two links
    expect(page.get_by_role("button", name="Sign in as ada")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This browser")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Refresh now")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Log out")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This browser")).to_be_focused()


@pytest.mark.parametrize("path", ["/docs", "/demo"])
def test_a_phone_shows_it_without_scrolling_sideways(
    browser: Browser, demo: str, path: str, picture: Callable[[Page, str], None]
) -> None:
    context = browser.new_context(viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=1)
    page = context.new_page()
    if path == "/docs":
        page.goto(demo + path)
        page.locator("#operations-Tokens-refreshAccessToken").wait_for()
    else:
        sign_in(page, demo)
        begin(page)
        present(page, 2)
        small = [
            control.inner_text()
            for control in page.locator("button:visible, .button:visible").all()
            if (control.bounding_box() or {"height": 0})["height"] < 44
        ]
        assert small == []  # a finger needs 44 pixels
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if path == "/demo":
        picture(page, "demo-phone")
    context.close()


def test_the_demo_exists_in_the_demo_alone(context: BrowserContext, site: Any) -> None:
    page = context.new_page()
    answer = page.goto(f"{site.url}/demo")
    assert answer is not None
    assert answer.status == 404
    assert re.search(r"Not found\.", page.content())
