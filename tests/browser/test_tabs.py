"""Several tabs of one browser, which share one cookie."""

import threading

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import cookies, generation, open_app, sign_in
from tests.browser.site import Site
from tests.e2e.server import wait_for

ROUNDS = 10
REFRESH = "/refresh_token"


@pytest.fixture
def tabs(context: BrowserContext, site: Site) -> list[Page]:
    """Three tabs of the application, signed in in the first."""
    tabs = [open_app(context, site) for _ in range(3)]
    sign_in(tabs[0])
    return tabs


def start_everywhere(tabs: list[Page], script: str) -> None:
    """Start `script`, a promise, in every tab; none has its answer yet if its path has a gate."""
    for tab in tabs:
        tab.evaluate(f"() => {{ window.outcome = {script}.catch((error) => `${{error}}`); }}")


def test_with_the_client_three_tabs_at_once_refresh_once_a_round(
    tabs: list[Page], context: BrowserContext, site: Site
) -> None:
    for turn in range(ROUNDS):
        gate = site.gates[REFRESH] = threading.Event()
        start_everywhere(tabs, "session.refresh()")
        gate.set()
        tokens = {tab.evaluate("window.outcome") for tab in tabs}
        assert len(tokens) == 1
        assert generation(context) == 2  # the session rotates once per grace, whatever the rounds
        assert site.answers(REFRESH) == [200] * (turn + 1)
    for tab in tabs:
        assert tab.evaluate("(async () => (await session.fetch('/api/me')).status)()") == 200
        assert not [event for event in tab.evaluate("events") if event.startswith("ended")]


def test_without_the_client_three_tabs_at_once_are_never_refused(
    tabs: list[Page], context: BrowserContext, site: Site
) -> None:
    """The server is correct by itself: the client only spares it work."""
    for _ in range(ROUNDS):
        gate = site.gates[REFRESH] = threading.Event()
        start_everywhere(tabs, "fetch('/refresh_token', { method: 'POST' }).then((answer) => answer.status)")
        gate.set()
        assert [tab.evaluate("window.outcome") for tab in tabs] == [200] * 3
        assert len(cookies(context)) == 1
        assert generation(context) == 2
    assert site.answers(REFRESH) == [200] * 3 * ROUNDS


def test_a_new_tab_gets_its_token_from_one_that_has_it(tabs: list[Page], context: BrowserContext, site: Site) -> None:
    token = tabs[0].evaluate("session.accessToken()")
    new = open_app(context, site)
    wait_for("the token in the new tab", lambda: "refreshed: tab" in new.evaluate("events") or None)
    assert new.evaluate("session.accessToken()") == token
    assert site.answers(REFRESH) == []


def test_log_out_in_one_tab_is_log_out_in_all(tabs: list[Page], context: BrowserContext, site: Site) -> None:
    for tab in tabs:
        tab.evaluate("session.accessToken()")
    tabs[1].evaluate("session.logout()")
    for tab in tabs:
        wait_for("the log-out", lambda tab=tab: "ended: logout" in tab.evaluate("events"))  # type: ignore[misc]
        assert tab.evaluate("session.fetch('/api/me').catch((error) => error.reason)") == "logout"
        assert tab.evaluate("events").count("ended: logout") == 1
    assert cookies(context) == []
    assert site.answers("/revoke_token") == [200]


def test_signing_in_in_one_tab_signs_in_all(tabs: list[Page], context: BrowserContext) -> None:
    for tab in tabs:
        tab.evaluate("session.accessToken()")
    tabs[0].evaluate("session.logout()")
    for tab in tabs:
        wait_for("the log-out", lambda tab=tab: "ended: logout" in tab.evaluate("events"))  # type: ignore[misc]
    sign_in(tabs[2])
    for tab in tabs:
        wait_for("the token", lambda tab=tab: tab.evaluate("session.accessToken().catch(() => '')"))  # type: ignore[misc]
        assert tab.evaluate("(async () => (await session.fetch('/api/me')).status)()") == 200


def test_a_tab_that_closes_while_it_refreshes_hands_the_turn_on(tabs: list[Page], site: Site) -> None:
    """Its lock is let go by the browser; the next tab goes on."""
    gate = site.gates[REFRESH] = threading.Event()
    first, second, _ = tabs
    start_everywhere([first], "session.refresh()")
    start_everywhere([second], "session.refresh()")
    first.close()
    gate.set()
    assert second.evaluate("window.outcome").count(".") == 2
    assert second.evaluate("(async () => (await session.fetch('/api/me')).status)()") == 200
