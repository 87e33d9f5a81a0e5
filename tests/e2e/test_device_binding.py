"""Sessions bound to their device, over the wire: bare, and behind the documented nginx."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device import Device, challenge_in, offer_in
from tests.e2e.client import REFRESH_COOKIE, Answer, Client
from tests.e2e.nginx import SERVERS, ProxiedNuovo
from tests.e2e.server import USER, Nuovo

PRESENCE, OFFERED = "__Host-presence", "__Host-binding-offered"
SETTINGS = {"NUOVO_DEVICE_BINDING": "offer", "NUOVO_REPLAY_GRACE": "0"}
OTHERS = "theme=dark; __Host-other=1; x__Host-presence=no; "
"""Cookies of the application, which come with every request."""


class Browser:
    """What a browser sends, with a key of a device."""

    def __init__(self, client: Client, refresh_token: str, algorithm: str) -> None:
        self.client, self.device = client, Device(algorithm)
        self.cookies = {REFRESH_COOKIE: refresh_token}

    def post(self, path: str, *, surplus: str = "", **headers: str) -> Answer:
        cookie = OTHERS + "; ".join(f"{name}={value}" for name, value in self.cookies.items()) + surplus
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.request("POST", path, headers={"Cookie": cookie, "Sec-Fetch-Site": "same-origin", **sent})
        self.cookies |= answer.cookies
        return answer

    def register(self) -> Answer:
        proof = self.device.register(offer_in(self.post("/refresh_token").headers["secure-session-registration"]))
        return self.post("/dbsc/register", Secure_Session_Response=proof, Sec_Fetch_Mode="no-cors")

    def prove(self, identifier: str, challenged: Answer, surplus: str = "") -> Answer:
        challenge = challenge_in(challenged.headers["secure-session-challenge"])
        return self.post(
            "/dbsc/refresh",
            surplus=surplus,
            Sec_Secure_Session_Id=f'"{identifier}"',
            Secure_Session_Response=self.device.prove(challenge),
        )


@pytest.fixture(scope="module", params=list(SERVERS.values()), ids=list(SERVERS))
def nuovo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nuovo]:
    folder = tmp_path_factory.mktemp("nuovo")
    with request.param(folder, f"sqlite:///{folder}/nuovo.sqlite3", environment=SETTINGS).prepare() as nuovo:
        yield nuovo


@pytest.fixture(params=["ES256", "RS256"])
def browser(request: pytest.FixtureRequest, nuovo: Nuovo) -> Iterator[Browser]:
    with Client(nuovo.inner_url) as login:
        token = login.sign_in(nuovo.service_credential, USER, transport="cookie").refresh_token
    with Client(nuovo.url) as client:
        yield Browser(client, token, request.param)


def test_a_session_is_bound_and_served_with_presence_alone(browser: Browser) -> None:
    registered = browser.register()
    assert registered.status == 200
    assert browser.post("/refresh_token").status == 200
    identifier = registered.headers["secure-session-challenge"].partition('id="')[2].removesuffix('"')
    proven = browser.prove(identifier, registered)
    assert proven.status == 200
    assert browser.post("/refresh_token").status == 200
    del browser.cookies[PRESENCE]
    assert b"Key not proven." in browser.post("/refresh_token").body
    skipped = browser.post("/refresh_token", Secure_Session_Skipped=f'quota_exceeded;session_identifier="{identifier}"')
    assert (skipped.status, skipped.headers["retry-after"]) == (503, "1")


def test_a_second_cookie_of_a_name_is_noticed(browser: Browser) -> None:
    registered = browser.register()
    identifier = registered.headers["secure-session-challenge"].partition('id="')[2].removesuffix('"')
    for name in (PRESENCE, REFRESH_COOKIE):
        assert browser.prove(identifier, registered, surplus=f"; {name}=planted").status == 503
        assert browser.post("/refresh_token", surplus=f"; theme=light;{name}=planted").status == 400
    assert browser.prove(identifier, registered).status == 200


def test_an_offer_is_not_made_twice_within_moments(browser: Browser) -> None:
    assert "secure-session-registration" in browser.post("/refresh_token").headers
    assert browser.cookies[OFFERED].isdigit()
    assert "secure-session-registration" not in browser.post("/refresh_token").headers


@pytest.mark.skipif("behind nginx" not in SERVERS, reason="it is nginx that limits")
def test_what_is_too_much_for_nginx_ends_no_binding(tmp_path: Path) -> None:
    """To a browser, 429 would be the end of it."""
    with ProxiedNuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3", unlimited=False).prepare() as nuovo:
        with Client(nuovo.url) as client:
            statuses = Counter(client.request("POST", "/dbsc/refresh").status for _ in range(400))
        assert set(statuses) == {400, 503}
        with Client(nuovo.url) as client:
            refused = next(
                answer
                for answer in (client.request("POST", "/dbsc/register") for _ in range(400))
                if answer.status == 503
            )
        assert refused.headers["retry-after"] == "1"
        assert b'"path":"/dbsc/refresh"' in nuovo.nginx.log.read_bytes()
