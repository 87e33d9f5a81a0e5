"""The catalogue of hostile proofs, against their reader and through HTTP.

Each is refused as no proof, never for its nonce alone, opens no connection and no file, and leaves no part of itself in
any log or answer.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

from domain.model.errors import InvalidProofError
from infrastructure.authlib.dpop import AuthlibDPoP
from infrastructure.authlib.key_ring import KeyRing
from ports.dpop import DPoP
from tests.e2e.client import Client
from tests.e2e.server import USER, Nuovo
from tests.fakes.clock import FakeClock
from tests.fakes.dpop import BASE
from tests.hostile.complaints import Complaint, complaints, shared_text
from tests.hostile.conftest import Target
from tests.hostile.forge import REFRESH, SECRET
from tests.hostile.proofs import ADA, COSTLY, GROUPS, METHOD, PATH, URL, Named, every_proof, proofs
from tests.hostile.test_token_work import seconds
from tests.hostile.wire import exchange, request_bytes
from tests.hostile.wsgi import ask, on_the_wire
from tests.http.contract import failure
from tests.key_holder import KeyHolder, hash_of, rsa_key
from tests.wrong.provers import ByTheBook, TakesAnyExponent, careless_readers

EACH_GROUP = pytest.mark.parametrize("group", GROUPS)
TOKEN = "one.two.three"
TIMES_AS_LONG = 4
"""What is too long for a proof. An exponent as large as the modulus takes seven times as long."""


def strict_dpop() -> AuthlibDPoP:
    return AuthlibDPoP(KeyRing(SECRET), FakeClock(), base=BASE)


def found(dpop: DPoP, cases: Iterable[Named]) -> Iterator[Complaint]:
    return complaints(lambda text: dpop.verify(text, method=METHOD, path=PATH), cases, InvalidProofError)


def wrong_hashes(dpop: DPoP) -> Iterator[Complaint]:
    """Yield each proof that is taken for one that goes with an access token, but does not."""
    claims = ADA.claims(METHOD, URL, dpop.nonce())
    for ath in (
        "",
        TOKEN,
        hash_of("one.two.four"),
        hash_of(TOKEN) + "=",
        hash_of(TOKEN)[:-1],
        hash_of(TOKEN).lower(),
        None,
    ):
        proof = ADA.signed(ADA.header, claims if ath is None else claims | {"ath": ath})
        try:
            dpop.verify(proof, method=METHOD, path=PATH, access_token=TOKEN)
        except InvalidProofError:
            continue
        yield f"ath {ath}", "accepted"


def every_complaint(dpop: DPoP) -> Iterator[Complaint]:
    yield from found(dpop, every_proof(dpop.nonce()))
    yield from wrong_hashes(dpop)
    yield from stale_nonces(dpop)


def stale_nonces(dpop: DPoP) -> Iterator[Complaint]:
    """Yield each proof that is believed with a nonce that is not this service's, or not of the last minutes."""
    clock = FakeClock()
    stranger = AuthlibDPoP(KeyRing("T" * 3 + SECRET), clock, base=BASE).nonce()
    clock.advance(-1_201)
    own = AuthlibDPoP(KeyRing(SECRET), clock, base=BASE).nonce()
    for name, nonce in (("none", None), ("a stranger's", stranger), ("old", own), ("a token", REFRESH.honest)):
        try:
            dpop.verify(ADA.prove(METHOD, URL, nonce), method=METHOD, path=PATH)
        except Exception:  # noqa: BLE001, S112  a test of the contract looks which error it is
            continue
        yield f"nonce: {name}", "accepted"


def test_an_honest_proof_is_believed() -> None:
    """What is refused below is refused for what is wrong with it."""
    dpop = strict_dpop()
    for algorithm in dpop.algorithms:
        holder = KeyHolder(algorithm)
        proof = holder.prove(METHOD, URL, dpop.nonce())
        assert dpop.verify(proof, method=METHOD, path=PATH).key.thumbprint == holder.thumbprint


@EACH_GROUP
def test_every_hostile_proof_is_refused(group: str, record_property: Callable[[str, object], None]) -> None:
    dpop = strict_dpop()
    cases = proofs(group, dpop.nonce())
    assert list(found(dpop, cases)) == []
    record_property("hostile_proofs", len(cases))


def test_a_proof_goes_with_no_other_access_token_and_no_other_time() -> None:
    dpop = strict_dpop()
    assert [*wrong_hashes(dpop), *stale_nonces(dpop)] == []


@EACH_GROUP
def test_every_hostile_proof_gets_one_answer(target: Target, group: str) -> None:
    """And changes nothing, and is repeated nowhere; without it, the same token is still good."""
    before = target.state()
    token = f"Bearer {REFRESH.honest}"
    for name, text in proofs(group, target.dpop.nonce()):
        answer = ask(target.app, METHOD, PATH, HTTP_AUTHORIZATION=token, HTTP_DPOP=on_the_wire(text))
        assert (answer.status, answer.body) == (401, failure(401, "Invalid DPoP proof.")), name
        assert answer.all("WWW-Authenticate")[0].startswith('DPoP error="invalid_dpop_proof", '), name
        assert answer.all("DPoP-Nonce") == [], name
        assert shared_text(target.said() + repr(answer.headers), text) is None, name
        assert target.state() == before, name
    assert ask(target.app, METHOD, PATH, HTTP_AUTHORIZATION=token).status == 200


def test_the_plain_reader_refuses_the_whole_catalogue() -> None:
    """So what its careless variants believe is owed to their carelessness."""
    reader = ByTheBook()
    assert (
        reader.verify(ADA.prove(METHOD, URL, reader.nonce()), method=METHOD, path=PATH).key.thumbprint == ADA.thumbprint
    )
    assert list(every_complaint(reader)) == []


@pytest.mark.parametrize("careless", careless_readers())
def test_the_catalogue_catches_a_careless_reader(careless: type[ByTheBook]) -> None:
    reader = careless()
    reader.verify(ADA.prove(METHOD, URL, reader.nonce()), method=METHOD, path=PATH)
    assert next(every_complaint(reader), None) is not None


def too_slow(dpop: DPoP, cases: Iterable[Named]) -> list[Named]:
    """Return the proofs that take much longer than an honest one of the largest key, by the best of several tries."""

    def refused(text: str) -> None:
        with suppress(InvalidProofError):
            dpop.verify(text, method=METHOD, path=PATH)

    honest = KeyHolder("PS256", rsa_key(4096)).prove(METHOD, URL, dpop.nonce())
    bound = TIMES_AS_LONG * seconds(refused, honest)
    return [(name, text) for name, text in cases if seconds(refused, text) > bound]


@EACH_GROUP
def test_no_proof_takes_longer(group: str) -> None:
    dpop = strict_dpop()
    assert too_slow(dpop, proofs(group, dpop.nonce())) == []


def test_a_reader_of_costly_keys_is_caught() -> None:
    careless = TakesAnyExponent()
    assert [name for name, _ in too_slow(careless, proofs("keys", careless.nonce()))] == [COSTLY]


def test_two_headers_on_the_wire_are_refused(nuovo: Nuovo) -> None:
    """Both honest: whoever took the first, or the last, would let a proxy and Nuovo see different ones."""
    holder = KeyHolder()
    with Client(nuovo.url) as client:
        pair = client.sign_in(nuovo.service_credential, USER, dpop_jkt=holder.thumbprint)
        bearer = f"Bearer {pair.refresh_token}"
        refused = client.request(METHOD, PATH, headers={"Authorization": bearer})
        proof = holder.prove(METHOD, URL, refused.headers["dpop-nonce"])

        def status_with(count: int) -> int:
            headers = [f"Authorization: {bearer}", *[f"DPoP: {proof}"] * count]
            return exchange(nuovo.url, request_bytes("POST /refresh_token HTTP/1.1", *headers))[0].status

        assert (refused.status, status_with(2), status_with(1)) == (401, 401, 200)
