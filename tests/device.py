"""A browser's device: a key, and proofs of it as the draft of Device Bound Session Credentials has them."""

from typing import Any

from tests.key_holder import KeyHolder

PROOF_TYPE = "dbsc+jwt"


class Device:
    """Whoever holds one key that a browser has made."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.holder = KeyHolder(algorithm)
        self.algorithm = algorithm
        self.thumbprint = self.holder.thumbprint

    @property
    def header(self) -> dict[str, Any]:
        """The header of a proof that registers the key."""
        return {"alg": self.algorithm, "jwk": self.holder.jwk, "typ": PROOF_TYPE}

    def register(self, offer: str) -> str:
        """Return what a browser sends to take an offer."""
        return self.holder.signed(self.header, {"jti": offer})

    def prove(self, challenge: str) -> str:
        """Return what a browser sends from then on."""
        return self.holder.signed({"alg": self.algorithm, "typ": PROOF_TYPE}, {"jti": challenge})


def offer_in(header: str) -> str:
    """Return the offer that a `Secure-Session-Registration` header carries."""
    return header.partition('challenge="')[2].removesuffix('"')


def challenge_in(header: str) -> str:
    """Return the challenge that a `Secure-Session-Challenge` header carries."""
    return header.partition(";")[0].strip('"')
