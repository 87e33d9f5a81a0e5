"""Sessions of cookies that are bound to their device, over HTTP."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.proofs import DeviceBinding
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from infrastructure.authlib.device_sessions import PRESENCE_TTL
from ports.security_log import Happening
from tests.device import Device
from tests.fakes.service import FakeService
from tests.http.contract import AMBIGUOUS, CLEARED_COOKIE, COOKIE, UNAVAILABLE, bearer, failure, refresh_token_of

PRESENCE, OFFERED = "__Host-presence", "__Host-binding-offered"
CLEARED_PRESENCE = CLEARED_COOKIE.replace(COOKIE, PRESENCE)
OVER = b'{"continue":false}'
NOT_PROVEN = failure(401, "Key not proven.")
POLICY = SessionPolicy(device_binding=DeviceBinding.OFFER)
GRACE = POLICY.replay_grace


class Browser:
    """A browser that keeps cookies and sends them, and that makes keys where it is asked to."""

    def __init__(self, client: TestClient, token: str | None) -> None:
        self.client = client
        self.cookies: dict[str, str] = {} if token is None else {COOKIE: token}

    def post(self, path: str, **headers: str) -> Result:
        """Send a request with all cookies, and keep those of the answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Sec-Fetch-Site", "same-origin")
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.client.simulate_post(path, headers=sent)
        for name, cookie in answer.cookies.items():
            self.cookies.pop(name, None)
            if cookie.max_age != 0:
                self.cookies[name] = cookie.value
        return answer

    def refresh(self, **headers: str) -> Result:
        return self.post("/refresh_token", **headers)

    def offer(self) -> str:
        """Refresh, and return what is offered."""
        answer = self.refresh()
        self.cookies.pop(OFFERED)
        return str(answer.headers["Secure-Session-Registration"]).partition('challenge="')[2].removesuffix('"')

    def register(self, device: Device, offer: str) -> Result:
        return self.post("/dbsc/register", Secure_Session_Response=device.register(offer), Sec_Fetch_Mode="no-cors")

    def prove(self, identifier: str, proof: str | None = None) -> Result:
        headers = {"Sec-Secure-Session-Id": f'"{identifier}"'}
        if proof is not None:
            headers["Secure-Session-Response"] = proof
        return self.post("/dbsc/refresh", **headers)


@pytest.fixture
def service() -> FakeService:
    return FakeService(policy=POLICY)


@pytest.fixture
def browser(client: TestClient, pair: TokenPair) -> Browser:
    return Browser(client, refresh_token_of(pair))


def bind(browser: Browser, service: FakeService, device: Device | None = None) -> str:
    """Register a key and have the session bound to it; return its identifier."""
    registered = browser.register(device or Device(), browser.offer())
    service.clock.advance(GRACE + 1)
    assert browser.refresh().status_code == 200
    return str(registered.json["session_identifier"])


def challenge_of(answer: Result) -> str:
    return str(answer.headers["Secure-Session-Challenge"]).partition(";")[0].strip('"')


def test_a_rotation_offers_to_bind_the_session(browser: Browser, service: FakeService) -> None:
    answer = browser.refresh()
    assert answer.status_code == 200
    kinds, path, challenge = str(answer.headers["Secure-Session-Registration"]).split(";")
    assert (kinds, path) == ("(ES256 RS256)", 'path="/dbsc/register"')
    assert challenge.startswith('challenge="')
    assert browser.cookies[OFFERED] == str(service.clock.now())


def test_what_is_repeated_offers_nothing(browser: Browser, service: FakeService) -> None:
    """Of eight tabs that refresh at once, one makes a key."""
    browser.offer()
    for _ in range(7):
        assert "Secure-Session-Registration" not in browser.refresh().headers


def test_an_offer_is_made_anew_only_after_a_while(
    make_client: Callable[..., TestClient], service: FakeService, browser: Browser
) -> None:
    """Each costs the browser a key and a signature, of which it is sparing. Here every refresh rotates."""
    service.policy = replace(POLICY, replay_grace=0)
    browser.client = make_client()
    assert "Secure-Session-Registration" in browser.refresh().headers
    for seconds in (0, 29, -29):  # servers' clocks differ
        service.clock.advance(seconds)
        assert "Secure-Session-Registration" not in browser.refresh().headers
    service.clock.advance(30)
    assert "Secure-Session-Registration" in browser.refresh().headers


@pytest.mark.parametrize("binding", [DeviceBinding.OFFER, DeviceBinding.REQUIRE])
@pytest.mark.parametrize("planted", ["1", "", "x", "-1", "{then}", "{year}", "9" * 12, "9" * 40, "\u0661"])
def test_no_planted_cookie_keeps_a_session_from_being_bound(
    make_client: Callable[..., TestClient],
    service: FakeService,
    browser: Browser,
    planted: str,
    binding: DeviceBinding,
) -> None:
    """A script that was smuggled into a page once can plant one that stays for a year, under any name of a cookie.

    Where bindings are required it would keep its victim signed out.
    """
    service.policy = replace(POLICY, device_binding=binding)
    browser.client = make_client()
    now = service.clock.now()
    planted = planted.format(then=now - GRACE, year=now + 31_536_000)
    cookies = {
        OFFERED: planted, "theme": OFFERED, f"x{OFFERED}": f"{now}", f"\xa0{OFFERED}": f"{now}", COOKIE: "",
    }  # fmt: skip
    browser.cookies = cookies | browser.cookies
    assert "Secure-Session-Registration" in browser.refresh().headers
    assert browser.cookies[OFFERED] == f"{now}"


def test_who_sends_its_token_by_header_is_offered_nothing(client: TestClient, pair: TokenPair) -> None:
    answer = client.simulate_post("/refresh_token", headers=bearer(refresh_token_of(pair)))
    assert answer.status_code == 200
    assert "Secure-Session-Registration" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_without_binding_nothing_is_offered_and_nothing_is_registered(
    browser: Browser, service: FakeService, make_client: Callable[..., TestClient]
) -> None:
    offer = browser.offer()
    service.policy = SessionPolicy()
    browser.client = make_client()
    assert browser.register(Device(), offer).content == OVER
    service.clock.advance(GRACE + 1)
    answer = browser.refresh()
    assert answer.status_code == 200
    assert "Secure-Session-Registration" not in answer.headers
    assert set(browser.cookies) == {COOKIE}


def test_a_registration_is_answered_as_the_draft_has_it(browser: Browser) -> None:
    answer = browser.register(Device(), browser.offer())
    assert answer.status_code == 200
    identifier = answer.json["session_identifier"]
    assert answer.json == {
        "session_identifier": identifier,
        "refresh_url": "/dbsc/refresh",
        "scope": {
            "include_site": False,
            "scope_specification": [
                {"type": "exclude", "domain": "*", "path": "/"},
                {"type": "include", "domain": "*", "path": "/refresh_token"},
            ],
        },
        "credentials": [
            {"type": "cookie", "name": PRESENCE, "attributes": "Path=/; HttpOnly; Secure; SameSite=Strict"}
        ],
        "allowed_refresh_initiators": [],
    }
    assert answer.headers["Set-Cookie"] == (
        f"{PRESENCE}={browser.cookies[PRESENCE]}; Max-Age={PRESENCE_TTL}; Path=/; HttpOnly; Secure; SameSite=Strict"
    )
    assert answer.headers["Secure-Session-Challenge"].endswith(f';id="{identifier}"')
    assert answer.headers["Cache-Control"] == "no-store"


def test_paths_and_pages_are_told_as_browsers_know_them(
    make_client: Callable[..., TestClient], pair: TokenPair
) -> None:
    origins = [
        "https://www.example.org",
        "https://www.example.org:8443",
        "https://app.example.com",
        "http://[::1]:3000",
    ]
    browser = Browser(make_client(public_path="/auth", allowed_origins=origins), refresh_token_of(pair))
    offered = browser.refresh()
    assert 'path="/auth/dbsc/register"' in offered.headers["Secure-Session-Registration"]
    offer = offered.headers["Secure-Session-Registration"].partition('challenge="')[2].removesuffix('"')
    told = browser.register(Device(), offer).json
    assert told["refresh_url"] == "/auth/dbsc/refresh"
    assert told["scope"]["scope_specification"][1]["path"] == "/auth/refresh_token"
    assert told["allowed_refresh_initiators"] == ["app.example.com", "www.example.org"]


def test_the_first_refresh_with_presence_binds_the_session(browser: Browser, service: FakeService) -> None:
    device = Device()
    bind(browser, service, device)
    token = service.tokens.read_refresh_token(browser.cookies[COOKIE])
    assert token.key_thumbprint == device.thumbprint
    assert Happening.BOUND in [event.happening for event in service.log.events]


def test_a_bound_session_without_presence_is_refused_and_keeps_its_cookies(
    browser: Browser, service: FakeService
) -> None:
    bind(browser, service)
    for _ in range(2):
        presence = browser.cookies.pop(PRESENCE)
        answer = browser.refresh()
        assert answer.content == NOT_PROVEN
        assert "Set-Cookie" not in answer.headers
        assert "Secure-Session-Registration" not in answer.headers
        browser.cookies[PRESENCE] = presence
        assert browser.refresh().status_code == 200
        service.clock.advance(GRACE + 1)


def test_presence_counts_for_a_token_by_header_too(browser: Browser, service: FakeService) -> None:
    bind(browser, service)
    headers = bearer(browser.cookies[COOKIE])
    assert browser.client.simulate_post("/refresh_token", headers=headers).content == NOT_PROVEN
    headers["Cookie"] = f"{PRESENCE}={browser.cookies[PRESENCE]}"
    assert browser.client.simulate_post("/refresh_token", headers=headers).status_code == 200


def test_a_key_is_proven_with_a_challenge(browser: Browser, service: FakeService) -> None:
    device = Device()
    identifier = bind(browser, service, device)
    browser.cookies.pop(PRESENCE)
    asked = browser.prove(identifier)
    assert asked.status_code == 403
    assert asked.json["message"] == "Device proof needed."
    assert "Set-Cookie" not in asked.headers
    proven = browser.prove(identifier, device.prove(challenge_of(asked)))
    assert proven.status_code == 200
    assert proven.json["session_identifier"] == identifier
    assert PRESENCE in browser.cookies
    service.clock.advance(GRACE + 1)
    assert browser.refresh().status_code == 200


@pytest.mark.parametrize("spelled", ['"{}"', '"{}";v=1', '"{}" ;v="x;y"', "{}", "{};v=?1"])
def test_parameters_of_a_header_are_ignored(browser: Browser, service: FakeService, spelled: str) -> None:
    """As the draft has it: a refusal would be the end of the binding."""
    device = Device()
    registration = spelled.format(device.register(browser.offer()))
    registered = browser.post("/dbsc/register", Secure_Session_Response=registration, Sec_Fetch_Mode="no-cors")
    assert registered.status_code == 200
    named = {"Sec-Secure-Session-Id": spelled.format(registered.json["session_identifier"])}
    assert browser.post("/dbsc/refresh", **named).status_code == 403
    proof = spelled.format(device.prove(challenge_of(registered)))
    assert browser.post("/dbsc/refresh", **named, Secure_Session_Response=proof).status_code == 200


def test_a_challenge_that_is_too_old_is_replaced(browser: Browser, service: FakeService) -> None:
    device = Device()
    identifier = bind(browser, service, device)
    old = challenge_of(browser.prove(identifier))
    service.clock.advance(601)
    answer = browser.prove(identifier, device.prove(old))
    assert answer.status_code == 403
    assert challenge_of(answer) != old


def test_keys_are_proven_while_the_database_is_away(browser: Browser, service: FakeService) -> None:
    device = Device()
    identifier = bind(browser, service, device)
    service.sessions = service.users = None  # type: ignore[assignment]  # nothing is there to be asked
    assert browser.prove(identifier, device.prove(challenge_of(browser.prove(identifier)))).status_code == 200


def logged_out(browser: Browser, service: FakeService) -> None:
    browser.cookies.pop(COOKIE)


def signed_in_anew(browser: Browser, service: FakeService) -> None:
    browser.cookies[COOKIE] = refresh_token_of(service.sign_in("ada"))


def signed_in_as_another(browser: Browser, service: FakeService) -> None:
    browser.cookies[COOKIE] = refresh_token_of(service.sign_in("bob"))


def expired(browser: Browser, service: FakeService) -> None:
    service.clock.advance(POLICY.refresh_token_ttl)


def not_a_token(browser: Browser, service: FakeService) -> None:
    browser.cookies[COOKIE] = "x"


CHANGES = [logged_out, signed_in_anew, signed_in_as_another, expired, not_a_token]


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_of_a_session_that_the_browser_has_no_more_is_over(
    browser: Browser, service: FakeService, change: Callable[[Browser, FakeService], None]
) -> None:
    """And its presence is not given: it would take that of the new session away."""
    device = Device()
    identifier = bind(browser, service, device)
    proof = device.prove(challenge_of(browser.prove(identifier)))
    change(browser, service)
    for answer in (browser.prove(identifier), browser.prove(identifier, proof)):
        assert (answer.status_code, answer.content) == (200, OVER)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("change", CHANGES)
def test_an_offer_to_a_session_that_the_browser_has_no_more_is_over(
    browser: Browser, service: FakeService, change: Callable[[Browser, FakeService], None]
) -> None:
    offer = browser.offer()
    change(browser, service)
    answer = browser.register(Device(), offer)
    assert (answer.status_code, answer.content) == (200, OVER)
    assert "Set-Cookie" not in answer.headers


def test_an_offer_that_is_too_old_is_over(browser: Browser, service: FakeService) -> None:
    offer = browser.offer()
    service.clock.advance(601)
    assert browser.register(Device(), offer).content == OVER


def test_of_two_keys_the_one_whose_presence_is_shown_stays(browser: Browser, service: FakeService) -> None:
    """Both had been offered before either was registered, so that neither request had presence."""
    offer = browser.offer()
    first, second = Device(), Device()
    one = browser.register(first, offer).json["session_identifier"]
    browser.cookies.pop(PRESENCE)
    other = browser.register(second, offer).json["session_identifier"]
    assert browser.prove(one).content == OVER
    assert browser.prove(other).status_code == 403
    service.clock.advance(GRACE + 1)
    assert browser.refresh().status_code == 200
    browser.cookies.pop(PRESENCE)  # and from now on the token itself says which
    assert browser.prove(one).content == OVER
    assert browser.prove(other).status_code == 403


def test_a_second_key_is_not_registered(browser: Browser, service: FakeService) -> None:
    offer = browser.offer()
    browser.register(Device(), offer)
    assert browser.register(Device(), offer).content == OVER
    service.clock.advance(GRACE + 1)
    browser.refresh()
    browser.cookies.pop(PRESENCE)
    assert browser.register(Device(), offer).content == OVER  # bound meanwhile


def test_the_same_registration_may_be_repeated(browser: Browser) -> None:
    """A browser whose connection was cut sends it again."""
    device, offer = Device(), browser.offer()
    first = browser.register(device, offer)
    assert browser.register(device, offer).json == first.json


def test_required_binding_is_offered_with_the_refusal(
    make_client: Callable[..., TestClient], service: FakeService, browser: Browser
) -> None:
    service.policy = replace(POLICY, device_binding=DeviceBinding.REQUIRE)
    browser.client = make_client()
    browser.offer()
    service.clock.advance(GRACE + 1)
    refused = browser.refresh()
    assert refused.content == NOT_PROVEN
    offer = refused.headers["Secure-Session-Registration"].partition('challenge="')[2].removesuffix('"')
    assert set(browser.cookies) == {COOKIE, OFFERED}
    assert "Secure-Session-Registration" not in browser.refresh().headers  # not twice within moments
    browser.register(Device(), offer)
    assert browser.refresh().status_code == 200


@pytest.mark.parametrize("reason", ["unreachable", "server_error", "quota_exceeded"])
def test_a_browser_that_could_not_prove_its_key_is_put_off(browser: Browser, service: FakeService, reason: str) -> None:
    """Before anything is decided: nothing is logged, nothing changes."""
    identifier = bind(browser, service)
    presence = browser.cookies.pop(PRESENCE)
    service.log.events.clear()
    skipped = {"Secure-Session-Skipped": f'{reason};session_identifier="{identifier}"'}
    answer = browser.refresh(**skipped)
    assert answer.content == UNAVAILABLE
    assert answer.headers["Retry-After"] == "1"
    assert "Set-Cookie" not in answer.headers
    assert service.log.events == []
    browser.cookies[PRESENCE] = presence
    assert browser.refresh(**skipped).status_code == 200  # another request has brought presence meanwhile


def test_another_session_of_the_site_puts_nobody_off(browser: Browser, service: FakeService) -> None:
    """One of the application's own, or one that this browser had before."""
    old = bind(browser, service)
    signed_in_anew(browser, service)
    browser.cookies.pop(PRESENCE)
    for identifier in (old, "another", "", "x" * 5_000):
        skipped = {"Secure-Session-Skipped": f'quota_exceeded;session_identifier="{identifier}"'}
        assert browser.refresh(**skipped).status_code == 200


@pytest.mark.parametrize("path", ["/refresh_token", "/dbsc/register", "/dbsc/refresh"])
@pytest.mark.parametrize("doubled", [COOKIE, PRESENCE])
def test_a_cookie_that_stands_twice_is_refused(browser: Browser, service: FakeService, path: str, doubled: str) -> None:
    """Where keys are proven it is put off: browsers take any other refusal for the end of the binding."""
    device = Device()
    identifier = bind(browser, service, device)
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()) + f"; {doubled}=planted",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Secure-Session-Id": identifier,
        "Secure-Session-Response": device.prove(challenge_of(browser.prove(identifier))),
    }
    answer = browser.client.simulate_post(path, headers=headers)
    assert answer.content == (AMBIGUOUS if path == "/refresh_token" else UNAVAILABLE)
    assert answer.headers.get("Retry-After") == (None if path == "/refresh_token" else "1")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("mode", [None, "cors", "same-origin", "navigate", "websocket", "", "no-cors, no-cors"])
def test_no_script_registers_a_key(browser: Browser, mode: str | None) -> None:
    """Scripts can sign an offer, and send it only in modes that browsers tell."""
    headers = {"Secure-Session-Response": Device().register(browser.offer())}
    if mode is not None:
        headers["Sec-Fetch-Mode"] = mode
    answer = browser.post("/dbsc/register", **headers)
    assert answer.content == failure(403, "Only browsers register keys.")
    assert PRESENCE not in browser.cookies


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/dbsc/register", {"Sec-Fetch-Mode": "no-cors"}),
        ("/dbsc/refresh", {}),
        ("/dbsc/refresh", {"Sec-Secure-Session-Id": ""}),
        ("/dbsc/refresh", {"Sec-Secure-Session-Id": '"'}),
        ("/dbsc/refresh", {"Secure-Session-Response": "x"}),
    ],
)
def test_what_no_browser_sends_is_refused(browser: Browser, path: str, headers: dict[str, Any]) -> None:
    assert browser.post(path, **headers).content == failure(400, "Invalid device proof.")


@pytest.mark.parametrize("path", ["/revoke_token", "/refresh_token"])
def test_presence_goes_when_the_refresh_cookie_goes(browser: Browser, service: FakeService, path: str) -> None:
    """With a log-out, and with a refusal that ends the session in this browser."""
    bind(browser, service)
    if path == "/refresh_token":
        browser.client.simulate_post("/revoke_token", headers=bearer(browser.cookies[COOKIE]))
    answer = browser.post(path)
    assert answer.headers["Set-Cookie"] == CLEARED_PRESENCE  # the last one of two, for Falcon's client
    assert list(answer.cookies) == [COOKIE, PRESENCE]
    assert browser.cookies == {}


def test_who_has_no_presence_is_told_nothing_of_it(browser: Browser) -> None:
    assert browser.post("/revoke_token").headers["Set-Cookie"] == CLEARED_COOKIE
