"""Bind a session to the device of its browser: register a key of it, and have that proven again and again."""

from dataclasses import dataclass

from domain.model.errors import (
    InvalidDeviceProofError,
    InvalidRefreshTokenError,
    RefreshTokenExpiredError,
    RefusalCause,
    StaleDeviceProofError,
    StoreUnavailableError,
)
from domain.model.proofs import DeviceBinding, DeviceSession, Presence, ProvenKey, key_to_bind
from domain.model.sessions import SessionPolicy
from domain.model.tokens import RefreshToken
from ports.clock import Clock
from ports.device_sessions import DeviceSessions
from ports.security_log import Happening, SecurityEvent, SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class BindDevice:
    """What is asked of browsers that bind sessions. It works while the store is away: a refresh token says enough.

    The token is not spent here, and nothing final is decided. Presence alone does not bind a session: the rotation that
    it comes with does, and there the session's row has the last word.

    A browser may have made several keys for one session, because several answers carried an offer. They must not take
    each other's presence away, or the session would see now one key and now the other. So the browser is told to forget
    a key if the session is bound to another one; and, before it is bound, if another key's presence is shown.
    """

    clock: Clock
    tokens: TokenCodec
    devices: DeviceSessions
    sessions: Sessions
    log: SecurityLog
    policy: SessionPolicy

    def register(
        self, presented: str | None, proof: str, shown: ProvenKey | None
    ) -> tuple[DeviceSession, Presence] | None:
        """Return the key that `proof` encloses, registered for the session of the refresh token in `presented`.

        Return `None` if the session takes no key of this browser: it is over, or another one by now, or has a key.
        Raises `InvalidDeviceProofError`.
        """
        token = self._live(presented)
        if token is None or self.policy.device_binding is DeviceBinding.OFF:
            return None
        try:
            device, presence = self.devices.register(token.session_id, proof)
        except StaleDeviceProofError:  # offered to another session of this browser, or long ago
            return None
        except InvalidDeviceProofError:
            self._record(token)
            raise
        return (device, presence) if self._takes(token, device, shown) else None

    def prove(
        self, presented: str | None, identifier: str, proof: str | None, shown: ProvenKey | None
    ) -> tuple[DeviceSession, Presence] | None:
        """Return the presence of a key that `proof` proves, of the session of the refresh token in `presented`.

        Return `None` if the browser is to forget the key: its session is over, or another one by now, or has another
        key. Raises `InvalidDeviceProofError`, or `StaleDeviceProofError` if there is no proof or one that is too old.
        """
        token = self._live(presented)
        if token is None:
            return None
        try:
            return self._prove(token, identifier, proof, shown)
        except InvalidDeviceProofError:
            self._record(token)
            raise

    def is_of(self, presented: str, identifier: str) -> bool:
        """Tell whether a browser names by `identifier` a key of the session of the refresh token in `presented`."""
        token = self._live(presented)
        try:
            return token is not None and self.devices.find(identifier).session_id == token.session_id
        except InvalidDeviceProofError:
            return False

    def _prove(
        self, token: RefreshToken, identifier: str, proof: str | None, shown: ProvenKey | None
    ) -> tuple[DeviceSession, Presence] | None:
        device = self.devices.find(identifier)
        if device.session_id != token.session_id:
            return None
        # APPSEC: a key counts if this service has given its identifier, or if an authentic token names it.
        if not device.is_vouched and device.thumbprint != token.key_thumbprint:
            raise InvalidDeviceProofError
        if not self._takes(token, device, shown):
            return None
        if proof is None:
            raise StaleDeviceProofError(self.devices.challenge(device))
        return device, self.devices.prove(device, proof)

    def _takes(self, token: RefreshToken, device: DeviceSession, shown: ProvenKey | None) -> bool:
        """Tell whether the session may be served with this key, as far as can be known of it and of what is `shown`."""
        bound_to = token.key_thumbprint or self._held_key(token) or key_to_bind(token.session_id, shown)
        return bound_to in (None, device.thumbprint)

    def _held_key(self, token: RefreshToken) -> str | None:
        """Return to which key the session of an unbound token is bound by now: the answer that says so may be lost.

        While the store is away, it is not known to be bound.
        """
        try:
            return self.sessions.get(token.user_id, token.session_id).held_key
        except StoreUnavailableError:
            return None

    def _record(self, token: RefreshToken) -> None:
        self.log.record(SecurityEvent.of(Happening.REFUSED, token, cause=RefusalCause.PROOF_MALFORMED))

    def _live(self, presented: str | None) -> RefreshToken | None:
        if presented is None:
            return None
        try:
            token = self.tokens.read_refresh_token(presented)
            token.require_unexpired(
                now=self.clock.now(), session_ttl=self.policy.session_ttl, leeway=self.policy.leeway
            )
        except (InvalidRefreshTokenError, RefreshTokenExpiredError):
            return None
        return token
