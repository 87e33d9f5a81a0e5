"""A reader of refresh tokens by the book, and the ways in which such readers are careless, one class each.

The first refuses the whole catalogue. Each of the others lacks one care and nothing else, so that what the catalogue
finds in it shows that the catalogue would find it in the service.
"""

import base64
import binascii
import hmac
import json
import re
import zlib
from pathlib import Path
from typing import Any, Never
from urllib.request import urlopen

from domain.model.errors import InvalidRefreshTokenError, RefusalCause
from domain.model.tokens import MAX_SESSION_TTL, AccessToken, RefreshToken
from domain.model.users import is_user_id
from ports.token_codec import TokenCodec
from tests.hostile.forge import ISSUER, PREVIOUS_SECRET, REFRESH, SECRET, as_json, thumbprint
from tests.hostile.public_keys import public_keys

_MAX_INSTANT = 253_402_300_799


def refuse(*_reasons: object) -> Never:
    raise InvalidRefreshTokenError(RefusalCause.MALFORMED)


def _no_constant(_name: str) -> Never:
    raise ValueError


def _integer(digits: str) -> int:
    value = int(digits)
    if not -(2**63) <= value < 2**64:
        raise ValueError
    return value


class ByTheBook(TokenCodec):
    """Reads strictly, in the plainest way; every step is a method, for others to get wrong."""

    def read_refresh_token(self, presented: str) -> RefreshToken:
        header, payload, end = self.parts(presented)
        self.verify(header, payload, end)
        return self.token(self.parse(self.decode(payload)))

    def parts(self, presented: str) -> list[str]:
        if len(presented) > 4096 or not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", presented, re.ASCII):
            refuse()
        return presented.split(".")

    def verify(self, header: str, payload: str, end: str) -> None:
        secret = self.secret_for(header)
        if secret is None or not self.matches(self.mac(secret, f"{header}.{payload}"), self.decode(end)):
            refuse()

    def secret_for(self, header: str) -> bytes | None:
        return SECRET.encode() if header == REFRESH.header else None

    def mac(self, secret: bytes, message: str) -> bytes:
        return hmac.digest(secret, message.encode(), "sha256")

    def matches(self, expected: bytes, given: bytes) -> bool:
        return hmac.compare_digest(expected, given)

    def decode(self, text: str) -> bytes:
        try:
            decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            refuse()
        if base64.urlsafe_b64encode(decoded).decode().rstrip("=") != text:
            refuse()
        return decoded

    def parse(self, payload: bytes) -> dict[str, Any]:
        try:
            claims = json.loads(payload.decode("utf-8"), parse_constant=_no_constant, parse_int=_integer)
            canonical = as_json(claims).encode() == payload
        except (ValueError, RecursionError):
            refuse()
        if not canonical or not isinstance(claims, dict) or any(isinstance(v, list | dict) for v in claims.values()):
            refuse()
        return claims

    def token(self, claims: dict[str, Any]) -> RefreshToken:
        self.check_names(claims)
        token = RefreshToken(
            session_id=self.identifier(claims.get("sid")),
            user_id=self.user_id(claims.get("sub")),
            generation=self.integer(claims.get("gen"), 1, 2**31 - 1),
            started_at=self.integer(claims.get("auth_time"), 0, _MAX_INSTANT),
            ends_at=self.integer(claims.get("session_expiry"), 0, _MAX_INSTANT),
            issued_at=self.integer(claims.get("iat"), 0, _MAX_INSTANT),
            expires_at=self.integer(claims.get("exp"), 0, _MAX_INSTANT),
        )
        self.check_together(claims, token)
        return token

    def check_names(self, claims: dict[str, Any]) -> None:
        if (claims.get("type"), claims.get("iss"), claims.get("aud")) != ("refresh", ISSUER, ISSUER):
            refuse()

    def integer(self, value: Any, smallest: int, largest: int) -> int:
        if type(value) is not int or not smallest <= value <= largest:
            refuse()
        return int(value)

    def identifier(self, value: Any) -> str:
        if type(value) is not str or not re.fullmatch(r"[\w-]{22}", value, re.ASCII):
            refuse()
        return str(value)

    def user_id(self, value: Any) -> str:
        return value if is_user_id(value) else refuse()

    def check_together(self, claims: dict[str, Any], token: RefreshToken) -> None:
        if claims.get("jti") != token.id or not token.expires_at <= token.ends_at <= token.started_at + MAX_SESSION_TTL:
            refuse()

    def read_access_token(self, presented: str) -> AccessToken:
        raise NotImplementedError

    def write_refresh_token(self, token: RefreshToken) -> str:
        raise NotImplementedError

    def write_access_token(self, token: AccessToken) -> str:
        raise NotImplementedError


class VerifiesNothing(ByTheBook):
    def matches(self, expected: bytes, given: bytes) -> bool:
        return True


class ComparesWhatIsThere(ByTheBook):
    """A signature cut short is compared as far as it goes."""

    def matches(self, expected: bytes, given: bytes) -> bool:
        return expected[: len(given)] == given


class ParsesTheHeader(ByTheBook):
    """Believes a header before it is authenticated; what follows below differs in what it believes."""

    def fields(self, header: str) -> dict[str, Any]:
        try:
            fields = json.loads(self.decode(header))
        except (ValueError, RecursionError):
            refuse()
        return fields if isinstance(fields, dict) else refuse()


class BelievesNone(ParsesTheHeader):
    """CVE-2015-9235 and its spellings."""

    def parts(self, presented: str) -> list[str]:
        found = presented.split(".")
        return found if len(found) == 3 and len(presented) <= 4096 and presented.isascii() else refuse()

    def verify(self, header: str, payload: str, end: str) -> None:
        if str(self.fields(header).get("alg")).lower() != "none":
            super().verify(header, payload, end)


class UsesPublicKeysAsSecrets(ByTheBook):
    """CVE-2016-10555: the key for RS256 verifies HS256."""

    def verify(self, header: str, payload: str, end: str) -> None:
        given = self.decode(end)
        if all(self.mac(key, f"{header}.{payload}") != given for key in public_keys().values()):
            super().verify(header, payload, end)


class UsesTheKeyThatIsEnclosed(ParsesTheHeader):
    """CVE-2018-0114."""

    def secret_for(self, header: str) -> bytes | None:
        jwk = self.fields(header).get("jwk")
        key = jwk.get("k") if isinstance(jwk, dict) else None
        return base64.urlsafe_b64decode(key + "==") if isinstance(key, str) else super().secret_for(header)


class FetchesKeys(ParsesTheHeader):
    def secret_for(self, header: str) -> bytes | None:
        url = self.fields(header).get("jku")
        if isinstance(url, str) and url.startswith("http") and url.isprintable():
            try:
                with urlopen(url, timeout=1) as answer:  # noqa: S310  the mistake
                    return bytes(answer.read())
            except OSError:
                refuse()
        return super().secret_for(header)


class OpensKeyFiles(ParsesTheHeader):
    """The classic: `kid` names a file, and `/dev/null` is an empty one."""

    def secret_for(self, header: str) -> bytes | None:
        kid = self.fields(header).get("kid")
        if isinstance(kid, str) and kid.endswith("null"):
            return Path("/", kid.removeprefix("file://")).read_bytes()
        return super().secret_for(header)


class ExpectsAString(ParsesTheHeader):
    """As many libraries: an attacker's `alg` of another type ends in a `TypeError`."""

    def secret_for(self, header: str) -> bytes | None:
        return super().secret_for(header) if self.fields(header)["alg"].startswith("HS") else None


class IgnoresExtensions(ParsesTheHeader):
    """`crit` is there to prevent it (RFC 7515, section 4.1.11)."""

    def secret_for(self, header: str) -> bytes | None:
        return SECRET.encode() if REFRESH.header_fields.items() <= self.fields(header).items() else None


class IgnoresTyp(ParsesTheHeader):
    def secret_for(self, header: str) -> bytes | None:
        fields = self.fields(header)
        known = (fields.get("alg"), fields.get("kid")) == ("HS256", thumbprint(SECRET))
        return SECRET.encode() if known else None


class IgnoresKid(ByTheBook):
    """Any key of the ring will do."""

    def verify(self, header: str, payload: str, end: str) -> None:
        if self.mac(PREVIOUS_SECRET.encode(), f"{header}.{payload}") != self.decode(end):
            super().verify(header, payload, end)


class TakesAnyHash(ParsesTheHeader):
    def verify(self, header: str, payload: str, end: str) -> None:
        digest = {"HS384": "sha384", "HS512": "sha512"}.get(str(self.fields(header).get("alg")))
        if digest is None:
            super().verify(header, payload, end)
        elif hmac.digest(SECRET.encode(), f"{header}.{payload}".encode(), digest) != self.decode(end):
            refuse()


class Unzips(IgnoresExtensions):
    def parse(self, payload: bytes) -> dict[str, Any]:
        try:
            return super().parse(zlib.decompress(payload, wbits=-15))
        except zlib.error:
            return super().parse(payload)


class HashesTheSecretFirst(ByTheBook):
    """A second secret, derived from nothing: the name of the key."""

    def verify(self, header: str, payload: str, end: str) -> None:
        if self.mac(thumbprint(SECRET).encode(), f"{header}.{payload}") != self.decode(end):
            super().verify(header, payload, end)


class DecodesLeniently(ByTheBook):
    """Trailing bits that should be 0 are dropped: one token has several spellings."""

    def decode(self, text: str) -> bytes:
        try:
            return base64.urlsafe_b64decode(text + "==")
        except binascii.Error:
            refuse()


class SkipsForeignCharacters(DecodesLeniently):
    """As Python's decoder does unless it is told otherwise."""

    def parts(self, presented: str) -> list[str]:
        found = presented.split(".")
        return found if len(found) == 3 and presented.isascii() and len(presented) <= 4096 else refuse()


class TakesBothAlphabets(SkipsForeignCharacters):
    def decode(self, text: str) -> bytes:
        return super().decode(text.replace("+", "-").replace("/", "_"))


class StripsBlanks(ByTheBook):
    def parts(self, presented: str) -> list[str]:
        return super().parts(presented.strip())


class EndsWithADollar(ByTheBook):
    """`$` also matches before a line break."""

    def parts(self, presented: str) -> list[str]:
        matched = re.match(r"([\w-]+)\.([\w-]+)\.([\w-]+)$", presented[:4097], re.ASCII)
        return list(matched.groups()) if matched and len(presented) <= 4096 else refuse()


class TakesFurtherParts(ByTheBook):
    def parts(self, presented: str) -> list[str]:
        return super().parts(".".join(presented[:4096].split(".")[:3]))


class HasNoLimit(ByTheBook):
    def parts(self, presented: str) -> list[str]:
        if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", presented, re.ASCII):
            refuse()
        return presented.split(".")


class LetsTheLastNameWin(ByTheBook):
    """Plain `json.loads`: duplicate names, white space, UTF-16, numbers of any form."""

    def parse(self, payload: bytes) -> dict[str, Any]:
        try:
            claims = json.loads(payload)
        except (ValueError, RecursionError):
            refuse()
        return claims if isinstance(claims, dict) else refuse()


class ExpectsAnObject(ByTheBook):
    def parse(self, payload: bytes) -> dict[str, Any]:
        try:
            claims = json.loads(payload.decode())
        except (ValueError, RecursionError):
            refuse()
        return super().parse(payload) if "sub" in claims else refuse()


class ForgetsTheType(ByTheBook):
    def check_names(self, claims: dict[str, Any]) -> None:
        super().check_names(claims | {"type": "refresh"})


class DefaultsTheType(ByTheBook):
    def check_names(self, claims: dict[str, Any]) -> None:
        super().check_names({"type": "refresh"} | claims)


class ForgetsTheIssuer(ByTheBook):
    def check_names(self, claims: dict[str, Any]) -> None:
        super().check_names(claims | {"iss": ISSUER})


class ForgetsTheAudience(ByTheBook):
    def check_names(self, claims: dict[str, Any]) -> None:
        super().check_names(claims | {"aud": ISSUER})


class ComparesTheAudienceAlone(ByTheBook):
    def check_names(self, claims: dict[str, Any]) -> None:
        if claims.get("aud") != ISSUER:
            refuse()


class LooksForNamesInside(LetsTheLastNameWin):
    """`in` where `==` was meant: a list, or a longer text, holds the right one as well."""

    def check_names(self, claims: dict[str, Any]) -> None:
        wanted = (("type", "refresh"), ("iss", ISSUER), ("aud", ISSUER))
        if not all(name in claims and value in claims[name] for name, value in wanted):
            refuse()


class ConvertsNumbers(ByTheBook):
    def integer(self, value: Any, smallest: int, largest: int) -> int:
        return super().integer(int(value), smallest, largest)


class TakesTrueForOne(ByTheBook):
    def integer(self, value: Any, smallest: int, largest: int) -> int:
        return int(value) if isinstance(value, int) and smallest <= value <= largest else refuse()


class HasNoRanges(ByTheBook):
    def integer(self, value: Any, smallest: int, largest: int) -> int:
        return super().integer(value, -(2**64), 2**64)


class TakesAnyNameForASession(ByTheBook):
    def identifier(self, value: Any) -> str:
        return value if isinstance(value, str) else refuse()


class TakesLettersOfAnyScript(ByTheBook):
    """Without `re.ASCII` a class of letters or digits is wider than it looks."""

    def identifier(self, value: Any) -> str:
        return value if isinstance(value, str) and re.fullmatch(r"[\w-]{22}", value) else refuse()

    def check_together(self, claims: dict[str, Any], token: RefreshToken) -> None:
        super().check_together(claims | {"jti": token.id}, token)


class TakesAnyUser(ByTheBook):
    def user_id(self, value: Any) -> str:
        return value if isinstance(value, str) else refuse()


class ForgetsTheIdentifier(ByTheBook):
    def check_together(self, claims: dict[str, Any], token: RefreshToken) -> None:
        super().check_together(claims | {"jti": token.id}, token)


class ForgetsTheOrder(ByTheBook):
    def check_together(self, claims: dict[str, Any], token: RefreshToken) -> None:
        if claims.get("jti") != token.id:
            refuse()


class SaysWhatItRead(ByTheBook):
    """Reports a bad token with the token in the report."""

    def verify(self, header: str, payload: str, end: str) -> None:
        if self.secret_for(header) is None:
            raise ValueError(f"unknown key in {header}")
        super().verify(header, payload, end)


def careless_codecs() -> list[type[ByTheBook]]:
    """Return every careless reader."""
    found: list[type[ByTheBook]] = []
    waiting = ByTheBook.__subclasses__()
    while waiting:
        codec = waiting.pop()
        waiting += codec.__subclasses__()
        if codec is not ParsesTheHeader and codec.__module__ == __name__:
            found.append(codec)
    return sorted(set(found), key=lambda codec: codec.__name__)
