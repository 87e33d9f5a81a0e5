"""Sessions that are bound to their device, in a real Chromium with keys of software."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.bound import (
    APP,
    OFFERED,
    OTHER,
    PRESENCE,
    PROVE,
    REFRESH,
    REFRESH_TOKEN,
    REGISTER,
    Certificate,
    Device,
    SecureSite,
)
from tests.browser.conftest import claims_of, the_cookie
from tests.e2e.server import Nuovo, wait_for

NOT_PROVEN, UNAVAILABLE = "Key not proven.", "Service temporarily unavailable."


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: Certificate) -> Iterator[SecureSite]:
    """Run an origin with TLS. Nuovo is still to be put behind it."""
    with SecureSite(certificate=certificate) as site:
        yield site


@pytest.fixture
def bound_site(secure: SecureSite, serve: Callable[..., Nuovo]) -> SecureSite:
    """Run the application and Nuovo, which offers to bind sessions."""
    secure.nuovo = serve(device_binding="offer", replay_grace="1")
    return secure


@pytest.fixture
def new_device(launch: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[[SecureSite], Device]]:
    """Start browsers, each with a profile of its own."""
    with ExitStack() as stack:

        def start(site: SecureSite) -> Device:
            device = Device(launch, site, tmp_path / f"profile-{len(list(tmp_path.iterdir()))}")
            stack.callback(device.close)
            return device

        yield start


@pytest.fixture
def device(new_device: Callable[[SecureSite], Device], bound_site: SecureSite) -> Device:
    return new_device(bound_site)


def key_of(device: Device) -> str | None:
    """Return the thumbprint of the key that the refresh token in the browser's cookie is bound to."""
    cnf = claims_of(device.refresh_cookie["value"]).get("cnf")
    return None if cnf is None else str(cnf["jkt"])


def happenings(device: Device) -> list[str]:
    """Return what became of the browser's session, by the log."""
    nuovo, session_id = device.site.nuovo, claims_of(device.refresh_cookie["value"])["sid"]
    assert nuovo is not None
    return [str(line["event"]) for line in nuovo.log_lines if line.get("session_id") == session_id]


def identifiers(site: SecureSite) -> list[str]:
    """Return the keys for which the browser has asked for presence, one for each request."""
    return [str(request.headers["Sec-Secure-Session-Id"]) for request in site.asked(PROVE)]


def test_a_session_is_bound_by_the_first_refresh_that_shows_presence(device: Device) -> None:
    """Not by the registration, whose answer may be lost."""
    site = device.site
    device.sign_in()
    device.register()
    (registration,) = site.asked(REGISTER)
    assert registration.headers["Sec-Fetch-Mode"] == "no-cors"
    header, payload, _ = registration.headers["Secure-Session-Response"].split(".")
    assert set(claims_of(f".{header}.")) == {"alg", "jwk", "typ"}  # as the draft has it
    assert set(claims_of(f".{payload}.")) == {"jti"}
    assert registration.has_cookie
    assert key_of(device) is None
    device.pass_the_grace()
    assert device.refresh() == 200
    assert key_of(device) is not None
    first, second = site.asked(REFRESH_TOKEN)
    assert f"{PRESENCE}=" not in first.headers["Cookie"]
    assert f"{PRESENCE}=" in second.headers["Cookie"]
    assert "session_bound" in happenings(device)


def test_presence_is_a_cookie_that_no_script_sees_and_that_ends_by_itself(device: Device) -> None:
    device.bind()
    (cookie,) = (dict(cookie) for cookie in device.context.cookies() if cookie["name"] == PRESENCE)
    assert cookie["httpOnly"]
    assert cookie["secure"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["domain"] == APP
    left = cookie["expires"] - device.page.evaluate("Date.now() / 1000")
    assert 280 < left <= 300
    assert device.page.evaluate("document.cookie") == ""


def test_a_request_without_presence_waits_until_the_browser_has_proven_its_key(device: Device) -> None:
    device.bind()
    device.lose_presence()
    assert device.refresh() == 200
    assert device.site.answers(PROVE) == [200]  # with the challenge that came with the registration
    (proof,) = device.site.asked(PROVE)
    assert proof.headers["Sec-Secure-Session-Id"]
    assert device.presence is not None
    device.lose_presence()
    assert device.refresh() == 200
    first, second = device.site.asked(PROVE)
    assert first.headers["Secure-Session-Response"] == second.headers["Secure-Session-Response"]  # nothing was signed


def test_eight_requests_at_once_make_one_proof_and_are_all_answered(device: Device) -> None:
    device.bind()
    device.lose_presence()
    device.pass_the_grace()
    tabs = [device.tab() for _ in range(7)]
    statuses = device.page.evaluate(
        """() => Promise.all(Array.from({ length: 8 }, async () =>
             (await fetch("/refresh_token", { method: "POST" })).status))"""
    )
    assert statuses == [200] * 8
    assert [device.refresh(tab) for tab in tabs] == [200] * 7
    assert len(device.site.answers(PROVE)) <= 2  # and perhaps another behind them
    assert set(device.site.answers(PROVE)) == {200}


def test_eight_requests_of_an_unbound_session_make_one_key(device: Device) -> None:
    device.sign_in()
    statuses = device.page.evaluate(
        """() => Promise.all(Array.from({ length: 8 }, async () =>
             (await fetch("/refresh_token", { method: "POST" })).status))"""
    )
    assert statuses == [200] * 8
    wait_for("the registration", lambda: device.presence)
    for _ in range(3):
        device.pass_the_grace()
        assert device.refresh() == 200
    assert device.site.answers(REGISTER) == [200]


def test_a_binding_outlives_a_restart_of_the_browser(device: Device) -> None:
    """The browser has lost its challenge and asks for one."""
    device.bind()
    key = key_of(device)
    device.restart()
    device.lose_presence()
    device.pass_the_grace()
    assert device.refresh() == 200
    assert device.site.answers(PROVE) == [403, 200]
    assert key_of(device) == key


@pytest.mark.parametrize("status", [500, 502, 503])
def test_trouble_where_keys_are_proven_logs_nobody_out(device: Device, status: int) -> None:
    """The browser says that it could not, is told to come back, and is served when the trouble is over."""
    device.bind()
    device.lose_presence()
    device.site.instead[PROVE] = status
    assert device.refresh() == UNAVAILABLE
    (skipped,) = [one for one in device.site.asked(REFRESH_TOKEN) if "Secure-Session-Skipped" in one.headers]
    assert "server_error" in skipped.headers["Secure-Session-Skipped"]
    assert skipped.status == 503
    del device.site.instead[PROVE]
    wait_for("a refresh", lambda: device.refresh() == 200)
    assert "session_ended" not in happenings(device)


def test_a_hung_answer_logs_nobody_out(device: Device) -> None:
    device.bind()
    device.lose_presence()
    gate = device.site.gates[PROVE] = threading.Event()
    assert device.refresh() == UNAVAILABLE
    (skipped,) = [one for one in device.site.asked(REFRESH_TOKEN) if "Secure-Session-Skipped" in one.headers]
    assert "unreachable" in skipped.headers["Secure-Session-Skipped"]
    gate.set()
    wait_for("a refresh", lambda: device.refresh() == 200)


def test_a_cut_connection_logs_nobody_out(device: Device) -> None:
    """The browser sends the same proof again, which is as good as the first time."""
    device.bind()
    device.lose_presence()
    device.site.dropped.append(PROVE)
    wait_for("a refresh", lambda: device.refresh() == 200)
    proofs = [request.headers["Secure-Session-Response"] for request in device.site.asked(PROVE)]
    assert device.site.answers(PROVE)[:2] == [0, 200]
    assert len(set(proofs)) == 1


def test_a_browser_that_is_out_of_signatures_is_put_off_and_not_refused(device: Device) -> None:
    """Chromium signs six times in nine minutes for one site."""
    for _ in range(6):
        device.sign_in()
        device.context.clear_cookies(name=OFFERED)
        device.register()
        device.pass_the_grace()
        assert device.refresh() == 200
    device.lose_presence()
    assert device.refresh() == UNAVAILABLE
    last = device.site.asked(REFRESH_TOKEN)[-1]
    assert "quota_exceeded" in last.headers["Secure-Session-Skipped"]
    assert device.refresh() == UNAVAILABLE
    assert key_of(device) is not None


def test_a_page_on_another_origin_of_the_site_waits_for_presence_too(
    secure: SecureSite, serve: Callable[..., Nuovo], new_device: Callable[[SecureSite], Device]
) -> None:
    origin = secure.url_on(OTHER)
    secure.nuovo = serve(device_binding="offer", replay_grace="1", allowed_origins=origin)
    device = new_device(secure)
    device.bind()
    device.lose_presence()
    page = device.context.new_page()
    page.goto(f"{origin}/blank")
    assert page.evaluate(REFRESH, secure.url + REFRESH_TOKEN) == 200
    last = secure.asked(REFRESH_TOKEN)[-1]
    assert last.headers["Origin"] == origin
    assert f"{PRESENCE}=" in last.headers["Cookie"]


def test_after_log_out_a_new_session_is_bound_to_a_new_key(device: Device) -> None:
    """The browser's old key is told that it is over, and takes no presence from the new one."""
    device.bind()
    old_key = key_of(device)
    assert device.page.evaluate("fetch('/revoke_token', { method: 'POST' }).then(({ status }) => status)") == 200
    assert device.presence is None
    device.context.clear_cookies(name=OFFERED)
    device.bind()
    new_key = key_of(device)
    assert new_key not in (None, old_key)
    for _ in range(3):
        device.lose_presence()
        device.pass_the_grace()
        assert device.refresh() == 200
        assert key_of(device) == new_key
    assert len(set(identifiers(device.site)[-2:])) == 1


def test_a_new_sign_in_over_a_bound_session_is_bound_to_a_new_key(device: Device) -> None:
    """With the old session's presence still in the browser."""
    device.bind()
    old_key = key_of(device)
    device.context.clear_cookies(name=OFFERED)
    device.sign_in()
    assert key_of(device) is None
    assert device.refresh() == 200
    wait_for("the registration", lambda: len(device.site.answers(REGISTER)) == 2)
    device.pass_the_grace()
    assert device.refresh() == 200
    assert key_of(device) not in (None, old_key)
    device.lose_presence()
    assert device.refresh() == 200


def test_a_stolen_cookie_jar_is_worth_nothing_and_its_owner_goes_on(
    device: Device, new_device: Callable[[SecureSite], Device]
) -> None:
    device.bind()
    jar = device.context.cookies()
    thief = new_device(device.site)
    thief.context.add_cookies([cookie for cookie in jar if cookie["name"] != PRESENCE])  # type: ignore[misc]
    assert thief.refresh() == NOT_PROVEN
    thief.pass_the_grace()
    assert thief.refresh() == NOT_PROVEN
    assert thief.site.answers(REGISTER) == [200]  # the owner's: the thief is offered nothing
    assert device.refresh() == 200
    device.lose_presence()
    device.pass_the_grace()
    assert device.refresh() == 200
    assert "session_ended" not in happenings(device)


def test_a_thief_with_both_cookies_is_served_no_longer_than_presence_lasts(
    device: Device, new_device: Callable[[SecureSite], Device]
) -> None:
    device.bind()
    thief = new_device(device.site)
    thief.context.add_cookies(device.context.cookies())  # type: ignore[arg-type]
    assert thief.refresh() == 200
    thief.lose_presence()
    assert thief.refresh() == NOT_PROVEN
    assert device.refresh() == 200


def lose_the_binding(device: Device, status: int = 404) -> None:
    """Let a proxy answer once, while a deployment is under way: to the browser, its key is over."""
    device.lose_presence()
    device.site.instead[PROVE] = status
    device.refresh()
    del device.site.instead[PROVE]


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_a_stray_refusal_costs_a_sign_in(device: Device, status: int) -> None:
    """So Nuovo answers none of them to an honest browser, and documents that its proxy must not either."""
    device.bind()
    lose_the_binding(device, status)
    assert device.refresh() == NOT_PROVEN
    assert the_cookie(device.context)  # a refusal for want of a key never clears it
    assert device.site.answers(REGISTER) == [200]  # and offers nothing
    device.context.clear_cookies(name=OFFERED)
    device.bind()
    assert device.refresh() == 200


def test_where_binding_is_required_an_honest_browser_notices_nothing(
    secure: SecureSite, serve: Callable[..., Nuovo], new_device: Callable[[SecureSite], Device]
) -> None:
    secure.nuovo = serve(device_binding="require", replay_grace="1")
    device = new_device(secure)
    device.sign_in()
    device.register()
    for _ in range(3):
        device.pass_the_grace()
        assert device.refresh() == 200
    assert key_of(device) is not None


def test_where_binding_is_required_the_client_waits_for_the_key(
    secure: SecureSite, serve: Callable[..., Nuovo], new_device: Callable[[SecureSite], Device]
) -> None:
    """Tabs that ask while the first one's offer is being taken are refused at first, and make no key of their own."""
    secure.nuovo = serve(device_binding="require", replay_grace="1")
    device = new_device(secure)
    device.sign_in()
    gate = secure.gates[REGISTER] = threading.Event()
    assert device.refresh() == 200
    device.pass_the_grace()
    tabs = [device.context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto(secure.url)
        tab.evaluate("() => { window.token = session.accessToken(); }")
    wait_for("a refusal", lambda: 401 in secure.answers(REFRESH_TOKEN))
    gate.set()
    for tab in tabs:
        assert tab.evaluate("token").count(".") == 2
        assert not [event for event in tab.evaluate("events") if event.startswith("ended")]
    assert secure.answers(REGISTER) == [200]


def test_where_binding_is_required_a_browser_that_cannot_is_refused_and_keeps_its_cookie(
    secure: SecureSite, serve: Callable[..., Nuovo], launch: Callable[..., Any], certificate: Certificate
) -> None:
    secure.nuovo = serve(device_binding="require", replay_grace="1")
    arguments = [argument for argument in certificate.arguments if "features" not in argument]
    context = launch(args=arguments).new_context()
    page = context.new_page()
    page.goto(f"{secure.url}/blank")
    page.evaluate("fetch('/login', { method: 'POST' })")
    assert page.evaluate(REFRESH) == 200
    page.wait_for_timeout(2_100)  # what was given a moment ago is repeated
    assert page.evaluate(REFRESH) == NOT_PROVEN
    assert the_cookie(context)
    assert secure.answers(REGISTER) == []


@pytest.mark.parametrize("answer", ["arrives", "is lost"])
def test_two_offers_at_once_leave_one_key(
    secure: SecureSite, serve: Callable[..., Nuovo], new_device: Callable[[SecureSite], Device], answer: str
) -> None:
    """Without a grace each of two tabs rotates and is offered a key, and the browser makes two.

    Also if the answer of the rotation that bound the session never arrives, and presence has ended since.
    """
    secure.nuovo = serve(device_binding="offer", replay_grace="0")
    device = new_device(secure)
    device.sign_in()
    gate = secure.gates[REGISTER] = threading.Event()
    statuses = device.page.evaluate(
        """() => Promise.all(Array.from({ length: 2 }, async () =>
             (await fetch("/refresh_token", { method: "POST" })).status))"""
    )
    assert statuses == [200, 200]
    gate.set()
    wait_for("both registrations", lambda: len(secure.answers(REGISTER)) == 2)
    if answer == "is lost":
        secure.dropped.append(REFRESH_TOKEN)
        device.page.evaluate("fetch('/refresh_token', { method: 'POST' }).catch(() => {})")
        assert key_of(device) is None
        assert "session_bound" in happenings(device)
        device.lose_presence()
    for _ in range(4):
        assert device.refresh() == 200
        device.lose_presence()
    assert key_of(device) is not None
    assert len(set(identifiers(secure)[-2:])) == 1
    assert "session_ended" not in happenings(device)


def test_what_is_bound_stays_so_when_binding_is_switched_off(
    secure: SecureSite, serve: Callable[..., Nuovo], new_device: Callable[[SecureSite], Device]
) -> None:
    nuovo = secure.nuovo = serve(device_binding="offer", replay_grace="1", client_id="switched-off-later")
    device = new_device(secure)
    device.bind()
    key = key_of(device)
    stolen = device.refresh_cookie["value"]
    nuovo.kill()
    nuovo.environment["NUOVO_DEVICE_BINDING"] = "off"
    nuovo.start()
    device.lose_presence()
    device.pass_the_grace()
    assert device.refresh() == 200
    assert key_of(device) == key
    device.lose_presence()
    secure.instead[PROVE] = 503
    assert device.refresh() == UNAVAILABLE
    del secure.instead[PROVE]
    device.context.clear_cookies()
    assert claims_of(stolen)["cnf"]
    device.sign_in()
    assert device.refresh() == 200
    device.pass_the_grace()
    assert device.refresh() == 200
    assert secure.answers(REGISTER) == [200]  # nothing new is offered


def test_no_script_registers_a_key_of_its_own(device: Device) -> None:
    """One that was smuggled into a page (XSS) reads the offer, and could sign it."""
    device.sign_in()
    statuses = device.page.evaluate(
        """async () => {
          const refreshed = await fetch("/refresh_token", { method: "POST" });
          const offer = refreshed.headers.get("secure-session-registration").match(/challenge="(.*)"/)[1];
          const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
          const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", pair.publicKey);
          const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
            .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
          const part = (value) => text(new TextEncoder().encode(JSON.stringify(value)));
          const message = `${part({ alg: "ES256", typ: "dbsc+jwt", jwk: { kty, crv, x, y } })}.${part({ jti: offer })}`;
          const algorithm = { name: "ECDSA", hash: "SHA-256" };
          const signature = await crypto.subtle.sign(algorithm, pair.privateKey, new TextEncoder().encode(message));
          const headers = { "Secure-Session-Response": `${message}.${text(signature)}` };
          const statuses = [];
          for (const mode of ["cors", "same-origin", "no-cors"]) {
            const answer = await fetch("/dbsc/register", { method: "POST", mode, headers });
            statuses.push(answer.status);
          }
          return statuses;
        }"""
    )
    assert statuses[:2] == [403, 403]
    assert statuses[2] == 400  # the browser has left the header out
