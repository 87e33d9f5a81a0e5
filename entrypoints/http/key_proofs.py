"""Where a request proves that its sender holds a key."""

from collections.abc import Callable

import falcon

from domain.model.errors import InvalidProofError, RefusalCause
from domain.model.proofs import ProvenKey
from entrypoints.http.authorization import shown_as
from ports.dpop import DPoP
from ports.security_log import Happening, SecurityEvent


def bound_access_token_of(req: falcon.Request) -> str | None:
    """Return what follows `DPoP` in the `Authorization` header (RFC 9449, section 7.1), or `None`."""
    return shown_as("dpop", req)


class KeyProofs:
    """Finds what a request proves: by its `DPoP` header (RFC 9449), or by the presence of its device.

    Without `dpop`, which needs a public URL, that header means nothing, as to any service that does not speak it. Then
    nothing is proven, and sessions that are bound stay refused.
    """

    def __init__(
        self,
        dpop: DPoP | None,
        record: Callable[[SecurityEvent], None],
        presence_of: Callable[[falcon.Request], ProvenKey | None],
    ) -> None:
        """Take who verifies proofs, if anybody does, who is told of those that are refused, and what finds presence."""
        self._dpop = dpop
        self._presence_of = presence_of
        self._record = record

    def of(self, req: falcon.Request) -> ProvenKey | None:
        """Return the key that the request proves to hold, or `None` if it does not try.

        Raises `InvalidProofError` or `ProofNotFreshError`, whether or not a proof is asked for, or
        `AmbiguousCredentialsError` if there is more than one presence.
        """
        proven = self.by_header(req)
        return self._presence_of(req) if proven is None else proven

    def by_header(self, req: falcon.Request) -> ProvenKey | None:
        """Do as `of`, by the `DPoP` header alone."""
        proof = req.env.get("HTTP_DPOP")
        return None if proof is None or self._dpop is None else self._verified(req, self._dpop, proof)

    def with_access_token(self, req: falcon.Request) -> tuple[str, ProvenKey] | None:
        """Return the access token that is shown as a bound one, and the key that is proven together with it.

        `None` if none is shown so. Raises as `of` does, and `InvalidProofError` if there is no proof.
        """
        access_token = bound_access_token_of(req)
        if access_token is None or self._dpop is None:
            return None
        key = self.beside(req, access_token)
        if key is None:
            self._record(SecurityEvent(happening=Happening.ACCESS_REFUSED, cause=RefusalCause.KEY_NOT_PROVEN))
            raise InvalidProofError(RefusalCause.KEY_NOT_PROVEN)
        return access_token, key

    def beside(self, req: falcon.Request, access_token: str) -> ProvenKey | None:
        """Return the key that the request proves to hold beside `access_token`, or `None`. Raises as `of` does."""
        proof = req.env.get("HTTP_DPOP")
        if proof is None or self._dpop is None:
            return None
        return self._verified(req, self._dpop, proof, access_token)

    def _verified(self, req: falcon.Request, dpop: DPoP, proof: str, access_token: str | None = None) -> ProvenKey:
        # Servers join headers of one name with a comma, which no proof has: more than one is refused (section 4.3).
        try:
            proven = dpop.verify(proof, method=req.method, path=req.path, access_token=access_token)
        except InvalidProofError as error:
            happening = Happening.REFUSED if access_token is None else Happening.ACCESS_REFUSED
            self._record(SecurityEvent(happening=happening, cause=error.cause))
            raise
        nonce = dpop.nonce()
        if proven.nonce != nonce:
            req.context.next_nonce = nonce
        return proven.key
