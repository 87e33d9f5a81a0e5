"""Device Bound Session Credentials (a draft of the W3C), as far as they are signed and verified.

All texts of this service are compact JWS of types of their own, which say no more than is needed:

- an offer: the session, and when the offer was new,
- an identifier: the session, and the public key that was registered,
- a challenge: the session, the key's thumbprint, and when the challenge was new,
- a presence: the session, the key's thumbprint, and its end.
"""

from domain.model.errors import InvalidDeviceProofError, StaleDeviceProofError
from domain.model.proofs import DeviceSession, Presence, ProvenKey
from domain.model.tokens import is_id
from infrastructure.authlib.compact import Claims, RefusedError, read, unverified, write
from infrastructure.authlib.enclosed_keys import Signer, read_signed, signer_of
from infrastructure.authlib.freshness import Freshness
from infrastructure.authlib.key_ring import KeyRing, Ring
from ports.clock import Clock
from ports.device_sessions import DeviceSessions

ALGORITHMS = ("ES256", "RS256")
"""All that browsers have for this."""
PRESENCE_TTL = 300
"""Seconds. Browsers that are told to show presence get a new one two minutes before its end."""
_CHALLENGE_NEW_FOR = 300
"""Seconds. Chromium signs six times in nine minutes for one site, and counts no signature that it uses again."""
_CHALLENGE_GOOD_FOR = 600
"""Seconds. A browser answers at once, but for one that sleeps meanwhile."""
_PROOF_TYPE = "dbsc+jwt"


class AuthlibDeviceSessions(DeviceSessions):
    """Signs with the service's secrets, and verifies what keys of devices have signed."""

    def __init__(self, keys: KeyRing, clock: Clock) -> None:
        """Take the secrets: each kind of text has a type of its own, and none is taken for another."""
        self._offers, self._identifiers = keys.of_type("dbsc-offer+jwt"), keys.of_type("dbsc-session+jwt")
        self._challenges, self._presences = keys.of_type("dbsc-challenge+jwt"), keys.of_type("dbsc-presence+jwt")
        self._clock = clock
        self._freshness = Freshness(clock, new_for=_CHALLENGE_NEW_FOR, good_for=_CHALLENGE_GOOD_FOR)

    def offer(self, session_id: str) -> str:
        """Return the challenge that a browser is to sign with a new key, to have the session bound to it."""
        return write(self._offers.signing, {"sid": session_id, "iat": self._freshness.new_at()})

    def register(self, session_id: str, proof: str) -> tuple[DeviceSession, Presence]:
        """Return the key that `proof` encloses, and that has signed the offer in it."""
        try:
            signer, signed = read_signed(proof, _PROOF_TYPE)
        except RefusedError:
            raise InvalidDeviceProofError from None
        if signer.algorithm not in ALGORITHMS:
            raise InvalidDeviceProofError
        # APPSEC: an offer for this session, and not merely for some.
        if not self._answers(signed, self._offers, {"sid": session_id}):
            raise StaleDeviceProofError(self.offer(session_id))
        identifier = write(
            self._identifiers.signing, {"sid": session_id, "alg": signer.algorithm, "jwk": dict(signer.jwk)}
        )
        device = DeviceSession(identifier=identifier, session_id=session_id, thumbprint=signer.thumbprint)
        return device, self._presence_of(device)

    def find(self, identifier: str) -> DeviceSession:
        """Return the key that is written in `identifier`."""
        session_id, signer, is_vouched = self._registered(identifier)
        return DeviceSession(
            identifier=identifier, session_id=session_id, thumbprint=signer.thumbprint, is_vouched=is_vouched
        )

    def challenge(self, device: DeviceSession) -> str:
        """Return what that browser is to sign next, with that key."""
        claims = {"sid": device.session_id, "jkt": device.thumbprint, "iat": self._freshness.new_at()}
        return write(self._challenges.signing, claims)

    def prove(self, device: DeviceSession, proof: str) -> Presence:
        """Return what `proof` is worth: a presence of some minutes, to be shown with the session's refresh token."""
        _, signer, _ = self._registered(device.identifier)
        try:
            _, signed = read_signed(proof, _PROOF_TYPE, signer)
        except RefusedError:
            raise InvalidDeviceProofError from None
        named = {"sid": device.session_id, "jkt": device.thumbprint}
        # APPSEC: a challenge for this key and this session: what was signed for another is worth nothing here.
        if not self._answers(signed, self._challenges, named):
            raise StaleDeviceProofError(self.challenge(device))
        return self._presence_of(device)

    def present(self, shown: str) -> ProvenKey | None:
        """Return the key that was proven, and for which session, unless that is too long ago."""
        try:
            presence = read(shown, self._presences)
        except RefusedError:
            return None
        if self._clock.now() >= presence["exp"]:
            return None
        return ProvenKey(thumbprint=presence["jkt"], session_id=presence["sid"])

    def _presence_of(self, device: DeviceSession) -> Presence:
        expires_at = self._clock.now() + PRESENCE_TTL
        claims = {"sid": device.session_id, "jkt": device.thumbprint, "exp": expires_at}
        return Presence(text=write(self._presences.signing, claims), expires_in=PRESENCE_TTL)

    def _answers(self, signed: Claims, ring: Ring, named: Claims) -> bool:
        """Tell whether `signed` is the proof of a challenge of that ring, of the last minutes, that names this."""
        challenge = signed.get("jti")  # the draft lets a proof say more
        if not isinstance(challenge, str):
            raise InvalidDeviceProofError
        try:
            claims = dict(read(challenge, ring))
        except RefusedError:
            return False
        new_at = claims.pop("iat")
        return claims == named and self._freshness.accepts(new_at)

    def _registered(self, identifier: str) -> tuple[str, Signer, bool]:
        """Return of which session an identifier is, of which key, and whether this service has surely given it."""
        is_vouched = True
        try:
            try:
                claims = read(identifier, self._identifiers)
            except RefusedError:
                claims, is_vouched = unverified(identifier), False
            session_id = claims.get("sid")
            signer = signer_of(claims.get("alg"), claims.get("jwk"))
        except RefusedError:
            raise InvalidDeviceProofError from None
        if not is_id(session_id) or claims.keys() != {"sid", "alg", "jwk"} or signer.algorithm not in ALGORITHMS:
            raise InvalidDeviceProofError
        return session_id, signer, is_vouched
