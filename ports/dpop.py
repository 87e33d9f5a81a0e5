"""How a client proves with a request that it holds a key."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from domain.model.proofs import ProvenKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a proof has proven, and the nonce that it was made with."""

    key: ProvenKey
    nonce: str


class DPoP(ABC):
    """Believes proofs of possession that were made for one request, a moment ago (RFC 9449).

    How long ago is told by a nonce of this service, never by the client's clock: a client whose clock is wrong is
    served as any other (section 4.3, step 11). A proof is not remembered: whoever repeats a request repeats its proof.
    """

    @property
    @abstractmethod
    def algorithms(self) -> tuple[str, ...]:
        """What proofs may be signed with, by the names of JOSE."""

    @abstractmethod
    def nonce(self) -> str:
        """Return what new proofs are to have. It is another one every minute, and the same until then."""

    @abstractmethod
    def verify(self, proof: str, *, method: str, path: str, access_token: str | None = None) -> Proof:
        """Return what `proof` proves, sent with a request for `path` below the service's public URL.

        With `access_token` it must have been made for that one. It takes untrusted text of any size and content. Raises
        `InvalidProofError`; or `ProofNotFreshError`, with the nonce to use, if nothing is wrong but the proof's nonce.
        A nonce is good for longer than an access token lives by default, and for 20 minutes at most.
        """
