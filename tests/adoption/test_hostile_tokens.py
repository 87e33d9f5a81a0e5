"""The catalogue of hostile tokens, against the readers of other libraries' refresh tokens.

The forge has the old application's own secret: a token differs from an honest one in exactly what its case names.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from domain.model.adoption import ForeignToken, Scheme
from domain.model.tokens import MAX_SESSION_TTL
from infrastructure.adoption import flask_jwt_extended, simplejwt
from infrastructure.adoption.jwt_tokens import Dialect, JwtTokens
from infrastructure.adoption.signed_claims import SignedClaims
from ports.blocklist import NoBlocklist
from tests.fakes.clock import START
from tests.hostile.audit import watched
from tests.hostile.catalogue import GROUPS, tokens
from tests.hostile.forge import DAY, ISSUER, REFRESH, SECRET, Claims, Kind, strict_codec

_LATEST = START + MAX_SESSION_TTL
JTI = "9d2c0f6e-6c1e-4a43-8f6b-0d7a5c1e2b3f"


@dataclass(frozen=True, eq=False)
class OldKind(Kind):
    """A token of PyJWT's form: its header names nothing but the algorithm."""

    @property
    def header_fields(self) -> Claims:
        return {"alg": "HS256", "typ": self.typ}


FLASK = OldKind(
    "refresh",
    "JWT",
    {
        "fresh": False, "iat": START, "jti": JTI, "type": "refresh", "sub": "ada", "nbf": START,
        "csrf": "0c1f7a52-3f6e-4a0e-9f5b-6f1d2c3b4a59", "aud": ISSUER, "iss": ISSUER, "exp": START + 30 * DAY,
    },
)  # fmt: skip
SIMPLEJWT = OldKind(
    "refresh",
    "JWT",
    {
        "token_type": "refresh", "exp": START + DAY, "iat": START, "jti": "9d2c0f6e6c1e4a438f6b0d7a5c1e2b3f",
        "user_id": "ada", "aud": ISSUER, "iss": ISSUER,
    },
)  # fmt: skip
KINDS = {Scheme.FLASK_JWT_EXTENDED: FLASK, Scheme.SIMPLEJWT: SIMPLEJWT}
DIALECTS: dict[Scheme, Callable[[], Dialect]] = {
    Scheme.FLASK_JWT_EXTENDED: partial(flask_jwt_extended.dialect, issuer=ISSUER, audience=ISSUER),
    Scheme.SIMPLEJWT: partial(simplejwt.dialect, issuer=ISSUER, audience=ISSUER),
}
EACH_SCHEME = pytest.mark.parametrize("scheme", KINDS)


def reader(scheme: Scheme) -> JwtTokens:
    return JwtTokens(SignedClaims(SECRET), DIALECTS[scheme](), NoBlocklist(), session_ttl=60 * DAY)


def accepted(tokens_of: JwtTokens, cases: Iterator[tuple[str, str]]) -> dict[str, ForeignToken]:
    """Return what is found, by name. Nothing may be raised, and nothing in the world touched."""
    found = {}
    for name, text in cases:
        with watched() as seen:
            foreign = tokens_of.find(text)
        assert not seen, name
        if foreign is not None:
            found[name] = foreign
    return found


@EACH_SCHEME
def test_the_forge_makes_what_the_library_makes(scheme: Scheme) -> None:
    foreign = reader(scheme).find(KINDS[scheme].honest)
    assert foreign is not None
    assert foreign.scheme is scheme


HARMLESS = {
    "the honest token itself": r"typ 'JWT'|header in utf-7",
    "no key is looked up by kid": r"kid .* signed by the ring|no kid|a previous key's kid.*|header with kid twice .*",
    "PyJWT 1 wrote headers in this order": r"header in another order",
    "an identifier is hashed, whatever it is": r"jti .*",
    "users were numbers once": r"(sub|user_id) '-?\d'| ",
    "an audience may be among others (RFC 7519, section 4.1.3)": r"aud \"\[.*|an audience among others",
}
HARMLESS_IN = {
    Scheme.FLASK_JWT_EXTENDED: {
        "JWT_REFRESH_TOKEN_EXPIRES may be false": r"exp missing",
        "JWT_ENCODE_NBF may be false, and clocks are set": r"nbf missing|nbf '0'",
        "it is asked for where the token came by cookie": r"csrf .*",
        "nothing is read from it": r"fresh .*",
        "they say what the old application says, under its key and its header": r"the other kind's .*",
    },
    Scheme.SIMPLEJWT: {
        "a blank may be somebody's name": r"user_id ' '",
        "the library gives these names no meaning": r"payload with .*(sub|type) .*",
        "the library's type is another claim": r"the other kind's (audience|type)|a list of types|an unknown type",
    },
}


@EACH_SCHEME
@pytest.mark.parametrize("group", GROUPS)
def test_a_hostile_token_is_nobodys(scheme: Scheme, group: str, record_property: Callable[[str, object], None]) -> None:
    """The exceptions are those that are as good as the honest one, each for a reason."""
    cases, reasons = tokens(KINDS[scheme], group), {**HARMLESS, **HARMLESS_IN[scheme]}
    found = accepted(reader(scheme), iter(cases))
    assert [name for name in found if not any(re.fullmatch(pattern, name) for pattern in reasons.values())] == []
    assert all(foreign.token.generation == 1 and foreign.token.expires_at <= _LATEST for foreign in found.values())
    record_property("hostile_foreign_tokens", len(cases))


@EACH_SCHEME
def test_an_access_token_of_the_old_application_is_no_refresh_token(scheme: Scheme) -> None:
    kind, type_claim = KINDS[scheme], DIALECTS[scheme]().type_claim
    for other in ("access", "Refresh", "refresh ", "sliding", "", None, True, ["refresh"], {"refresh": 1}):
        assert reader(scheme).find(kind.saying(**{type_claim: other})) is None
    assert reader(scheme).find(kind.without(type_claim)) is None


@EACH_SCHEME
def test_a_token_of_the_one_library_is_none_of_the_other(scheme: Scheme) -> None:
    """Even where both use one key, as Django's SECRET_KEY may be."""
    (other,) = KINDS.keys() - {scheme}
    assert reader(scheme).find(KINDS[other].honest) is None


@EACH_SCHEME
def test_a_token_of_this_service_is_none_of_theirs(scheme: Scheme) -> None:
    """Even if somebody gave both the same key, which the settings refuse."""
    own = strict_codec().write_refresh_token(strict_codec().read_refresh_token(REFRESH.honest))
    assert reader(scheme).find(own) is None


@EACH_SCHEME
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_algorithm_is_the_settings_alone(scheme: Scheme, algorithm: str) -> None:
    signed = SignedClaims(SECRET, algorithm)
    tokens_of = JwtTokens(signed, DIALECTS[scheme](), NoBlocklist(), session_ttl=60 * DAY)
    assert tokens_of.find(KINDS[scheme].honest) is None
    assert tokens_of.find(signed.write(KINDS[scheme].claims)) is not None
