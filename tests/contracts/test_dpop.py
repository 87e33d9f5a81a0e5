"""What whoever verifies proofs of keys promises. What hostile proofs may look like is in `tests/hostile`."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.model.errors import InvalidProofError, ProofNotFreshError, RefusalCause
from domain.model.proofs import is_thumbprint
from domain.model.sessions import SessionPolicy
from infrastructure.authlib.dpop import AuthlibDPoP, normalized
from infrastructure.authlib.enclosed_keys import read_enclosed
from infrastructure.authlib.key_ring import KeyRing
from ports.dpop import DPoP
from tests.fakes.clock import FakeClock
from tests.fakes.dpop import BASE, FakeDPoP
from tests.key_holder import ALGORITHMS, KeyHolder

SECRET, OTHER_SECRET = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU", "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"
PATH = "/refresh_token"
URL = BASE + PATH


class World:
    """A verifier of each kind, its clock, and how a holder of a key makes proofs for it."""

    def __init__(self, algorithm: str | None) -> None:
        self.clock = FakeClock()
        self.dpop: DPoP = FakeDPoP(self.clock) if algorithm is None else authlib(self.clock)
        self._algorithm = algorithm
        self.prove = self.new_holder()

    def new_holder(self) -> Callable[..., str]:
        holder = KeyHolder(self._algorithm or "ES256")
        if isinstance(self.dpop, FakeDPoP):
            fake = self.dpop
            return lambda method="POST", url=URL, *rest: fake.prove(holder.thumbprint, method, url, *rest)
        return lambda method="POST", url=URL, *rest: holder.prove(method, url, *rest)

    def fresh(self, method: str = "POST", url: str = URL, access_token: str | None = None) -> str:
        return self.prove(method, url, self.dpop.nonce(), access_token)

    def verify(self, proof: str, **request: Any) -> Any:
        return self.dpop.verify(proof, **{"method": "POST", "path": PATH, **request})

    def refused(self, proof: str, **request: Any) -> RefusalCause:
        with pytest.raises(InvalidProofError) as refused:
            self.verify(proof, **request)
        return refused.value.cause

    def not_fresh(self, proof: str) -> str:
        with pytest.raises(ProofNotFreshError) as refused:
            self.verify(proof)
        return refused.value.nonce


def authlib(clock: FakeClock, *secrets: str, base: str = BASE) -> AuthlibDPoP:
    first, *previous = secrets or (SECRET,)
    return AuthlibDPoP(KeyRing(first, previous), clock, base=base)


@pytest.fixture(params=[None, *ALGORITHMS], ids=["fake", *ALGORITHMS])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_a_proof_proves_its_key(world: World) -> None:
    """And names no session, so that it binds none."""
    proof = world.verify(world.fresh())
    assert is_thumbprint(proof.key.thumbprint)
    assert proof.key.session_id is None
    assert proof.nonce == world.dpop.nonce()


def test_a_key_is_always_the_same_and_no_other() -> None:
    for algorithm in (None, "ES256", "EdDSA"):
        world = World(algorithm)
        keys = [world.verify(world.fresh()).key for _ in range(2)]
        world.prove = world.new_holder()
        assert keys[0] == keys[1] != world.verify(world.fresh()).key


def test_a_proof_is_not_remembered(world: World) -> None:
    """Whoever has lost an answer sends the same request once more."""
    proof = world.fresh()
    assert world.verify(proof) == world.verify(proof)


@pytest.mark.parametrize(
    ("made_for", "shown_at"),
    [
        (("POST", URL), {"method": "GET"}),
        (("GET", URL), {}),
        (("post", URL), {}),
        (("POST", URL), {"path": "/oauth/token"}),
        (("POST", f"{BASE}/oauth/token"), {}),
        (("POST", f"{BASE}{PATH}/"), {}),
        (("POST", f"https://evil.example{PATH}"), {}),
        (("POST", f"https://auth.example.org.evil.example{PATH}"), {}),
        (("POST", f"http://auth.example.org{PATH}"), {}),
        (("POST", f"https://auth.example.org:8443{PATH}"), {}),
        (("POST", PATH), {}),
        (("POST", ""), {}),
    ],
)
def test_a_proof_for_another_request_is_refused(
    world: World, made_for: tuple[str, str], shown_at: dict[str, str]
) -> None:
    assert world.refused(world.fresh(*made_for), **shown_at) is RefusalCause.PROOF_ELSEWHERE


def test_a_proof_goes_with_one_access_token(world: World) -> None:
    made = {"access_token": "one.two.three"}
    assert world.verify(world.fresh("POST", URL, "one.two.three"), **made).key
    for other in (None, "one.two.four", ""):
        assert world.refused(world.fresh("POST", URL, other), **made) is RefusalCause.PROOF_ELSEWHERE


def test_where_no_access_token_is_shown_it_does_not_matter_which_one_is_meant(world: World) -> None:
    assert world.verify(world.fresh("POST", URL, "one.two.three"))


@pytest.mark.parametrize("nonce", [None, "", "nonsense", "a.b.c", "nonce-1", "\u00e9"])
def test_a_proof_without_a_nonce_of_the_service_is_told_which_to_use(world: World, nonce: str | None) -> None:
    told = world.not_fresh(world.prove("POST", URL, nonce))
    assert told == world.dpop.nonce()
    assert world.verify(world.prove("POST", URL, told)).nonce == told


def test_what_is_wrong_otherwise_is_told_no_nonce(world: World) -> None:
    """There is nothing to try again."""
    assert world.refused(world.prove("GET", URL)) is RefusalCause.PROOF_ELSEWHERE


def test_a_nonce_stays_the_same_for_a_minute_and_is_good_for_minutes_more(world: World) -> None:
    """Whoever is given one has at least 19 minutes; nobody has more than 20."""
    world.clock.advance(-world.clock.now() % 60)
    first = world.dpop.nonce()
    proof = world.prove("POST", URL, first)
    for seconds in (0, 1, 58):
        world.clock.advance(seconds)
        assert world.dpop.nonce() == first
    world.clock.advance(1)
    second = world.dpop.nonce()
    assert second != first
    assert world.verify(proof).nonce == first
    world.clock.advance(19 * 60 - 1)
    assert world.verify(proof).nonce == first
    world.clock.advance(1)
    assert world.not_fresh(proof) == world.dpop.nonce() != second


@pytest.mark.parametrize("given_at", range(0, 60, 7))
def test_a_nonce_that_is_kept_outlives_the_access_token_that_came_with_it(world: World, given_at: int) -> None:
    """By default, with minutes to spare, and on a server whose clock is ahead of the one that gave it."""
    world.clock.advance(given_at)
    proof = world.fresh()
    world.clock.advance(SessionPolicy().access_token_ttl + 3 * 60)
    assert world.verify(proof)


def test_a_nonce_of_a_server_whose_clock_is_a_little_ahead_is_good(world: World) -> None:
    world.clock.advance(-world.clock.now() % 60)
    proof = world.fresh()
    world.clock.advance(-60)
    assert world.verify(proof)
    world.clock.advance(-1)
    assert world.not_fresh(proof)


@pytest.mark.parametrize("text", ["", " ", "a", "a.b", "a.b.c", "proof-", "proof-99", "e30.e30.AA", "\ud800", "\u00e9"])
def test_what_is_no_proof_is_refused(world: World, text: str) -> None:
    assert world.refused(text) is RefusalCause.PROOF_MALFORMED


def test_two_proofs_are_none(world: World) -> None:
    """As servers join two headers of one name."""
    one, other = world.fresh(), world.fresh()
    for text in (f"{one},{other}", f"{one}, {one}", f" {one}", f"{one} ", f"{one},"):
        assert world.refused(text) is RefusalCause.PROOF_MALFORMED


# What follows is of the real one alone.

RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0"
    "IjoxNTYyMjYyNjE2fQ."
    "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
"""RFC 9449, section 4.1."""
RFC_THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
"""RFC 9449, section 6.1."""


def test_the_proof_of_the_standard_lacks_but_the_nonce() -> None:
    dpop = authlib(FakeClock(), base="https://server.example.com")
    assert read_enclosed(RFC_PROOF, "dpop+jwt")[0] == RFC_THUMBPRINT
    with pytest.raises(ProofNotFreshError):
        dpop.verify(RFC_PROOF, method="POST", path="/token")


@pytest.mark.parametrize("iat", [0, -1, 1, 4_102_444_800, 10**30])
def test_a_client_whose_clock_is_wrong_is_served(iat: int) -> None:
    """RFC 9449, section 4.3, step 11: the nonce tells the time."""
    world, holder = World("ES256"), KeyHolder()
    claims = holder.claims("POST", URL, world.dpop.nonce()) | {"iat": iat}
    assert world.verify(holder.signed(holder.header, claims)).key.thumbprint == holder.thumbprint


def test_nonces_outlive_a_change_of_the_secret() -> None:
    clock, holder = FakeClock(), KeyHolder()
    old, new, stranger = authlib(clock), authlib(clock, OTHER_SECRET, SECRET), authlib(clock, OTHER_SECRET)
    proof = holder.prove("POST", URL, old.nonce())
    assert new.verify(proof, method="POST", path=PATH).nonce == old.nonce() != new.nonce()
    with pytest.raises(ProofNotFreshError):
        stranger.verify(proof, method="POST", path=PATH)


def test_a_nonce_is_of_the_alphabet_of_the_header() -> None:
    """RFC 9449, section 8.1."""
    nonce = authlib(FakeClock()).nonce()
    assert all("!" <= char <= "~" and char not in '"\\' for char in nonce)
    assert nonce == authlib(FakeClock()).nonce(), "two servers of one service give the same"


@pytest.mark.parametrize(
    "url",
    [
        URL,
        f"HTTPS://AUTH.Example.ORG{PATH}",
        f"https://auth.example.org:443{PATH}",
        f"https://auth.example.org:{PATH}",
        f"https://auth.example.org:0443{PATH}",
        f"{URL}?a=b",
        f"{URL}#fragment",
        f"{URL}?a=b/../c#d?e",
    ],
)
def test_one_url_has_several_spellings(url: str) -> None:
    """RFC 3986, sections 6.2.2 and 6.2.3; query and fragment do not count."""
    world = World("ES256")
    assert world.verify(world.fresh("POST", url))


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://example.org/auth", "https://example.org/auth/refresh_token"),
        ("https://example.org:443", "https://example.org/refresh_token"),
        ("http://localhost:8000", "http://LOCALHOST:8000/refresh_token"),
        ("http://[::1]:8000", "http://[::1]:8000/refresh_token"),
        ("http://127.0.0.1:80", "http://127.0.0.1/refresh_token"),
    ],
)
def test_proofs_are_for_the_public_url(base: str, url: str) -> None:
    dpop = authlib(FakeClock(), base=base)
    holder = KeyHolder()
    proof = dpop.verify(holder.prove("POST", url, dpop.nonce()), method="POST", path=PATH)
    assert proof.key.thumbprint == holder.thumbprint
    with pytest.raises(InvalidProofError):
        dpop.verify(KeyHolder().prove("POST", URL, dpop.nonce()), method="POST", path=PATH)


@pytest.mark.parametrize(
    "url",
    [
        "", "/refresh_token", "auth.example.org/refresh_token", "//auth.example.org/x", "ftp://auth.example.org/x",
        "https:/auth.example.org/x", "https://ada@auth.example.org/x", "https://auth.example.org\\@evil.example/x",
        "https://auth.example.org /x", "https://auth.example.org/x?a b", "https://auth.example.org/x\n", "https://auth.example.org\t/x",
        "https://auth.ex\u00e4mple.org/x", "https://auth.example.org:x/x", "https://auth.example.org:123456/x",
        "https://auth.example.org/\x00", "https://[::1/x", "https:///x", "javascript:https://auth.example.org/x",
        " https://auth.example.org/x", "https://auth.example.org\uff0fx",
    ],
)  # fmt: skip
def test_what_is_no_url_of_http_is_none(url: str) -> None:
    assert normalized(url) is None
    with pytest.raises(ValueError, match="must be a URL"):
        authlib(FakeClock(), base=url)
