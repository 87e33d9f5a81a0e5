"""Proofs of possession by DPoP (RFC 9449), verified with Authlib's JOSE engine."""

import hashlib
import re
from base64 import urlsafe_b64encode

from domain.model.errors import InvalidProofError, ProofNotFreshError, RefusalCause
from domain.model.proofs import ProvenKey
from infrastructure.authlib.compact import Claims, RefusedError, read, write
from infrastructure.authlib.enclosed_keys import ALGORITHMS, read_enclosed
from infrastructure.authlib.freshness import Freshness
from infrastructure.authlib.key_ring import KeyRing
from ports.clock import Clock
from ports.dpop import DPoP, Proof

_PROOF_TYPE = "dpop+jwt"
_NONCE_TYPE = "dpop-nonce+jwt"
_NONCE_NEW_FOR = 60
"""Seconds. The shorter, the less must a nonce be good for longer than clients need it."""
_NONCE_GOOD_FOR = 20 * 60
"""Seconds: longer than an access token lives by default, so that a client that has kept the nonce of its last answer
refreshes with one request. APPSEC: so long is a proof good that somebody makes in advance, who may use the key for a
moment; the access token that they can take along instead is good for nearly as long."""
_MAX_ID_LENGTH = 256
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{0,5}))?(?P<path>/[^?#]*)?(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class AuthlibDPoP(DPoP):
    """Verifies proofs that were made for URLs below one base, with a nonce that this service has signed."""

    algorithms = ALGORITHMS

    def __init__(self, keys: KeyRing, clock: Clock, *, base: str) -> None:
        """Take the secrets that sign nonces, and the URL below which clients find the service.

        Raises `ValueError` if that is no URL of HTTP.
        """
        url = normalized(base)
        if url is None:
            raise ValueError("the base of proofs must be a URL of HTTP")
        self._nonces = keys.of_type(_NONCE_TYPE)
        self._freshness = Freshness(clock, new_for=_NONCE_NEW_FOR, good_for=_NONCE_GOOD_FOR)
        self._base = url.rstrip("/")
        self._newest = (-1, "")

    def nonce(self) -> str:
        """Return the current nonce: the time at which it was new, signed."""
        new_at = self._freshness.new_at()
        if self._newest[0] != new_at:
            self._newest = new_at, write(self._nonces.signing, {"new_at": new_at})
        return self._newest[1]

    def verify(self, proof: str, *, method: str, path: str, access_token: str | None = None) -> Proof:
        """Return what `proof` proves, by the checks of RFC 9449, section 4.3."""
        try:
            thumbprint, claims = read_enclosed(proof, _PROOF_TYPE)
        except RefusedError:
            raise InvalidProofError(RefusalCause.PROOF_MALFORMED) from None
        _check_form(claims)
        # APPSEC: whoever is shown a proof cannot use it for anything else.
        made_for = claims["htm"], normalized(claims["htu"])
        if made_for != (method, self._base + path) or not _is_for(access_token, claims):
            raise InvalidProofError(RefusalCause.PROOF_ELSEWHERE)
        nonce = claims.get("nonce")
        if not self._is_fresh(nonce):
            raise ProofNotFreshError(self.nonce())
        return Proof(key=ProvenKey(thumbprint=thumbprint), nonce=str(nonce))

    def _is_fresh(self, nonce: object) -> bool:
        """Tell whether `nonce` is one of this service's of the last minutes. Clocks of servers differ by moments."""
        try:
            new_at = read(nonce, self._nonces)["new_at"] if isinstance(nonce, str) else None
        except RefusedError:
            return False
        return new_at is not None and self._freshness.accepts(new_at)


def normalized(url: str) -> str | None:
    """Return `url` as it is compared: without query and fragment, scheme and host in lower case, no default port.

    (RFC 3986, sections 6.2.2.1 and 6.2.3.) `None` if it is no URL of HTTP, or names a user.
    """
    parts = _URL.fullmatch(url) if url.isascii() and url.isprintable() and " " not in url else None
    if parts is None:
        return None
    scheme, host = parts["scheme"].lower(), parts["host"].lower()
    port = int(parts["port"] or _DEFAULT_PORTS[scheme])
    authority = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{authority}{parts['path'] or '/'}"


def _check_form(claims: Claims) -> None:
    """Refuse claims that lack what a proof must have, or have it in another form (section 4.2)."""
    identifier = claims.get("jti")
    texts = (identifier, claims.get("htm"), claims.get("htu"), claims.get("nonce", ""), claims.get("ath", ""))
    # By `type` and not isinstance: True is no time. The time itself is not looked at: the nonce tells it.
    well_formed = all(type(text) is str for text in texts) and type(claims.get("iat")) is int
    if not well_formed or not 0 < len(str(identifier)) <= _MAX_ID_LENGTH:
        raise InvalidProofError(RefusalCause.PROOF_MALFORMED)


def _is_for(access_token: str | None, claims: Claims) -> bool:
    """Tell whether the proof goes with the access token, if one is shown (section 4.3, step 12)."""
    if access_token is None:
        return True
    digest = hashlib.sha256(access_token.encode("utf-8", "surrogatepass")).digest()
    return claims.get("ath") == urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
