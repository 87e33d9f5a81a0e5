"""Which keys of a browser a session takes, by what its token says and what is shown."""

from dataclasses import replace

import pytest

from domain.model.decisions import Standing
from domain.model.errors import InvalidDeviceProofError, RefusalCause, StaleDeviceProofError, StoreUnavailableError
from domain.model.proofs import DeviceBinding, DeviceSession, ProvenKey
from domain.model.sessions import SessionPolicy
from domain.use_cases.bind_device import BindDevice
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.key_ring import KeyRing
from ports.security_log import Happening
from tests.device import Device
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions

AFTER_A_CHANGE = "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"


class Away(FakeSessions):
    """A store that cannot be reached."""

    def get(self, user_id: str, session_id: str) -> Standing:
        raise StoreUnavailableError("away")


class Bound:
    """A session that is bound to a device, or not yet, and a token of it."""

    def __init__(self, *, bound: bool) -> None:
        self.service = FakeService(policy=SessionPolicy(device_binding=DeviceBinding.OFFER))
        self.device = Device()
        pair = self.service.sign_in()
        self.session_id, self.token = pair.session_id, str(pair.refresh_token)
        self.known = self.registered(self.device)
        self.shown = ProvenKey(thumbprint=self.device.thumbprint, session_id=self.session_id)
        self.token_before = self.token
        if bound:
            self.token = str(self.service.refresh(self.token, self.shown).refresh_token)

    def registered(self, device: Device) -> DeviceSession:
        devices = self.service.bind.devices
        return devices.register(self.session_id, device.register(devices.offer(self.session_id)))[0]

    def after_a_change(self) -> BindDevice:
        """Return the same service after its secret has changed, and the previous one was dropped."""
        service = self.service
        devices = AuthlibDeviceSessions(KeyRing(AFTER_A_CHANGE), service.clock)
        return replace(service.bind, devices=devices)


def takes(bind: BindDevice, bound: Bound, known: DeviceSession, shown: ProvenKey | None = None) -> bool:
    """Tell whether a browser is asked to prove that key, and not told that it is over."""
    try:
        return bind.prove(bound.token, known.identifier, None, shown) is not None
    except StaleDeviceProofError:
        return True


def test_the_key_that_the_token_names_is_taken_whatever_else_is_shown() -> None:
    """Else two keys of one browser could end each other, and leave it none."""
    bound = Bound(bound=True)
    other = ProvenKey(thumbprint=Device().thumbprint, session_id=bound.session_id)
    for shown in (None, bound.shown, other):
        assert takes(bound.service.bind, bound, bound.known, shown)


def test_another_key_than_the_tokens_is_over() -> None:
    bound = Bound(bound=True)
    other = Device()
    known = bound.registered(other)
    for shown in (None, bound.shown, ProvenKey(thumbprint=other.thumbprint, session_id=bound.session_id)):
        assert not takes(bound.service.bind, bound, known, shown)


def test_any_key_of_an_unbound_session_is_taken_unless_another_is_shown() -> None:
    bound = Bound(bound=False)
    other = bound.registered(Device())
    assert takes(bound.service.bind, bound, other)
    assert not takes(bound.service.bind, bound, other, bound.shown)


def test_before_its_token_arrives_a_bound_session_takes_no_other_key() -> None:
    """The answer of the rotation that bound it was lost, and presence has ended since."""
    bound = Bound(bound=True)
    other = bound.registered(Device())
    bound.token = bound.token_before
    assert takes(bound.service.bind, bound, bound.known)
    assert not takes(bound.service.bind, bound, other)
    offer = bound.service.bind.devices.offer(bound.session_id)
    assert bound.service.bind.register(bound.token, Device().register(offer), None) is None


def test_while_the_store_is_away_the_token_and_what_is_shown_must_do() -> None:
    bound = Bound(bound=True)
    other = bound.registered(Device())
    away = replace(bound.service.bind, sessions=Away())
    assert takes(away, bound, bound.known)
    assert not takes(away, bound, other)
    bound.token = bound.token_before
    assert takes(away, bound, bound.known)
    assert takes(away, bound, other)
    assert not takes(away, bound, other, bound.shown)


def test_a_key_that_was_shown_for_another_session_is_in_nobodys_way() -> None:
    bound = Bound(bound=False)
    elsewhere = ProvenKey(thumbprint=Device().thumbprint, session_id="another-session-of-ada")
    assert takes(bound.service.bind, bound, bound.known, elsewhere)


def test_a_bound_session_outlives_the_secret_that_signed_its_identifier() -> None:
    """Sessions live for longer than tokens, after whose end a previous secret may go. The token names the key."""
    bound = Bound(bound=True)
    assert takes(bound.after_a_change(), bound, bound.known)


def test_an_identifier_that_nobody_vouches_for_counts_only_for_the_key_of_the_token() -> None:
    bound, unbound = Bound(bound=True), Bound(bound=False)
    for case, known in ((unbound, unbound.known), (bound, bound.registered(Device()))):
        with pytest.raises(InvalidDeviceProofError):
            case.after_a_change().prove(case.token, known.identifier, None, None)
        event = case.service.log.events[-1]
        assert (event.happening, event.cause) == (Happening.REFUSED, RefusalCause.PROOF_MALFORMED)
        assert event.session_id == case.session_id


def test_nothing_is_registered_while_binding_is_off() -> None:
    bound = Bound(bound=False)
    offer = bound.service.bind.devices.offer(bound.session_id)
    bound.service.policy = SessionPolicy()
    assert bound.service.bind.register(bound.token, Device().register(offer), None) is None
