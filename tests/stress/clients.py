"""How clients present refresh tokens, with a key and without: each object is one client with one session of its own."""

import itertools
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import orjson

from tests.device import Device, challenge_in, offer_in
from tests.e2e.client import REFRESH_COOKIE, SAME_ORIGIN, Answer, Client
from tests.key_holder import KeyHolder

PUBLIC_URL = "https://auth.example.org"
"""What proofs name. Where the service is reached in fact does not matter to it."""
_USES_OF_A_PRESENCE = 4


class Bearer:
    """Sends its token by header, and has no key."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        """What its login service adds to the sign-in."""

    def headers(self, token: str) -> dict[str, str]:
        """Return what presents a token."""
        return {"Authorization": f"Bearer {token}"}

    def refresh(self, client: Client, token: str) -> Answer:
        """Present a token. Tabs do so at the same time."""
        return client.request("POST", "/refresh_token", headers=self.headers(token))


class Program(Bearer):
    """Is bound from its start, and proves its key by DPoP."""

    def __init__(self) -> None:
        super().__init__()
        self._key = KeyHolder()
        self._nonce: str | None = None
        self.fields["dpop_jkt"] = self._key.thumbprint

    def headers(self, token: str) -> dict[str, str]:
        return super().headers(token) | {"DPoP": self._key.prove("POST", f"{PUBLIC_URL}/refresh_token", self._nonce)}

    def refresh(self, client: Client, token: str) -> Answer:
        answer = self._ask(client, token)
        is_stale = 'error="use_dpop_nonce"' in answer.headers.get("www-authenticate", "")
        return self._ask(client, token) if is_stale else answer

    def _ask(self, client: Client, token: str) -> Answer:
        answer = super().refresh(client, token)
        self._nonce = answer.headers.get("dpop-nonce", self._nonce)
        return answer


class Browser(Bearer):
    """Takes the first offer to bind its session to its device, and shows presence from then on.

    Until then its tabs let one of them refresh at a time, as those with `/client.js` do. Presence is renewed before it
    is over, as Chromium does it, only sooner. A step of this that is not answered as the draft has it is an error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fields["transport"] = "cookie"
        self._device = Device()
        self._jar: dict[str, str] = {}
        self._identifier: str | None = None
        self._one_tab = threading.Lock()
        self._uses = itertools.count(1)

    def headers(self, token: str) -> dict[str, str]:
        cookies = {**self._jar, REFRESH_COOKIE: token}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()), **SAME_ORIGIN}

    def refresh(self, client: Client, token: str) -> Answer:
        turn: AbstractContextManager[object] = self._one_tab if self._identifier is None else nullcontext()
        with turn:
            if self._identifier is not None and next(self._uses) % _USES_OF_A_PRESENCE == 0:
                self._renew(client, token, self._identifier)
            answer = self._post(client, "/refresh_token", token, {})
            offered = answer.headers.get("secure-session-registration")
            if self._identifier is None and offered is not None:
                self._register(client, answer.refresh_token, offer_in(offered))
            return answer

    def _register(self, client: Client, token: str, offer: str) -> None:
        proof = {"Secure-Session-Response": self._device.register(offer), "Sec-Fetch-Mode": "no-cors"}
        answer = self._post(client, "/dbsc/register", token, proof)
        assert answer.status == 200, answer.body
        self._identifier = orjson.loads(answer.body)["session_identifier"]

    def _renew(self, client: Client, token: str, identifier: str) -> None:
        name = {"Sec-Secure-Session-Id": f'"{identifier}"'}
        asked = self._post(client, "/dbsc/refresh", token, name)
        assert asked.status == 403, asked.body
        proof = self._device.prove(challenge_in(asked.headers["secure-session-challenge"]))
        answer = self._post(client, "/dbsc/refresh", token, name | {"Secure-Session-Response": proof})
        assert answer.status == 200, answer.body
        assert orjson.loads(answer.body)["session_identifier"] == identifier

    def _post(self, client: Client, path: str, token: str, headers: Mapping[str, str]) -> Answer:
        answer = client.request("POST", path, headers={**self.headers(token), **headers})
        for name, value in answer.cookies.items():
            if value:
                self._jar[name] = value
            else:
                self._jar.pop(name, None)
        return answer


CLIENTS: tuple[type[Bearer], ...] = (Bearer, Program, Bearer, Browser)
"""Of four sessions in turn, whose they are."""


def by_form(client: Client, token: str) -> Answer:
    """Present a token as clients of OAuth 2.0 do, without a proof."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return client.request(
        "POST", "/oauth/token", headers=form, body=f"grant_type=refresh_token&refresh_token={token}".encode()
    )


def with_another_key(client: Client, token: str) -> Answer:
    """Present a token with a sound proof of a thief's own key."""
    return Program().refresh(client, token)


THEFTS = (Client.refresh, Client.refresh_by_cookie, by_form, with_another_key)
"""How whoever has nothing but the token may present it."""
REFUSALS = {
    (401, "Key not proven."): True,
    (400, "invalid_dpop_proof"): True,
    (401, "Invalid refresh token."): False,
    (400, "invalid_grant"): False,
}
"""By status and word, whether a theft was refused for want of the key, or because the session was over."""
