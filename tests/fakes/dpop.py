"""Proofs that are names of values: unforgeable here because only this object knows which were made."""

from dataclasses import dataclass

from domain.model.errors import InvalidProofError, ProofNotFreshError, RefusalCause
from domain.model.proofs import ProvenKey
from ports.dpop import DPoP, Proof
from tests.fakes.clock import FakeClock

BASE = "https://auth.example.org"
_NEW_FOR, _GOOD_FOR = 60, 1_200


@dataclass(frozen=True)
class _Made:
    thumbprint: str
    method: str
    url: str
    nonce: str | None
    access_token: str | None


class FakeDPoP(DPoP):
    algorithms = ("ES256",)

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._made: dict[str, _Made] = {}
        self._nonces: dict[str, int] = {}

    def prove(
        self, thumbprint: str, method: str, url: str, nonce: str | None = None, access_token: str | None = None
    ) -> str:
        """Return a proof by whoever holds the key of that thumbprint."""
        text = f"proof-{len(self._made)}"
        self._made[text] = _Made(thumbprint, method, url, nonce, access_token)
        return text

    def nonce(self) -> str:
        number = self._clock.now() // _NEW_FOR
        self._nonces[f"nonce-{number}"] = number * _NEW_FOR
        return f"nonce-{number}"

    def verify(self, proof: str, *, method: str, path: str, access_token: str | None = None) -> Proof:
        made = self._made.get(proof)
        if made is None:
            raise InvalidProofError(RefusalCause.PROOF_MALFORMED)
        shown = made.access_token if access_token is None else access_token
        if (made.method, made.url, made.access_token) != (method, BASE + path, shown):
            raise InvalidProofError(RefusalCause.PROOF_ELSEWHERE)
        new_at = None if made.nonce is None else self._nonces.get(made.nonce)
        if made.nonce is None or new_at is None or not -60 <= self._clock.now() - new_at < _GOOD_FOR:
            raise ProofNotFreshError(self.nonce())
        return Proof(key=ProvenKey(thumbprint=made.thumbprint), nonce=made.nonce)
