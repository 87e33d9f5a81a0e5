"""Refresh tokens that are JWTs, whichever library wrote them."""

from dataclasses import dataclass

import orjson

from domain.model.adoption import ForeignToken, Scheme, adopted
from domain.model.claims import MAX_CLAIM_NAME_LENGTH, REGISTERED
from domain.model.claims import Claims as SessionClaims
from domain.model.users import is_text, is_user_id
from infrastructure.adoption.signed_claims import Claims, SignedClaims
from ports.blocklist import Blocklist
from ports.foreign_tokens import ForeignTokens

MAX_INSTANT = 253_402_300_799
"""The last second of the year 9999, as for this service's own tokens."""
_MAX_ID_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one library, as one application has set it up, writes a refresh token's claims.

    With an `issuer` or an `audience` a token must name it; without, it may say what it likes, as in the library.
    `own` are claims that the library writes for itself: all others go on into access tokens.
    """

    scheme: Scheme
    type_claim: str
    user_claim: str
    id_claim: str
    must_expire: bool
    own: frozenset[str]
    issuer: str | None = None
    audience: str | None = None


class JwtTokens(ForeignTokens):
    """Reads the refresh tokens of one dialect, signed by one key."""

    def __init__(self, signed: SignedClaims, dialect: Dialect, blocklist: Blocklist, *, session_ttl: int) -> None:
        """Take what verifies signatures, and what was revoked. `session_ttl` is the policy's, in seconds."""
        self.signed = signed
        self.dialect = dialect
        self._blocklist = blocklist
        self._session_ttl = session_ttl

    def find(self, presented: str) -> ForeignToken | None:
        """Return the refresh token in `presented`, or `None` for everything else, access tokens included."""
        claims = self._claims_of(presented)
        try:
            return None if claims is None else self._foreign(claims)
        except ValueError:
            return None

    def is_revoked(self, foreign: ForeignToken) -> bool:
        """Look into the blocklist."""
        return self._blocklist.holds(foreign.id)

    def csrf_value_of(self, presented: str) -> str | None:
        """Return what a browser must repeat beside the token if it came by cookie, or `None` if it says nothing."""
        value = (self._claims_of(presented) or {}).get("csrf")
        return value if is_text(value, _MAX_ID_LENGTH) and value else None

    def _claims_of(self, presented: str) -> Claims | None:
        """Return the claims of an authentic refresh token."""
        claims, dialect = self.signed.read(presented), self.dialect
        # APPSEC: exactly "refresh": a token without a type is an access token to some libraries.
        if claims is None or claims.get(dialect.type_claim) != "refresh":
            return None
        if dialect.issuer is not None and claims.get("iss") != dialect.issuer:
            return None
        if dialect.audience is not None and not _is_among(dialect.audience, claims.get("aud")):
            return None
        return claims

    def _foreign(self, claims: Claims) -> ForeignToken:
        """Return what authentic claims say. Raises `ValueError` for any that the library does not write."""
        dialect = self.dialect
        issued_at = _instant(claims, "iat")
        expires_at = _instant(claims, "exp") if dialect.must_expire or "exp" in claims else None
        # A token that was made to count from later on is nothing that a client holds today.
        if "nbf" in claims and _instant(claims, "nbf") > issued_at:
            raise ValueError
        if expires_at is not None and expires_at < issued_at:
            raise ValueError
        return adopted(
            dialect.scheme,
            _text(claims, dialect.id_claim),
            issuer=dialect.issuer or "",
            user_id=_user_id(claims, dialect.user_claim),
            issued_at=issued_at,
            expires_at=expires_at,
            session_ttl=self._session_ttl,
            claims=self._carried(claims),
        )

    def _carried(self, claims: Claims) -> SessionClaims:
        """Return the claims for access tokens. Raises `ValueError` if no access token can carry them."""
        kept = {name: value for name, value in claims.items() if name not in REGISTERED | self.dialect.own}
        if not all(name.isprintable() and 1 <= len(name) <= MAX_CLAIM_NAME_LENGTH for name in kept):
            raise ValueError
        try:
            orjson.dumps(kept)
        except TypeError:
            raise ValueError from None
        return kept


def _instant(claims: Claims, name: str) -> int:
    value = claims.get(name)
    # `type(...) is int` and not isinstance: True is no number here.
    if type(value) is int and 0 <= value <= MAX_INSTANT:
        return value
    raise ValueError


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if value and is_text(value, _MAX_ID_LENGTH):
        return value
    raise ValueError


def _user_id(claims: Claims, name: str) -> str:
    """Return a user's identifier as text. Both libraries wrote numbers as numbers until a few years ago."""
    value = claims.get(name)
    if type(value) is int:
        value = str(value)
    if is_user_id(value):
        return value
    raise ValueError


def _is_among(audience: str, claim: object) -> bool:
    """Tell whether a token is for `audience`: it names one, or a list of them (RFC 7519, section 4.1.3)."""
    if type(claim) is list:
        return all(type(each) is str for each in claim) and audience in claim
    return type(claim) is str and claim == audience
