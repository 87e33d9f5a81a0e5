"""Tokens and keys stay where they belong: in no output, log, database file or error page of a service at DEBUG."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.e2e.client import Answer, Client
from tests.e2e.nginx import ProxiedNuovo
from tests.e2e.server import USER, Nuovo
from tests.hostile.catalogue import every_token
from tests.hostile.forge import PREVIOUS_SECRET, REFRESH, SECRET
from tests.hostile.proofs import every_proof
from tests.hostile.requests import AUTHORIZATIONS, NASTY
from tests.hostile.wire import exchange, request_bytes
from tests.key_holder import KeyHolder

WINDOW = 16
PUBLIC_URL = "https://auth.example.org"


class Canaries:
    """Secrets that were used, and the search for any 16 characters of them."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = set(secrets)
        self._public = {REFRESH.header}

    def add(self, token: str) -> None:
        """Remember a token: its payload and its signature. All tokens of a service share their header."""
        self._secrets.update(token.split(".")[1:])

    def give_away(self, nonce: str) -> None:
        """Remember what is told to anybody: it is signed with the same key, and holds a time as tokens do."""
        self._public.add(nonce)

    def found_in(self, text: str) -> list[str]:
        """Return what 16 characters of a secret `text` holds."""
        secret = {window for secret in self._secrets for window in windows_of(secret)}
        public = {window for given in self._public for window in windows_of(given)}
        return sorted(secret.intersection(windows_of(text)) - public)


def windows_of(text: str) -> Iterator[str]:
    """Yield every 16 characters that stand in a row."""
    return (text[begin : begin + WINDOW] for begin in range(len(text) - WINDOW + 1))


class Tour:
    """Everything that a client can make happen to sessions, and what it was answered when it was refused."""

    def __init__(self, nuovo: Nuovo) -> None:
        self.nuovo = nuovo
        self.canaries = Canaries(SECRET, PREVIOUS_SECRET, nuovo.service_credential)
        self.error_pages: list[str] = []

    def run(self) -> None:
        with Client(self.nuovo.inner_url) as client:
            self._honest(client)
            self._refused(client)
        self._hostile()

    def _note(self, answer: Answer) -> Answer:
        if "dpop-nonce" in answer.headers:
            self.canaries.give_away(answer.headers["dpop-nonce"])
        if answer.status >= 400:
            self.error_pages.append(f"{answer.headers} {answer.body.decode()}")
            return answer
        if b'"data"' not in answer.body:
            return answer
        tokens = [answer.data.get("access_token"), answer.data.get("refresh_token")]
        if "set-cookie" in answer.headers:
            tokens.append(answer.refresh_token)
        for token in filter(None, tokens):
            self.canaries.add(token)
        return answer

    def _honest(self, client: Client) -> None:
        first = self._note(client.sign_in(self.nuovo.service_credential, USER, device="Ada's \u2028 Laptop \U0001f600"))
        self._note(client.refresh(first.refresh_token))
        second = self._note(client.refresh(first.refresh_token))  # as if the answer had been lost
        third = self._note(client.refresh_by_cookie(second.refresh_token))
        assert client.get("/sessions", third.access_token).status == 200
        assert self._note(client.refresh(first.refresh_token)).status == 401
        assert self._note(client.refresh(third.refresh_token)).status == 401
        phone = self._note(client.sign_in(self.nuovo.service_credential, USER, device="Phone"))
        assert client.log_out(phone.refresh_token).status == 200
        again = self._note(client.sign_in(self.nuovo.service_credential, USER))
        assert client.delete("/sessions", again.access_token).status == 200
        self._note(client.refresh(again.refresh_token))
        self._oauth(client)
        self._prove(client)

    def _oauth(self, client: Client) -> None:
        """Present tokens in forms and, where they do not belong, in addresses; and a credential as a client does."""
        token = self._note(client.sign_in(self.nuovo.service_credential, USER, claims={"role": "admin"})).refresh_token
        basic = b64encode(f"login:{self.nuovo.service_credential}".encode()).decode()
        self.canaries.add(f".{basic}")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        bearer = {"Authorization": f"Bearer {self.nuovo.service_credential}"}
        for path in ("/oauth/introspect", "/oauth/token", "/oauth/revoke"):
            form = urlencode({"grant_type": "refresh_token", "refresh_token": token, "token": token}).encode()
            answer = client.request("POST", path, headers=headers | bearer, body=form)
            assert answer.status == 200
            for name in ("access_token", "refresh_token"):
                if name in (told := json.loads(answer.body)):
                    self.canaries.add(told[name])
            for wrong in (form + b"x", form * 2, form.swapcase(), b""):
                self._note(client.request("POST", path, headers=headers | bearer, body=wrong))
            refused = headers | {"Authorization": f"Basic {basic}"}
            self._note(client.request("POST", f"{path}?token={token}", headers=refused, body=form))

    def _prove(self, client: Client) -> None:
        """Refresh a session that is bound to a key: without a proof, with an honest one, and with hostile ones."""
        holder = KeyHolder()
        pair = self._note(client.sign_in(self.nuovo.service_credential, USER, dpop_jkt=holder.thumbprint))
        url = f"{PUBLIC_URL}/refresh_token"
        headers = {"Authorization": f"Bearer {pair.refresh_token}"}
        nonce = self._note(client.request("POST", "/refresh_token", headers=headers)).headers["dpop-nonce"]
        for method, status in (("GET", 401), ("POST", 200)):
            proof = holder.prove(method, url, nonce)
            self.canaries.add(proof)
            answer = self._note(client.request("POST", "/refresh_token", headers=headers | {"DPoP": proof}))
            assert answer.status == status
        for name, proof in every_proof(nonce):
            if proof.isascii() and proof.isprintable() and proof.count(".") == 2 and 500 < len(proof) < 4000:
                self.canaries.add(proof)
                answer = self._note(client.request("POST", "/refresh_token", headers=headers | {"DPoP": proof}))
                assert answer.status in (400, 401), name

    def _refused(self, client: Client) -> None:
        answer = self._note(client.sign_in(self.nuovo.service_credential, USER))
        self._note(client.get("/sessions", answer.refresh_token))
        self._note(client.refresh(answer.access_token))
        self._note(client.sign_in(answer.access_token, USER))
        self._note(client.refresh_by_cookie(answer.refresh_token[:-1]))
        for _, token in every_token(REFRESH):
            header, _, rest = token.partition(".")
            if header == REFRESH.header and rest.isascii() and rest.isprintable() and len(token) < 6000:
                self.canaries.add(token)
                self._note(client.refresh(token))

    def _hostile(self) -> None:
        """Send hostile headers, an honest token among them, over connections of their own."""
        with Client(self.nuovo.inner_url) as client:
            token = self._note(client.sign_in(self.nuovo.service_credential, USER)).refresh_token
        for authorization in AUTHORIZATIONS:
            self._send(
                "POST /refresh_token HTTP/1.1", f"Authorization: {authorization[:5000]}".replace("{token}", token)
            )
        for value in NASTY:
            for name in ("X-Request-ID", "Cookie", "Host", "User-Agent", "Referer"):
                header = f"{name}: {value[:5000]}"
                self._send(f"GET /{token}?{token} HTTP/1.1", header, f"Authorization: Bearer {token}")
            self._send(f"GET /{value[:2000]} HTTP/1.1")

    def _send(self, *lines: str) -> None:
        for door in {self.nuovo.url, self.nuovo.inner_url}:
            exchange(door, request_bytes(*lines))


@pytest.fixture(
    params=[(Nuovo, "json"), (Nuovo, "text"), (ProxiedNuovo, "json")], ids=["json", "text", "json, behind nginx"]
)
def toured(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tour]:
    """Yield a tour of a service that logs all it can."""
    kind, log_format = request.param
    environment = {
        "NUOVO_LOG_LEVEL": "DEBUG",
        "NUOVO_LOG_FORMAT": log_format,
        "NUOVO_SECRET_KEY": SECRET,
        "NUOVO_PREVIOUS_SECRET_KEYS": PREVIOUS_SECRET,
        "NUOVO_REPLAY_GRACE": "0",
        "NUOVO_PUBLIC_URL": PUBLIC_URL,
    }
    with kind(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3", environment=environment).prepare() as nuovo:
        tour = Tour(nuovo)
        tour.run()
        yield tour


def test_no_part_of_a_secret_leaves_the_service(toured: Tour) -> None:
    """Into the database, a log or what it prints, nginx's logs and files among them."""
    nuovo, canaries = toured.nuovo, toured.canaries
    files = filter(Path.is_file, nuovo.folder.rglob("*"))
    kept = {file.name: file.read_bytes().decode("latin-1") for file in files}
    assert {"nuovo.sqlite3", "nuovo.sqlite3-wal"} <= kept.keys()
    assert {".stdout", ".stderr"} <= {Path(name).suffix for name in kept}
    assert {name: found for name, text in kept.items() if (found := canaries.found_in(text))} == {}
    assert len(toured.error_pages) > 100
    assert canaries.found_in("\n".join(toured.error_pages)) == []
    log = nuovo.log_text
    for word in (
        "session_started",
        "refresh_rotated",
        "session_ended",
        "refresh_refused",
        "bad_signature",
        "proof_malformed",
    ):
        assert word in log, "a log that says nothing proves nothing"
    assert "Traceback" not in log
    if nuovo.environment["NUOVO_LOG_FORMAT"] == "json":
        assert all(isinstance(line, dict) for line in nuovo.log_lines)


@pytest.mark.parametrize("length", [WINDOW, 40])
@pytest.mark.parametrize("place", [1, 2])
def test_a_leak_is_found(place: int, length: int) -> None:
    """Any 16 characters of a payload or a signature, anywhere in a line."""
    canaries = Canaries(SECRET)
    canaries.add(REFRESH.honest)
    leaked = REFRESH.honest.split(".")[place][-length:]
    assert canaries.found_in(f'{{"event":"refused","hint":"…{leaked}"}}')
    assert canaries.found_in(f"key={SECRET}")
    assert canaries.found_in(f'{{"event":"refused","hint":"…{leaked[-15:]}"}}') == []
