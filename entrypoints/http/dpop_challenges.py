"""What tells a client that it has to prove its key, and with which nonce (RFC 9449, sections 7.1, 8 and 9)."""

import falcon

from domain.model.errors import InvalidProofError, KeyNotProvenError, ProofNotFreshError
from entrypoints.http.key_proofs import bound_access_token_of
from ports.dpop import DPoP

_NONCE, _CHALLENGE = "DPoP-Nonce", "WWW-Authenticate"
DPOP_ERRORS: dict[type[Exception], str] = {
    InvalidProofError: "invalid_dpop_proof",
    ProofNotFreshError: "use_dpop_nonce",
    KeyNotProvenError: "invalid_dpop_proof",
}
"""Refusals for want of a proof, by their names in OAuth 2.0 (section 12.2)."""


class DPoPChallenges:
    """Adds to answers what a client needs for its next proof. Without `dpop` there is nothing to add."""

    def __init__(self, dpop: DPoP | None, *, access_tokens_are_bound: bool) -> None:
        """Take who verifies proofs, if anybody does, and whether access tokens of bound sessions need one."""
        self._dpop = dpop
        self._access_tokens_are_bound = access_tokens_are_bound

    def add(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        kind: type[Exception],
        message: str,
        *,
        of_access_token: bool,
    ) -> None:
        """Complete the answer to a refusal, which has the challenge for a bearer token if its status is 401."""
        # A session of a cookie is bound to its device, not to a key of DPoP.
        by_cookie = getattr(req.context, "by_cookie", False)
        if self._dpop is None or (by_cookie and kind is KeyNotProvenError):
            return
        error = DPOP_ERRORS.get(kind)
        if kind in (ProofNotFreshError, KeyNotProvenError):
            resp.set_header(_NONCE, self._dpop.nonce())
        if resp.get_header(_CHALLENGE) is None:
            return
        algorithms = f'algs="{" ".join(self._dpop.algorithms)}"'
        if of_access_token and bound_access_token_of(req) is not None:
            error = "invalid_token"
        if error is not None:
            resp.set_header(_CHALLENGE, f'DPoP error="{error}", error_description="{message}", {algorithms}')
        elif of_access_token and self._access_tokens_are_bound:
            resp.append_header(_CHALLENGE, f"DPoP {algorithms}")


def renew_nonce(req: falcon.Request, resp: falcon.Response) -> None:
    """Give a client whose proof had an older nonce the one that is new (section 8.2)."""
    nonce = getattr(req.context, "next_nonce", None)
    if nonce is not None:
        resp.set_header(_NONCE, nonce)
