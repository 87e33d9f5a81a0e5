"""Browsers of an application with `JWT_TOKEN_LOCATION = ["cookies"]`: nothing in their pages changes."""

from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import Client

from tests.moving.nuovo import MovedTo
from tests.moving.old.applications import FlaskApplication

Move = Callable[..., MovedTo]
HTTPS = {"base_url": "https://app.example.org"}
COOKIES = {"access_token_cookie", "csrf_access_token", "refresh_token_cookie", "csrf_refresh_token"}
BY_COOKIE = {"ADOPT_FLASK_JWT_EXTENDED_TOKEN_LOCATION": "cookies"}


class Browser:
    """One jar of cookies for the application and for what the proxy sends to Nuovo."""

    def __init__(self, old: FlaskApplication) -> None:
        self.old = Client(old.old.app)
        self.old.post(f"/login/{old.add_users(1)[0]}", **HTTPS)
        self.asked = self.old

    def switch_to(self, nuovo: MovedTo) -> None:
        """Send refreshes to Nuovo from now on, with the cookies that there are."""
        self.asked = Client(nuovo.built.app())
        for name in COOKIES:
            if cookie := self.old.get_cookie(name, "app.example.org"):
                self.asked.set_cookie(name, cookie.value, domain="app.example.org")

    def value_of(self, name: str) -> str:
        cookie = self.asked.get_cookie(name, "app.example.org")
        assert cookie is not None, name
        return str(cookie.value)

    def refresh(self, csrf: str | None = None) -> int:
        """Do what a page does: repeat the cookie that it can read in a header."""
        csrf = self.value_of("csrf_refresh_token") if csrf is None else csrf
        self.answer = self.asked.post("/refresh", headers={"X-CSRF-TOKEN": csrf} if csrf else {}, **HTTPS)
        return int(self.answer.status_code)

    def whose(self) -> str | None:
        """Change something at the old application with the access cookie, double submit included."""
        jar = Client(self.old.application)
        for name in ("access_token_cookie", "csrf_access_token"):
            jar.set_cookie(name, self.value_of(name), domain="app.example.org")
        headers = {"X-CSRF-TOKEN": self.value_of("csrf_access_token")}
        answer = jar.post("/me", headers=headers, **HTTPS)
        return answer.json["user"] if answer.status_code == 200 and answer.json else None


@pytest.fixture
def old(database_url: str) -> Iterator[FlaskApplication]:
    application = FlaskApplication(database_url, JWT_TOKEN_LOCATION=["headers", "cookies"], JWT_COOKIE_SECURE=True)
    yield application
    application.close()


@pytest.fixture
def browser(old: FlaskApplication) -> Browser:
    return Browser(old)


def test_a_browser_goes_on_with_new_cookies(old: FlaskApplication, browser: Browser, move: Move) -> None:
    before = browser.old.get_cookie("refresh_token_cookie", "app.example.org")
    browser.switch_to(move(**old.settings, **BY_COOKIE, REPLAY_GRACE="0"))
    for _ in range(3):
        assert browser.refresh() == 200
        assert browser.whose() == "1"
    assert before is not None
    assert browser.value_of("refresh_token_cookie") != before.value
    assert browser.answer.json == {"refresh": True}


def test_the_cookies_are_the_librarys(old: FlaskApplication, browser: Browser, move: Move) -> None:
    """By name, path and readability; and `Secure` with `SameSite` whatever was set before."""
    theirs = {c.partition("=")[0]: c for c in browser.old.post("/login/1", **HTTPS).headers.getlist("Set-Cookie")}
    browser.switch_to(move(**old.settings, **BY_COOKIE))
    assert browser.refresh() == 200
    ours = {c.partition("=")[0]: c for c in browser.answer.headers.getlist("Set-Cookie")}
    assert ours.keys() == theirs.keys() == COOKIES
    for name, cookie in ours.items():
        assert ("HttpOnly" in cookie) == ("HttpOnly" in theirs[name]), name
        assert ("Path=/;" in cookie) == ("Path=/" in theirs[name]), name
        assert "; Secure" in cookie
        assert "; SameSite=Lax" in cookie
        assert "Max-Age" not in cookie


@pytest.mark.parametrize("csrf", ["", "wrong", "0c1f7a52-3f6e-4a0e-9f5b-6f1d2c3b4a59"])
def test_a_missing_or_wrong_double_submit_is_refused_in_the_librarys_words(
    old: FlaskApplication, browser: Browser, move: Move, csrf: str
) -> None:
    """And changes nothing: the browser goes on."""
    nuovo = move(**old.settings, **BY_COOKIE)
    theirs = (browser.refresh(csrf), browser.answer.json)
    browser.switch_to(nuovo)
    assert (browser.refresh(csrf), browser.answer.json) == theirs
    assert browser.refresh() == 200
    assert (browser.refresh(csrf), browser.answer.json) == theirs
    assert nuovo.happenings("session_ended") == []


def test_the_double_submit_of_another_session_is_refused(old: FlaskApplication, move: Move) -> None:
    one, other = Browser(old), Browser(old)
    nuovo = move(**old.settings, **BY_COOKIE)
    for browser in (one, other):
        browser.switch_to(nuovo)
        assert browser.refresh() == 200
    assert one.refresh(other.value_of("csrf_refresh_token")) == 401


def test_without_double_submit_the_browser_must_say_where_it_comes_from(
    old: FlaskApplication, browser: Browser, move: Move
) -> None:
    """`JWT_COOKIE_CSRF_PROTECT` false left an application open to other sites; here Fetch Metadata stands in."""
    browser.switch_to(move(**old.settings, **BY_COOKIE, ADOPT_FLASK_JWT_EXTENDED_COOKIE_CSRF_PROTECT="false"))
    sites = {"cross-site": 403, "same-origin": 200}
    for site, status in sites.items():
        assert browser.asked.post("/refresh", headers={"Sec-Fetch-Site": site}, **HTTPS).status_code == status


def test_header_and_cookie_are_looked_for_in_the_order_of_the_setting(
    old: FlaskApplication, browser: Browser, move: Move
) -> None:
    both = move(**old.settings, ADOPT_FLASK_JWT_EXTENDED_TOKEN_LOCATION="headers, cookies")
    browser.switch_to(both)
    assert browser.refresh() == 200
    nobody = Client(both.built.app())
    theirs, ours = Client(old.old.app).post("/refresh"), nobody.post("/refresh")
    assert (ours.status_code, ours.json) == (theirs.status_code, theirs.json)


def test_two_refresh_cookies_are_ambiguous(old: FlaskApplication, move: Move) -> None:
    """A subdomain may have planted one of them."""
    nuovo = move(**old.settings, **BY_COOKIE)
    answer = nuovo.post("/refresh", headers={"Cookie": "refresh_token_cookie=a; refresh_token_cookie=b"})
    assert answer.status == 400
