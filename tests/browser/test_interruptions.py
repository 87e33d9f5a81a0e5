"""What a day does to a tab: answers that get lost, reloads, sleep, no network."""

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import claims_of, cookies, generation, open_app, sign_in
from tests.browser.site import Site
from tests.e2e.server import Nuovo, wait_for

REFRESH = "/refresh_token"
STATUS_OF_API = "(async () => (await session.fetch('/api/me')).status)()"
PLAIN_REFRESH = "fetch('/refresh_token', { method: 'POST' }).then((r) => r.status, () => 'network error')"


@pytest.fixture(params=[{}, {"replay_grace": "0"}], ids=["within the grace", "after the grace"])
def any_site(request: pytest.FixtureRequest, serve: Callable[..., Nuovo]) -> Iterator[Site]:
    with Site(nuovo=serve(**request.param)) as site:
        yield site


def test_an_answer_cut_off_after_the_commit_is_made_good_by_the_client(context: BrowserContext, any_site: Site) -> None:
    """The rotation is in the store, the browser has the old cookie: the retry gets the next token all the same."""
    page = open_app(context, any_site)
    sign_in(page)
    any_site.dropped.append(REFRESH)
    assert page.evaluate("session.refresh()").count(".") == 2
    assert any_site.answers(REFRESH) == [0, 200]
    assert page.evaluate("events") == ["refreshed: server"]
    assert page.evaluate(STATUS_OF_API) == 200


def test_an_answer_cut_off_after_the_commit_logs_nobody_out(context: BrowserContext, any_site: Site) -> None:
    """Without the client, which would try again at once: the next refresh goes on, and so does the one after."""
    page = open_app(context, any_site)
    sign_in(page)
    any_site.dropped.append(REFRESH)
    assert page.evaluate(PLAIN_REFRESH) == "network error"
    assert generation(context) == 1
    assert page.evaluate(PLAIN_REFRESH) == 200
    assert generation(context) >= 2
    assert page.evaluate(PLAIN_REFRESH) == 200


def test_a_log_out_whose_answer_is_cut_off_is_repeated(page: Page, context: BrowserContext, site: Site) -> None:
    site.dropped.append("/revoke_token")
    page.evaluate("session.logout()")
    assert site.answers("/revoke_token") == [0, 200]
    assert cookies(context) == []


def test_a_reload_keeps_the_user_signed_in(page: Page, site: Site) -> None:
    """The access token was in memory alone; the cookie brings the next."""
    for turn in range(3):
        page.reload()
        assert page.evaluate(STATUS_OF_API) == 200
        assert site.answers(REFRESH) == [200] * (turn + 1)


def test_reloads_in_the_middle_of_a_refresh_log_nobody_out(page: Page, context: BrowserContext, site: Site) -> None:
    """Each leaves an answer behind that no page waits for any more."""
    for _ in range(5):
        page.evaluate("() => { session.refresh().catch(() => {}); location.reload(); }")
        page.wait_for_load_state()
        page.wait_for_function("window.session !== undefined")
    assert page.evaluate(STATUS_OF_API) == 200
    assert set(site.answers(REFRESH)) == {200}
    assert len(cookies(context)) == 1


def test_back_and_forward_keep_the_user_signed_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/blank")
    page.go_back()
    assert page.evaluate(STATUS_OF_API) == 200
    page.go_forward()
    page.go_back()
    assert page.evaluate(STATUS_OF_API) == 200
    assert set(site.answers(REFRESH)) == {200}


@pytest.fixture(scope="module")
def remembering(launch: Callable[..., Browser]) -> Browser:
    """Start a browser with its back/forward cache, which Playwright switches off otherwise."""
    return launch(ignore_default_args=["--disable-back-forward-cache"])


@pytest.mark.parametrize("end", [False, True], ids=["still signed in", "signed out meanwhile"])
def test_a_page_out_of_the_back_forward_cache_asks_the_server(remembering: Browser, site: Site, *, end: bool) -> None:
    """It slept with its token in memory, and heard no log-out."""
    context = remembering.new_context()
    page = open_app(context, site)
    sign_in(page)
    page.evaluate("""() => {
      window.returned = false;
      addEventListener("pageshow", ({ persisted }) => { window.returned = persisted; });
    }""")
    page.evaluate("location.href = '/blank'")
    expect(page).to_have_title("Blank")
    if end:
        other = open_app(context, site)
        other.evaluate("session.logout()")
        other.close()
    page.evaluate("history.back()")
    expect(page).to_have_title("App")
    assert page.evaluate("window.returned"), "it was loaded anew"
    expected = "ended: missing" if end else "refreshed: server"
    wait_for("the server's word", lambda: expected in page.evaluate("events"))
    assert page.evaluate(STATUS_OF_API + ".catch((error) => error.reason)") == ("missing" if end else 200)
    context.close()


def test_a_tab_that_sleeps_past_the_access_tokens_life_wakes_up_signed_in(
    context: BrowserContext, serve: Callable[..., Nuovo]
) -> None:
    """Frozen as browsers freeze tabs, timers and all, until its token has died."""
    with Site(nuovo=serve(access_token_ttl="2")) as site:
        page = open_app(context, site)
        sign_in(page)
        token = page.evaluate("session.accessToken()")
        devtools = context.new_cdp_session(page)
        devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        wait_for("its death", lambda: time.time() > claims_of(token)["exp"] + 1)  # whole seconds on the server
        refreshed_asleep = len(site.answers(REFRESH))
        site.requests.clear()
        devtools.send("Page.setWebLifecycleState", {"state": "active"})
        assert page.evaluate(STATUS_OF_API) == 200
        assert refreshed_asleep == 0
        assert site.answers("/api/me") == [200]  # no request was wasted on a token known to be dead
        assert site.answers(REFRESH) == [200]


def test_a_clock_that_jumps_ahead_is_no_log_out(page: Page, site: Site) -> None:
    """A laptop opened after a night: by its clock the token is long dead."""
    page.clock.install()
    page.clock.fast_forward("14:00:00")
    assert page.evaluate(STATUS_OF_API) == 200
    assert site.answers(REFRESH) == [200]
    assert page.evaluate(STATUS_OF_API) == 200
    assert site.answers(REFRESH) == [200]  # the difference to the server's clock is known now


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_wrong_from_the_start_costs_no_refresh(context: BrowserContext, site: Site, hours: int) -> None:
    page = context.new_page()
    page.add_init_script(f"const now = Date.now; Date.now = () => now() + {hours} * 3_600_000;")
    page.goto(site.url)
    sign_in(page)
    page.evaluate("session.refresh()")
    site.requests.clear()
    for _ in range(3):
        assert page.evaluate(STATUS_OF_API) == 200
    assert site.answers(REFRESH) == []


def test_offline_is_waited_out(page: Page, context: BrowserContext, site: Site) -> None:
    context.set_offline(offline=True)
    page.evaluate("() => { window.outcome = session.refresh(); }")
    page.wait_for_function("!navigator.onLine")
    assert page.evaluate("Promise.race([window.outcome, Promise.resolve('waiting')])") == "waiting"
    context.set_offline(offline=False)
    assert page.evaluate("window.outcome").count(".") == 2
    assert site.answers(REFRESH) == [200]
    assert page.evaluate("events") == ["refreshed: server"]


def test_a_gateway_without_its_service_is_no_log_out(page: Page, site: Site) -> None:
    """During a restart of Nuovo the proxy says 502; the client waits and tries again."""
    site.away.add(REFRESH)
    page.evaluate("() => { window.outcome = session.refresh(); }")
    wait_for("a failed try", lambda: 502 in site.answers(REFRESH))
    site.away.clear()
    assert page.evaluate("window.outcome").count(".") == 2
    assert page.evaluate("events") == ["refreshed: server"]
