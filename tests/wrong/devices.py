"""Readers of what devices prove, each with a mistake that somebody might make."""

from dataclasses import replace

from domain.model.errors import InvalidDeviceProofError, StaleDeviceProofError
from domain.model.proofs import DeviceSession, Presence, ProvenKey
from infrastructure.authlib.compact import Claims, RefusedError, read, unverified, write
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.enclosed_keys import read_signed
from infrastructure.authlib.freshness import Freshness
from infrastructure.authlib.key_ring import KeyRing, Ring
from ports.clock import Clock


class ForgetsWhoIsNamed(AuthlibDeviceSessions):
    """Takes any challenge of its own for this session's and this key's."""

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        try:
            claims = read(str(signed.get("jti")), ring)
        except RefusedError:
            return False
        return super()._answers(signed, ring, {name: claims[name] for name in claims if name != "iat"})


class NeverForgets(AuthlibDeviceSessions):
    """Takes a challenge of any age."""

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        try:
            claims = dict(read(str(signed.get("jti")), ring))
        except RefusedError:
            return False
        del claims["iat"]
        return claims == named


class ForgetsAtOnce(AuthlibDeviceSessions):
    """Takes the newest challenge alone, so that whoever was given one a second ago is asked again."""

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        newest = write(ring.signing, {**named, "iat": self._freshness.new_at()})
        return signed.get("jti") == newest


class BelievesAnyChallenge(AuthlibDeviceSessions):
    """Looks at what a challenge says, and not at who has written it."""

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        try:
            return {**unverified(str(signed.get("jti"))), "iat": 0} == {**named, "iat": 0}
        except RefusedError:
            return False


class HasOneTypeForAll(AuthlibDeviceSessions):
    """A challenge is a presence is an offer."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        super().__init__(keys, clock)
        self._offers = self._identifiers = self._presences = self._challenges

    def present(self, shown: str) -> ProvenKey | None:
        try:
            claims = read(shown, self._presences)
        except RefusedError:
            return None
        return ProvenKey(thumbprint=claims.get("jkt", ""), session_id=claims["sid"])


class VouchesForEverybody(AuthlibDeviceSessions):
    def find(self, identifier: str) -> DeviceSession:
        return replace(super().find(identifier), is_vouched=True)


class KeepsPresence(AuthlibDeviceSessions):
    """Forgets its end, which the browser's cookie has as well."""

    def present(self, shown: str) -> ProvenKey | None:
        try:
            presence = read(shown, self._presences)
        except RefusedError:
            return None
        return ProvenKey(thumbprint=presence["jkt"], session_id=presence["sid"])


class BelievesPresence(AuthlibDeviceSessions):
    """Reads it as any JWT library does without a key."""

    def present(self, shown: str) -> ProvenKey | None:
        try:
            presence = unverified(shown)
        except RefusedError:
            return None
        return ProvenKey(thumbprint=presence.get("jkt", ""), session_id=presence.get("sid"))


class TakesTheEnclosedKey(AuthlibDeviceSessions):
    """Verifies a proof with the key in it, whose ever that is."""

    def prove(self, device: DeviceSession, proof: str) -> Presence:
        try:
            _, signed = read_signed(proof, "dbsc+jwt")
        except RefusedError:
            return super().prove(device, proof)
        if not self._answers(signed, self._challenges, {"sid": device.session_id, "jkt": device.thumbprint}):
            raise StaleDeviceProofError(self.challenge(device))
        return self._presence_of(device)


class RemembersProofs(AuthlibDeviceSessions):
    """As one does against replays; browsers repeat a proof byte for byte when an answer was lost."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        super().__init__(keys, clock)
        self._seen: set[str] = set()

    def prove(self, device: DeviceSession, proof: str) -> Presence:
        if proof in self._seen:
            raise InvalidDeviceProofError
        self._seen.add(proof)
        return super().prove(device, proof)


class AsksForSomethingNewEachTime(AuthlibDeviceSessions):
    """So that a browser has to sign each time, and is out of signatures soon."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        super().__init__(keys, clock)
        self._freshness = Freshness(clock, new_for=1, good_for=600)


class WantsNothingElseSaid(AuthlibDeviceSessions):
    """Refuses a proof that says more than the draft asks for, which lets it."""

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        if signed.keys() != {"jti"}:
            raise InvalidDeviceProofError
        return super()._answers(signed, ring, named)


CARELESS: list[type[AuthlibDeviceSessions]] = [
    ForgetsWhoIsNamed,
    NeverForgets,
    ForgetsAtOnce,
    BelievesAnyChallenge,
    HasOneTypeForAll,
    VouchesForEverybody,
    KeepsPresence,
    BelievesPresence,
    TakesTheEnclosedKey,
    RemembersProofs,
    AsksForSomethingNewEachTime,
    WantsNothingElseSaid,
]
