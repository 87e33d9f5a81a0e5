"""Keys are changed under load, and nobody is refused: two instances, clients that never rest, verifiers that cache.

The runbook of `docs/operations.md` is walked minute by minute, with the instances restarted one after the other.
"""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from falcon.testing import TestClient
from joserfc import jws
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode

from domain.model.sessions import SessionPolicy
from domain.model.users import User
from entrypoints.http.app import create_app
from entrypoints.http.published import MAX_AGE
from entrypoints.http.refresh_cookie import RefreshCookie
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import generate_private_key, private_key, public_half, public_key
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.users import FakeUsers
from tests.http.contract import bearer, refresh_token_of

OLD, NEW = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU", "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"
OLD_PEM, NEW_PEM = generate_private_key("ES256"), generate_private_key("ES256")
MINUTE = 60
POLICY = SessionPolicy(access_token_ttl=10 * MINUTE, refresh_token_ttl=30 * MINUTE)
ACCESS_LIFE, REFRESH_LIFE, KEPT = 10, 30, MAX_AGE // MINUTE
"""Minutes after which the last token of a kind has expired, and the last copy of the keys is too old."""
RHYTHMS = (1, 3, 7, 29)
"""Every how many minutes each client refreshes; the last one hardly in time."""


@dataclass(frozen=True)
class Keys:
    """The settings of one instance that concern keys."""

    secret: str = OLD
    previous: tuple[str, ...] = ()
    signing: str = OLD_PEM
    verifying: tuple[str, ...] = ()

    def ring(self) -> KeyRing:
        verifying = [public_key(public_half(pem)) for pem in self.verifying]
        return KeyRing(self.secret, self.previous, access_key=private_key(self.signing), verification_keys=verifying)


Runbook = list[tuple[int, Keys]]
"""After how many minutes the instances are restarted, and with what."""
CHANGE_OF_THE_SECRET: Runbook = [
    (1, Keys(previous=(NEW,))),
    (1, Keys(secret=NEW, previous=(OLD,))),
    (REFRESH_LIFE, Keys(secret=NEW)),
]
CHANGE_OF_THE_ACCESS_KEY: Runbook = [
    (1, Keys(verifying=(NEW_PEM,))),
    (KEPT, Keys(signing=NEW_PEM, verifying=(OLD_PEM,))),
    (ACCESS_LIFE, Keys(signing=NEW_PEM)),
]


class Stage:
    """Two instances over one store, and what goes wrong at them."""

    def __init__(self) -> None:
        self.troubles: set[str] = set()
        self._minute = 0
        self._clock, self._sessions, self._users = FakeClock(), FakeSessions(), FakeUsers(User(id="ada"))
        self._keys = [Keys(), Keys()]
        self._restart()
        self._copies: list[tuple[int, list[dict[str, Any]]]] = []
        self._live: list[tuple[int, str]] = []
        self._clients = [refresh_token_of(self._service(Keys().ring()).sign_in()) for _ in RHYTHMS]

    def _service(self, ring: KeyRing) -> FakeService:
        return FakeService(
            policy=POLICY,
            clock=self._clock,
            tokens=AuthlibTokenCodec(ring, issuer="nuovo", audience="api", client_id="frontend"),
            users=self._users,
            sessions=self._sessions,
        )

    def _restart(self) -> None:
        rings = [keys.ring() for keys in self._keys]
        self._instances = [
            TestClient(
                create_app(
                    self._service(ring),
                    check_ready=lambda: None,
                    cookie=RefreshCookie(),
                    public_keys=ring.public_keys,
                )
            )
            for ring in rings
        ]

    def walk(self, runbook: Runbook) -> None:
        """Take the steps, one instance two minutes after the other; then go on for as long as any token lives."""
        for minutes, keys in runbook:
            self._pass(minutes)
            for number in range(len(self._keys)):
                self._pass(2 if number else 0)
                self._keys[number] = keys
                self._restart()
        self._pass(REFRESH_LIFE)

    def _pass(self, minutes: int) -> None:
        for _ in range(minutes):
            self._clock.advance(MINUTE)
            self._minute += 1
            now = self._clock.now()
            self._copies = [copy for copy in self._copies if copy[0] >= now - MAX_AGE]
            self._copies += [
                (now, instance.simulate_get("/.well-known/jwks.json").json["keys"]) for instance in self._instances
            ]
            self._live = [(until, token) for until, token in self._live if until > now]
            for number, rhythm in enumerate(RHYTHMS):
                if self._minute % rhythm == 0:
                    self._refresh(number, now)
            self._verify_all()

    def _refresh(self, number: int, now: int) -> None:
        """Let a client refresh, now here and now there."""
        instance = self._instances[(self._minute + number) % len(self._instances)]
        answer = instance.simulate_post("/refresh_token", headers=bearer(self._clients[number]))
        if answer.status_code != 200:
            self.troubles.add("a client is refused")
            return
        self._clients[number] = answer.json["data"]["refresh_token"]
        self._live.append((now + POLICY.access_token_ttl, answer.json["data"]["access_token"]))

    def _verify_all(self) -> None:
        """Ask every verifier there may be, with a copy of the keys of any age that it may have; and Nuovo itself."""
        for _, token in self._live:
            kid = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode()))["kid"]
            if not all(any(key["kid"] == kid for key in keys) for _, keys in self._copies):
                self.troubles.add("a verifier has not heard of a key")
                continue
            jws.deserialize_compact(token, KeySet.import_key_set({"keys": self._copies[0][1]}), ["ES256"])
            for instance in self._instances:
                if instance.simulate_get("/sessions", headers=bearer(token)).status_code != 200:
                    self.troubles.add("an instance refuses an access token")


@pytest.mark.parametrize("runbook", [CHANGE_OF_THE_SECRET, CHANGE_OF_THE_ACCESS_KEY], ids=["secret", "access key"])
def test_nobody_is_refused_while_a_key_is_changed(runbook: Runbook) -> None:
    stage = Stage()
    stage.walk(runbook)
    assert stage.troubles == set()


@pytest.mark.parametrize(
    ("hasty", "trouble"),
    [
        (CHANGE_OF_THE_SECRET[1:], "a client is refused"),
        ([*CHANGE_OF_THE_SECRET[:2], (REFRESH_LIFE // 2, Keys(secret=NEW))], "a client is refused"),
        (CHANGE_OF_THE_ACCESS_KEY[1:], "a verifier has not heard of a key"),
        (
            [CHANGE_OF_THE_ACCESS_KEY[0], (KEPT - 2, CHANGE_OF_THE_ACCESS_KEY[1][1])],
            "a verifier has not heard of a key",
        ),
        (
            [*CHANGE_OF_THE_ACCESS_KEY[:2], (ACCESS_LIFE // 2, Keys(signing=NEW_PEM))],
            "a verifier has not heard of a key",
        ),
    ],
    ids=["secret unannounced", "secret dropped", "key unannounced", "key too soon", "key dropped"],
)
def test_whoever_hurries_is_caught(hasty: Runbook, trouble: str) -> None:
    """So the runbook's waiting is what it takes."""
    stage = Stage()
    stage.walk(hasty)
    assert trouble in stage.troubles
