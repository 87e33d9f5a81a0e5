"""How a browser proves that it still runs on the device to which a session is bound."""

from abc import ABC, abstractmethod

from domain.model.proofs import DeviceSession, Presence, ProvenKey


class DeviceSessions(ABC):
    """Challenges to browsers, their answers, and what they are given for them (Device Bound Session Credentials).

    Nothing of it is stored: what must be known later is in texts that this service alone can have written. A challenge
    is the same for some minutes, because browsers are sparing with signatures and use one again, and it is accepted for
    longer than it is new. So is a proof, which browsers repeat byte for byte when an answer was lost.

    All readers take untrusted text of any size and content, and raise `InvalidDeviceProofError` for what no honest
    browser sends.
    """

    @abstractmethod
    def offer(self, session_id: str) -> str:
        """Return the challenge that a browser is to sign with a new key, to have the session bound to it."""

    @abstractmethod
    def register(self, session_id: str, proof: str) -> tuple[DeviceSession, Presence]:
        """Return the key that has signed an offer for this session, which `proof` encloses, and what that is worth.

        Raises `StaleDeviceProofError` with the present offer if what was signed is another session's or too old.
        """

    @abstractmethod
    def find(self, identifier: str) -> DeviceSession:
        """Return the key that a browser registered under this identifier.

        It is not vouched for if the secret that signed it has been dropped since, or if it is made up: then it counts
        only where something else names the key.
        """

    @abstractmethod
    def challenge(self, device: DeviceSession) -> str:
        """Return what that browser is to sign next, with that key."""

    @abstractmethod
    def prove(self, device: DeviceSession, proof: str) -> Presence:
        """Return what `proof` is worth, a challenge of the last minutes that this very key has signed.

        Raises `StaleDeviceProofError` with the present challenge if the one that was signed is too old, or another
        key's or session's.
        """

    @abstractmethod
    def present(self, shown: str) -> ProvenKey | None:
        """Return the key that was proven, and for which session, or `None` if that is too long ago, or made up."""
