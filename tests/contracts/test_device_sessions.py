"""What is promised of proofs by browsers that bind sessions. What hostile ones look like is in `tests/hostile`."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.model.errors import InvalidDeviceProofError, StaleDeviceProofError
from domain.model.proofs import DeviceSession, ProvenKey
from domain.model.tokens import new_id
from infrastructure.authlib.device_sessions import PRESENCE_TTL, AuthlibDeviceSessions
from infrastructure.authlib.key_ring import KeyRing
from ports.clock import Clock
from ports.device_sessions import DeviceSessions
from tests.device import Device
from tests.fakes.clock import FakeClock
from tests.wrong.devices import CARELESS

SECRET, OTHER_SECRET = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU", "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"
NEW_FOR, GOOD_FOR = 300, 600
"""Seconds for which a challenge is the newest, and for which it is accepted from when it was new."""


class World:
    """The port, its clock, a session and a device."""

    def __init__(
        self, algorithm: str = "ES256", kind: Callable[[KeyRing, Clock], DeviceSessions] = AuthlibDeviceSessions
    ) -> None:
        self._kind = kind
        self.clock = FakeClock()
        self.clock.advance(-self.clock.now() % NEW_FOR)  # to when a challenge is new
        self.devices: DeviceSessions = self.with_secrets(SECRET)
        self.session_id = new_id()
        self.device = Device(algorithm)

    def with_secrets(self, secret: str, *previous: str) -> DeviceSessions:
        return self._kind(KeyRing(secret, previous), self.clock)

    def registered(self, device: Device | None = None, session_id: str | None = None) -> DeviceSession:
        session_id = session_id or self.session_id
        proof = (device or self.device).register(self.devices.offer(session_id))
        return self.devices.register(session_id, proof)[0]


@pytest.fixture(params=["ES256", "RS256"])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def test_a_key_that_took_an_offer_is_known_by_its_identifier(world: World) -> None:
    known = world.registered()
    assert known.session_id == world.session_id
    assert known.thumbprint == world.device.thumbprint
    assert known.is_vouched
    assert world.devices.find(known.identifier) == known


def test_what_took_an_offer_is_present(world: World) -> None:
    proof = world.device.register(world.devices.offer(world.session_id))
    _, presence = world.devices.register(world.session_id, proof)
    assert world.devices.present(presence.text) == ProvenKey(
        thumbprint=world.device.thumbprint, session_id=world.session_id
    )


def test_a_signed_challenge_is_worth_presence(world: World) -> None:
    known = world.registered()
    presence = world.devices.prove(known, world.device.prove(world.devices.challenge(known)))
    assert world.devices.present(presence.text) == ProvenKey(
        thumbprint=world.device.thumbprint, session_id=world.session_id
    )


def test_presence_lasts_to_the_second_that_is_said(world: World) -> None:
    known = world.registered()
    presence = world.devices.prove(known, world.device.prove(world.devices.challenge(known)))
    assert presence.expires_in == PRESENCE_TTL
    world.clock.advance(presence.expires_in - 1)
    assert world.devices.present(presence.text) is not None
    world.clock.advance(1)
    assert world.devices.present(presence.text) is None


def test_a_challenge_is_the_same_for_minutes_and_then_another(world: World) -> None:
    """A browser signs it once, and uses the signature as long as it is asked for the same."""
    known = world.registered()
    first = world.devices.challenge(known), world.devices.offer(world.session_id)
    world.clock.advance(NEW_FOR - 1)
    assert (world.devices.challenge(known), world.devices.offer(world.session_id)) == first
    world.clock.advance(1)
    second = world.devices.challenge(known), world.devices.offer(world.session_id)
    assert not set(first) & set(second)


def test_a_challenge_is_accepted_for_minutes_after_it_was_new(world: World) -> None:
    known = world.registered()
    proof = world.device.prove(world.devices.challenge(known))
    registration = world.device.register(world.devices.offer(world.session_id))
    world.clock.advance(GOOD_FOR - 1)
    world.devices.prove(known, proof)
    world.devices.register(world.session_id, registration)
    world.clock.advance(1)
    with pytest.raises(StaleDeviceProofError) as stale:
        world.devices.prove(known, proof)
    assert stale.value.challenge == world.devices.challenge(known)
    with pytest.raises(StaleDeviceProofError):
        world.devices.register(world.session_id, registration)


@pytest.mark.parametrize(("seconds", "good"), [(-60, True), (-61, False)])
def test_another_servers_clock_may_be_a_little_behind(world: World, seconds: int, good: bool) -> None:
    known = world.registered()
    proof = world.device.prove(world.devices.challenge(known))
    world.clock.advance(seconds)
    if good:
        world.devices.prove(known, proof)
    else:
        with pytest.raises(StaleDeviceProofError):
            world.devices.prove(known, proof)


def test_a_proof_may_be_repeated(world: World) -> None:
    """A browser whose connection was cut sends it again, byte for byte."""
    known = world.registered()
    proof = world.device.prove(world.devices.challenge(known))
    first = world.devices.prove(known, proof)
    world.clock.advance(7)
    again = world.devices.prove(known, proof)
    assert world.devices.present(first.text) == world.devices.present(again.text)


def test_what_was_signed_for_another_session_or_by_another_key_is_worth_nothing(world: World) -> None:
    other_session, other_device = new_id(), Device()
    mine = world.registered()
    for known, device in (
        (world.registered(session_id=other_session), world.device),
        (world.registered(other_device), world.device),
    ):
        with pytest.raises(StaleDeviceProofError):
            world.devices.prove(mine, device.prove(world.devices.challenge(known)))
    with pytest.raises(InvalidDeviceProofError):
        world.devices.prove(mine, other_device.prove(world.devices.challenge(mine)))
    with pytest.raises(StaleDeviceProofError):
        world.devices.register(world.session_id, world.device.register(world.devices.offer(other_session)))


def test_a_challenge_that_nobody_gave_is_worth_nothing(world: World) -> None:
    """One that says all the right things."""
    known = world.registered()
    stranger = world.with_secrets(OTHER_SECRET)
    with pytest.raises(StaleDeviceProofError):
        world.devices.prove(known, world.device.prove(stranger.challenge(known)))
    with pytest.raises(StaleDeviceProofError):
        world.devices.register(world.session_id, world.device.register(stranger.offer(world.session_id)))


def test_a_proof_with_a_key_of_its_own_is_none(world: World) -> None:
    """A registered key is proven by itself alone."""
    known = world.registered()
    challenge = world.devices.challenge(known)
    for device in (world.device, Device()):
        with pytest.raises(InvalidDeviceProofError):
            world.devices.prove(known, device.register(challenge))


def test_texts_of_one_kind_are_none_of_another(world: World) -> None:
    """An offer is no challenge, a challenge no presence, and so on."""
    known = world.registered()
    challenge, offer = world.devices.challenge(known), world.devices.offer(world.session_id)
    presence = world.devices.prove(known, world.device.prove(challenge)).text
    for text in (challenge, offer, known.identifier):
        assert world.devices.present(text) is None
    for text in (offer, known.identifier, presence):
        with pytest.raises(StaleDeviceProofError):
            world.devices.prove(known, world.device.prove(text))
    for text in (challenge, known.identifier, presence):
        with pytest.raises(StaleDeviceProofError):
            world.devices.register(world.session_id, world.device.register(text))
    for text in (challenge, offer, presence):
        with pytest.raises(InvalidDeviceProofError):
            world.devices.find(text)


def test_texts_outlive_a_change_of_the_secret(world: World) -> None:
    known = world.registered()
    proof = world.device.prove(world.devices.challenge(known))
    presence = world.devices.prove(known, proof)
    later = world.with_secrets(OTHER_SECRET, SECRET)
    assert later.find(known.identifier) == known
    assert later.present(presence.text) is not None
    later.prove(known, proof)


def test_what_another_service_signed_is_not_vouched_for(world: World) -> None:
    """An identifier still says which key it is of: whoever knows that key from elsewhere may go on with it."""
    known = world.registered()
    proof = world.device.prove(world.devices.challenge(known))
    presence = world.devices.prove(known, proof)
    other = world.with_secrets(OTHER_SECRET)
    assert other.find(known.identifier) == replace(known, is_vouched=False)
    assert other.present(presence.text) is None
    with pytest.raises(StaleDeviceProofError) as stale:
        other.prove(known, proof)
    other.prove(known, world.device.prove(stale.value.challenge))


def test_a_proof_may_say_more(world: World) -> None:
    """The draft says what it holds at least."""
    known = world.registered()
    claims = {"jti": world.devices.challenge(known), "iat": 1, "aud": "https://app.example.org"}
    world.devices.prove(known, world.device.holder.signed({"alg": world.device.algorithm, "typ": "dbsc+jwt"}, claims))


def is_broken(promise: Callable[[World], None], kind: type[AuthlibDeviceSessions]) -> bool:
    try:
        promise(World(kind=kind))
    except (Exception, pytest.fail.Exception):  # noqa: BLE001  however it fails, the carelessness is found
        return True
    return False


PROMISES: list[Callable[[World], None]] = [
    value
    for name, value in list(globals().items())
    if name.startswith("test_") and "seconds" not in value.__annotations__
]


def test_the_service_breaks_no_promise() -> None:
    """So what breaks one below is the carelessness."""
    assert [promise.__name__ for promise in PROMISES if is_broken(promise, AuthlibDeviceSessions)] == []


@pytest.mark.parametrize("careless", CARELESS)
def test_every_carelessness_breaks_a_promise(careless: type[AuthlibDeviceSessions]) -> None:
    assert any(is_broken(promise, careless) for promise in PROMISES)
