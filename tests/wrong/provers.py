"""A verifier of proofs by the book, and the ways in which such verifiers are careless, one class each.

The first refuses the whole catalogue. Each of the others lacks one care and nothing else, so that what the catalogue
finds in it shows that the catalogue would find it in the service.
"""

import base64
import hmac
import json
import re
from typing import Any, Never
from urllib.parse import urlsplit
from urllib.request import urlopen

from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry

from domain.model.errors import InvalidProofError, ProofNotFreshError, RefusalCause
from domain.model.proofs import ProvenKey
from infrastructure.authlib.dpop import AuthlibDPoP
from infrastructure.authlib.key_ring import KeyRing
from ports.dpop import DPoP, Proof
from tests.fakes.clock import FakeClock
from tests.fakes.dpop import BASE
from tests.hostile.forge import SECRET
from tests.hostile.public_keys import points_of_small_order
from tests.key_holder import ALGORITHMS, hash_of

_MEMBERS = {"EC": {"kty", "crv", "x", "y"}, "OKP": {"kty", "crv", "x"}, "RSA": {"kty", "n", "e"}}
_KINDS = {"ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP", "RS256": "RSA", "PS256": "RSA"}
_BASE64URL = re.compile(r"[\w-]+", re.ASCII)


def refuse(*_reasons: object) -> Never:
    raise InvalidProofError(RefusalCause.PROOF_MALFORMED)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse()


class ByTheBook(DPoP):
    """Reads strictly, in the plainest way; every step is a method, for others to get wrong."""

    algorithms = ALGORITHMS

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._nonces = AuthlibDPoP(KeyRing(SECRET), self.clock, base=BASE)

    def nonce(self) -> str:
        return self._nonces.nonce()

    def verify(self, proof: str, *, method: str, path: str, access_token: str | None = None) -> Proof:
        header_part, payload_part, end = self.parts(proof)
        header = self.parse(self.decode(header_part))
        self.check_header(header)
        self.check_key(header["jwk"], header["alg"])
        key = self.key(header)
        if not self.matches(header["alg"], f"{header_part}.{payload_part}".encode(), self.decode(end), key):
            refuse()
        claims = self.parse(self.decode(payload_part))
        self.check_types(claims)
        self.check_request(claims, method, BASE + path)
        self.check_token(claims, access_token)
        self.check_nonce(claims.get("nonce"))
        return Proof(key=ProvenKey(thumbprint=key.thumbprint()), nonce=str(claims.get("nonce")))

    def parts(self, proof: str) -> list[str]:
        if len(proof) > 4096 or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", proof, re.ASCII):
            refuse()
        return proof.split(".")

    def decode(self, text: str) -> bytes:
        try:
            decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            refuse()
        if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != text:
            refuse()
        return decoded

    def parse(self, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse)
        except (ValueError, RecursionError):
            refuse()
        return value if isinstance(value, dict) else refuse()

    def check_header(self, header: dict[str, Any]) -> None:
        if set(header) != {"typ", "alg", "jwk"} or header["typ"] != "dpop+jwt" or header["alg"] not in list(_KINDS):
            refuse()

    def check_key(self, jwk: Any, alg: str) -> None:
        if not isinstance(jwk, dict) or jwk.get("kty") != _KINDS[alg] or set(jwk) != _MEMBERS[jwk["kty"]]:
            refuse()
        if any(not isinstance(value, str) for value in jwk.values()):
            refuse()
        if jwk.get("crv", "") != {"EC": "P-256", "OKP": "Ed25519", "RSA": ""}[jwk["kty"]]:
            refuse()
        for name in set(jwk) & {"x", "y", "n", "e"}:
            if not _BASE64URL.fullmatch(jwk[name]) or (name in "xy" and len(self.decode(jwk[name])) != 32):
                refuse()
        if jwk["kty"] == "RSA":
            self.check_rsa(self.decode(jwk["n"]), jwk["e"])
        if jwk["kty"] == "OKP":
            self.check_point(self.decode(jwk["x"]))

    def check_point(self, point: bytes) -> None:
        if point in points_of_small_order():
            refuse()

    def check_rsa(self, modulus: bytes, exponent: str) -> None:
        if modulus[0] == 0 or not 2048 <= int.from_bytes(modulus).bit_length() <= 4096 or exponent != "AQAB":
            refuse()

    def key(self, header: dict[str, Any]) -> Any:
        try:
            return import_key(header["jwk"])
        except ValueError:
            refuse()

    def matches(self, alg: str, message: bytes, signature: bytes, key: Any) -> bool:
        algorithm = JWSRegistry.algorithms["EdDSA" if alg == "Ed25519" else alg]
        return algorithm.verify(message, signature, key)

    def check_types(self, claims: dict[str, Any]) -> None:
        texts = [claims.get(name) for name in ("jti", "htm", "htu")] + [
            claims.get(name, "") for name in ("nonce", "ath")
        ]
        if not all(isinstance(text, str) for text in texts) or type(claims.get("iat")) is not int:
            refuse()
        if not 0 < len(claims["jti"]) <= 256:
            refuse()

    def check_request(self, claims: dict[str, Any], method: str, url: str) -> None:
        if claims["htm"] != method or self.normalized(claims["htu"]) != url:
            refuse()

    def normalized(self, url: str) -> str:
        return url if url == BASE + "/refresh_token" else ""

    def check_token(self, claims: dict[str, Any], access_token: str | None) -> None:
        if access_token is not None and claims.get("ath") != hash_of(access_token):
            refuse()

    def check_nonce(self, nonce: Any) -> None:
        if nonce != self.nonce():
            raise ProofNotFreshError(self.nonce())


class VerifiesNothing(ByTheBook):
    def matches(self, alg: str, message: bytes, signature: bytes, key: Any) -> bool:
        return True


class TakesAnyHeader(ByTheBook):
    """`crit`, `kid` and whatever else may come."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header({name: value for name, value in header.items() if name in ("typ", "alg", "jwk")})


class ForgetsTheType(ByTheBook):
    """Takes any JWT that the key has signed, an ID token as well."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header(header | {"typ": "dpop+jwt"})


class IgnoresTheCaseOfTheType(ByTheBook):
    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header(header | {"typ": str(header.get("typ")).lower()})


class BelievesNone(ByTheBook):
    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header(header | {"alg": "ES256"} if header.get("alg") == "none" else header)

    def check_key(self, jwk: Any, alg: str) -> None:
        super().check_key(jwk, "ES256" if alg == "none" else alg)

    def matches(self, alg: str, message: bytes, signature: bytes, key: Any) -> bool:
        return alg == "none" or super().matches(alg, message, signature, key)


class TakesPublicKeysForSecrets(ByTheBook):
    """CVE-2016-10555: HS256 with what everybody can know."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header(header | {"alg": "RS256"} if header.get("alg") == "HS256" else header)

    def check_key(self, jwk: Any, alg: str) -> None:
        super().check_key(jwk, "RS256" if alg == "HS256" else alg)

    def matches(self, alg: str, message: bytes, signature: bytes, key: Any) -> bool:
        if alg == "HS256":
            return hmac.digest(key.as_pem(private=False), message, "sha256") == signature
        return super().matches(alg, message, signature, key)


class TakesSecrets(ByTheBook):
    """Any algorithm that the library knows, secrets among them: whoever sees a proof can make the next."""

    def check_header(self, header: dict[str, Any]) -> None:
        super().check_header(header | {"alg": "ES256"} if header.get("alg") == "HS256" else header)

    def check_key(self, jwk: Any, alg: str) -> None:
        if alg != "HS256":
            super().check_key(jwk, alg)


class TakesPrivateKeys(ByTheBook):
    def check_key(self, jwk: Any, alg: str) -> None:
        public = (
            {n: v for n, v in jwk.items() if n not in ("d", "p", "q", "dp", "dq", "qi")} if isinstance(jwk, dict) else 0
        )
        super().check_key(public, alg)


class IgnoresFurtherMembers(ByTheBook):
    def check_key(self, jwk: Any, alg: str) -> None:
        known = {n: v for n, v in jwk.items() if n in _MEMBERS[_KINDS[alg]] or n == "d"} if isinstance(jwk, dict) else 0
        super().check_key(known, alg)


class TakesSmallKeys(ByTheBook):
    def check_rsa(self, modulus: bytes, exponent: str) -> None:
        super().check_rsa(modulus.rjust(256, b"\x80"), exponent)


class TakesLargeKeys(ByTheBook):
    def check_rsa(self, modulus: bytes, exponent: str) -> None:
        super().check_rsa(modulus[:512], exponent)


class TakesAnyExponent(ByTheBook):
    def check_rsa(self, modulus: bytes, exponent: str) -> None:
        super().check_rsa(modulus, "AQAB")


class TakesAnyPoint(ByTheBook):
    """As OpenSSL does: for a few points everybody can sign."""

    def check_point(self, point: bytes) -> None:
        pass


class FetchesKeys(ByTheBook):
    def check_header(self, header: dict[str, Any]) -> None:
        if isinstance(header.get("jku"), str):
            try:
                urlopen(header["jku"], timeout=1).close()  # noqa: S310  the mistake
            except OSError:
                refuse()
        super().check_header(header)


class ExpectsAnObject(ByTheBook):
    def check_key(self, jwk: Any, alg: str) -> None:
        super().check_key(jwk if jwk["kty"] else None, alg)


class ExpectsAString(ByTheBook):
    def check_header(self, header: dict[str, Any]) -> None:
        if header["alg"].startswith("HS"):
            refuse()
        super().check_header(header)


class LetsTheLastNameWin(ByTheBook):
    """Plain `json.loads`."""

    def parse(self, data: bytes) -> dict[str, Any]:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            refuse()
        return value if isinstance(value, dict) else refuse()


class CountsNoParts(ByTheBook):
    def parts(self, proof: str) -> list[str]:
        found = proof.split(".")
        return found if len(found) == 3 and len(proof) <= 4096 and proof.isascii() else refuse()

    def decode(self, text: str) -> bytes:
        try:
            return base64.urlsafe_b64decode(text + "==")
        except ValueError:
            refuse()


class TakesTheFirstOfTwo(ByTheBook):
    """As a framework does that gives the first of several headers."""

    def parts(self, proof: str) -> list[str]:
        return super().parts(proof.partition(",")[0])


class StripsBlanks(ByTheBook):
    def parts(self, proof: str) -> list[str]:
        return super().parts(proof.strip())


class HasNoLimit(ByTheBook):
    def parts(self, proof: str) -> list[str]:
        if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", proof, re.ASCII):
            refuse()
        return proof.split(".")


class ForgetsTheMethod(ByTheBook):
    def check_request(self, claims: dict[str, Any], method: str, url: str) -> None:
        super().check_request(claims | {"htm": method}, method, url)


class IgnoresTheCaseOfTheMethod(ByTheBook):
    def check_request(self, claims: dict[str, Any], method: str, url: str) -> None:
        super().check_request(claims | {"htm": claims["htm"].upper()}, method, url)


class ForgetsTheUrl(ByTheBook):
    def check_request(self, claims: dict[str, Any], method: str, url: str) -> None:
        super().check_request(claims | {"htu": url}, method, url)


class ComparesTheBeginning(ByTheBook):
    def normalized(self, url: str) -> str:
        return BASE + "/refresh_token" if url.startswith(BASE) else ""


class ComparesThePath(ByTheBook):
    """Behind a proxy neither scheme nor host seem to be known."""

    def normalized(self, url: str) -> str:
        return BASE + urlsplit(url).path if url.isprintable() and "[" not in url else ""


class LooksForTheUrlInside(ByTheBook):
    def normalized(self, url: str) -> str:
        return BASE + "/refresh_token" if BASE + "/refresh_token" in url else ""


class StripsTheUrl(ByTheBook):
    """As `urlsplit` and browsers do."""

    def normalized(self, url: str) -> str:
        return super().normalized(url.strip("\x00\n "))


class ForgetsTheIdentifier(ByTheBook):
    def check_types(self, claims: dict[str, Any]) -> None:
        super().check_types(claims | {"jti": "x"})


class ForgetsTheTimeOfIssue(ByTheBook):
    def check_types(self, claims: dict[str, Any]) -> None:
        super().check_types(claims | {"iat": 1})


class TakesTrueForATime(ByTheBook):
    def check_types(self, claims: dict[str, Any]) -> None:
        super().check_types(claims | {"iat": 1} if isinstance(claims.get("iat"), int) else claims)


class ForgetsTheAccessToken(ByTheBook):
    def check_token(self, claims: dict[str, Any], access_token: str | None) -> None:
        pass


class ComparesTheHashIfThereIsOne(ByTheBook):
    def check_token(self, claims: dict[str, Any], access_token: str | None) -> None:
        super().check_token(claims, access_token if "ath" in claims else None)


class ForgetsTheNonce(ByTheBook):
    def check_nonce(self, nonce: Any) -> None:
        pass


class TakesAnOldNonce(ByTheBook):
    def check_nonce(self, nonce: Any) -> None:
        if not str(nonce).startswith(self.nonce()[:100]):
            super().check_nonce(nonce)


class SaysWhatItRead(ByTheBook):
    def parse(self, data: bytes) -> dict[str, Any]:
        try:
            return super().parse(data)
        except InvalidProofError:
            raise ValueError(data) from None


def careless_readers() -> list[type[ByTheBook]]:
    """Return every careless verifier."""
    return sorted(ByTheBook.__subclasses__(), key=lambda reader: reader.__name__)
