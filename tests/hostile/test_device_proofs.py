"""Hostile proofs, identifiers and presences of devices, against the reader and through HTTP.

Each differs from an honest one in what its case names. Whoever sends one may hold a key of their own and sign with it.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from falcon.testing import TestClient

from domain.model.errors import InvalidDeviceProofError, StaleDeviceProofError
from domain.model.proofs import DeviceBinding, DeviceSession
from domain.model.sessions import SessionPolicy
from infrastructure.authlib.compact import write
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.key_ring import KeyRing
from ports.device_sessions import DeviceSessions
from tests.device import PROOF_TYPE, Device
from tests.fakes.clock import FakeClock
from tests.fakes.service import SECRET
from tests.hostile.audit import watched
from tests.hostile.conftest import Target
from tests.hostile.forge import REFRESH, SESSION_ID
from tests.hostile.proofs import ANYTHING, SURPLUS, signed_by
from tests.hostile.shapes import BLANKS, FOREIGN, respelled
from tests.http.contract import COOKIE
from tests.key_holder import KeyHolder, part, rsa_key

Named = tuple[str, str]
OTHER_SECRET = "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"
CLOCK = FakeClock()
OWNER, MALLORY = Device(), Device()
OTHER_ALGORITHMS: list[Any] = [
    "none", "None", "", "HS256", "ES384", "RS256", "PS256", "EdDSA", "es256", None, 1, ["ES256"], {},
]  # fmt: skip
OTHER_TYPES = ["JWT", "jwt", "dpop+jwt", "rt+jwt", "at+jwt", "dbsc", "DBSC+JWT", "application/dbsc+jwt", "", None, 1]


@cache
def devices() -> DeviceSessions:
    return AuthlibDeviceSessions(KeyRing(SECRET), CLOCK)


@cache
def owned() -> DeviceSession:
    return devices().register(SESSION_ID, OWNER.register(devices().offer(SESSION_ID)))[0]


def header_cases(header: dict[str, Any], claims: dict[str, Any]) -> Iterator[Named]:
    """Yield proofs with a wrong header, rightly signed by the owner's key."""

    def signed(header: object) -> str:
        return OWNER.holder.signed(json.dumps(header), claims)

    for typ in OTHER_TYPES:
        yield f"typ {typ!r}", signed(header | {"typ": typ})
    for alg in OTHER_ALGORITHMS:
        yield f"alg {alg!r}", signed(header | {"alg": alg})
    for name in header:
        yield f"no {name}", signed({key: value for key, value in header.items() if key != name})
    for name in ("crit", "kid", "x5c", "jku", "x5u", "b64", "zip", "cty", ""):
        for value in (["b64"], "http://127.0.0.1:9/", None):
            yield f"{name!r} {value!r}", signed(header | {name: value})
    for anything in ANYTHING:
        yield f"header {anything!r}", signed(anything)
    text = json.dumps(header)
    yield "a name twice", OWNER.holder.signed('{"typ":"x",' + text[1:], claims)
    yield "NaN", OWNER.holder.signed(text[:-1] + ',"x":NaN}', claims)
    yield "deep", OWNER.holder.signed("[" * 1_000 + "]" * 1_000, claims)
    yield "UTF-16", OWNER.holder.signed(text.encode("utf-16"), claims)


def payload_cases(header: dict[str, Any], challenge: str) -> Iterator[Named]:
    """Yield proofs with a wrong payload, rightly signed."""
    for anything in ANYTHING:
        yield f"payload {anything!r}", OWNER.holder.signed(header, json.dumps(anything))
        if anything != challenge:
            yield f"jti {anything!r}", OWNER.holder.signed(header, {"jti": anything})
    yield "no jti", OWNER.holder.signed(header, {})
    yield "jti twice", OWNER.holder.signed(header, f'{{"jti":"{challenge}","jti":"{challenge}"}}')
    yield "jti of another case", OWNER.holder.signed(header, {"JTI": challenge})
    for cut in (challenge[:-1], challenge + "A", challenge + " ", challenge.swapcase(), challenge.split(".")[1]):
        yield f"jti …{cut[-8:]!r}", OWNER.holder.signed(header, {"jti": cut})
    yield "a challenge by hand", OWNER.holder.signed(header, {"jti": forged_by_hand(challenge)})


def forged_by_hand(challenge: str) -> str:
    """Return a challenge for this session under the service's header, signed by a guess."""
    head, payload, _ = challenge.split(".")
    return f"{head}.{payload}.{part(bytes(32))}"


def shape_cases(honest: str) -> Iterator[Named]:
    """Yield an honest text in other spellings, and none at all."""
    head, payload, end = honest.split(".")
    yield "empty", ""
    for count in range(1, 7):
        if count != 2:
            yield f"{count} dots", "." * count
    yield from (
        ("two parts", f"{head}.{payload}"), ("four parts", f"{honest}.x"), ("no signature", f"{head}.{payload}."),
        ("no payload", f"{head}..{end}"), ("zeros", f"{head}.{payload}.{part(bytes(64))}"),
        ("another's signature", f"{head}.{payload}.{MALLORY.prove('x').split('.')[2]}"),
        ("longer signature", f"{honest}AAAA"), ("shorter signature", honest[:-4]), ("padded", f"{honest}=="),
        ("JSON serialization", json.dumps({"protected": head, "payload": payload, "signature": end})),
        ("long", f"{head}.{payload}{'A' * 8_000}.{end}"), ("two", f"{honest},{honest}"),
    )  # fmt: skip
    for blank in BLANKS:
        yield f"blank {blank!r} inside", f"{head}{blank}.{payload}.{end}"
    for character in FOREIGN:
        yield f"{character!r} inside", f"{head}.{payload}{character}.{end}"
    other = respelled(end)
    if other is not None:
        yield "bits left over", f"{head}.{payload}.{other}"


def key_cases(offer: str) -> Iterator[Named]:
    """Yield registrations of keys that are none, too weak, or told with more than their public half."""
    claims = {"jti": offer}
    jwk = OWNER.holder.jwk

    def with_key(key: object) -> str:
        return OWNER.holder.signed(OWNER.header | {"jwk": key}, claims)

    for anything in ANYTHING:
        yield f"jwk {anything!r}", with_key(anything)
    for name, value in SURPLUS.items():
        yield f"jwk with {name!r}", with_key(jwk | {name: value})
    for name in jwk:
        yield f"jwk without {name}", with_key({key: value for key, value in jwk.items() if key != name})
        for value in ("", "AA", None, 1, jwk[name] + "=", "A" * 43, [jwk[name]]):
            yield f"{name} {str(value)[:8]!r}", with_key(jwk | {name: value})
    yield "off the curve", with_key(jwk | {"y": jwk["x"]})
    yield "another's key", with_key(MALLORY.holder.jwk)
    yield "private", with_key(OWNER.holder.key.as_dict(private=True))
    for holder in (KeyHolder("EdDSA"), KeyHolder("PS256")):
        header = {"alg": holder.algorithm, "typ": PROOF_TYPE, "jwk": holder.jwk}
        yield f"an algorithm that no browser has, {holder.algorithm}", holder.signed(header, claims)
    for bits in (1024, 8192):
        key = rsa_key(bits)
        header = {"alg": "RS256", "typ": PROOF_TYPE, "jwk": key.as_dict(private=False)}
        yield f"RSA of {bits} bits", signed_by("RS256", key, header, claims)
    yield "no key", OWNER.prove(offer)


def registrations() -> Iterator[Named]:
    offer = devices().offer(SESSION_ID)
    yield from header_cases(OWNER.header, {"jti": offer})
    yield from payload_cases(OWNER.header, offer)
    yield from shape_cases(OWNER.register(offer))
    yield from key_cases(offer)


def proofs() -> Iterator[Named]:
    challenge = devices().challenge(owned())
    header = {"alg": "ES256", "typ": PROOF_TYPE}
    yield from header_cases(header, {"jti": challenge})
    yield from payload_cases(header, challenge)
    yield from shape_cases(OWNER.prove(challenge))
    yield "another key", MALLORY.prove(challenge)
    yield "another key, enclosed", MALLORY.register(challenge)
    yield "the key, enclosed", OWNER.register(challenge)


def identifiers() -> Iterator[Named]:
    """Yield identifiers that this service has not given: with a key of Mallory's, or malformed."""
    head, _, end = owned().identifier.split(".")

    def saying(claims: object) -> str:
        return f"{head}.{part(json.dumps(claims, separators=(',', ':')))}.{end}"

    honest = {"sid": SESSION_ID, "alg": "ES256", "jwk": MALLORY.holder.jwk}
    yield "a key of Mallory's", saying(honest)
    yield "signed by Mallory", MALLORY.holder.signed({"alg": "ES256", "typ": "dbsc-session+jwt"}, honest)
    foreign = KeyRing(OTHER_SECRET).of_type("dbsc-session+jwt")
    yield "signed by another service", write(foreign.signing, honest)
    yield "of another type", write(KeyRing(SECRET).of_type("dbsc-presence+jwt").signing, honest)
    for name in honest:
        for anything in ANYTHING:
            yield f"{name} {anything!r}", saying(honest | {name: anything})
        yield f"no {name}", saying({key: value for key, value in honest.items() if key != name})
    yield "more", saying(honest | {"x": 1})
    for anything in ANYTHING:
        yield f"payload {anything!r}", saying(anything)
    for name, text in shape_cases(owned().identifier):
        if name not in ("zeros", "another's signature", "longer signature", "shorter signature", "bits left over"):
            yield name, text


def presences() -> Iterator[Named]:
    honest = devices().prove(owned(), OWNER.prove(devices().challenge(owned()))).text
    yield from shape_cases(honest)
    claims = {"sid": SESSION_ID, "jkt": OWNER.thumbprint, "exp": CLOCK.now() + 300}
    for kind in ("dbsc-challenge+jwt", "dbsc-offer+jwt", "dbsc-session+jwt", "rt+jwt", "at+jwt"):
        yield f"of type {kind}", write(KeyRing(SECRET).of_type(kind).signing, claims)
    yield "of another service", write(KeyRing(OTHER_SECRET).of_type("dbsc-presence+jwt").signing, claims)
    yield "signed by the device", OWNER.holder.signed({"alg": "ES256", "typ": "dbsc-presence+jwt"}, claims)
    yield "a proof", OWNER.prove(devices().challenge(owned()))
    yield "a refresh token", REFRESH.honest


def test_the_honest_ones_are_taken() -> None:
    """What is refused below is refused for what is wrong with it."""
    presence = devices().prove(owned(), OWNER.prove(devices().challenge(owned())))
    assert devices().present(presence.text) is not None


@pytest.mark.parametrize("cases", [registrations, proofs])
def test_every_hostile_proof_is_refused(
    cases: Callable[[], Iterator[Named]], record_property: Callable[[str, object], None]
) -> None:
    """With no effect on the world, and by the one error, or asked for a challenge of now: never taken."""
    count = 0
    for name, text in cases():
        with watched() as seen, pytest.raises((InvalidDeviceProofError, StaleDeviceProofError)) as refused:  # noqa: PT012
            if cases is registrations:
                devices().register(SESSION_ID, text)
            else:
                devices().prove(owned(), text)
            pytest.fail(f"taken: {name}")
        assert not seen, name
        assert len(text) < 20 or text not in repr(refused.value.args), name
        count += 1
    record_property("hostile_device_proofs", count)


def test_every_hostile_identifier_is_refused_or_not_vouched_for(record_property: Callable[[str, object], None]) -> None:
    count = 0
    for name, text in identifiers():
        count += 1
        try:
            assert not devices().find(text).is_vouched, name
        except InvalidDeviceProofError:
            continue
    record_property("hostile_device_identifiers", count)


def test_every_hostile_presence_proves_nothing(record_property: Callable[[str, object], None]) -> None:
    count = 0
    for name, text in presences():
        assert devices().present(text) is None, name
        count += 1
    record_property("hostile_device_presences", count)


@pytest.fixture
def attacked(target: Target) -> tuple[Target, TestClient]:
    """Return a service that binds, which holds Ada's session."""
    target.service.policy = SessionPolicy(device_binding=DeviceBinding.OFFER)
    return target, TestClient(target.new_app())


def sendable(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def test_over_http_none_of_them_is_served_and_nothing_changes(attacked: tuple[Target, TestClient]) -> None:
    """Each gets an answer in the envelope, or is told that its key is over. No cookie is touched."""
    target, client = attacked
    before = target.state()
    cookie = {"Cookie": f"{COOKIE}={REFRESH.honest}", "Sec-Fetch-Mode": "no-cors"}
    asked: list[tuple[str, dict[str, str]]] = [
        *(("/dbsc/register", {"Secure-Session-Response": text}) for _, text in registrations() if sendable(text)),
        *(
            ("/dbsc/refresh", {"Sec-Secure-Session-Id": owned().identifier, "Secure-Session-Response": text})
            for _, text in proofs()
            if sendable(text)
        ),
        *(("/dbsc/refresh", {"Sec-Secure-Session-Id": text}) for _, text in identifiers() if sendable(text)),
    ]
    for path, headers in asked:
        answer = client.simulate_post(path, headers=cookie | headers)
        assert answer.status_code in (200, 400, 403), headers
        assert "Set-Cookie" not in answer.headers, headers
        if answer.status_code == 200:
            assert answer.content == b'{"continue":false}', headers
        else:
            assert answer.json["status"] == "error"
        assert not any(len(text) > 40 and text in target.said() for text in headers.values())
    assert target.state() == before


def test_over_http_a_hostile_presence_binds_nothing(attacked: tuple[Target, TestClient]) -> None:
    _, client = attacked
    for name, text in presences():
        if not sendable(text) or ";" in text:
            continue
        headers = {"Cookie": f"{COOKIE}={REFRESH.honest}; __Host-presence={text}", "Sec-Fetch-Site": "same-origin"}
        answer = client.simulate_post("/refresh_token", headers=headers)
        assert answer.status_code == 200, name
    assert "bound" not in attacked[0].said()
