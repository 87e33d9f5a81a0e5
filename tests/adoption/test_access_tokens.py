"""Access tokens that an old library accepts: what is in them, and who may have signed what."""

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from domain.model.errors import InvalidAccessTokenError
from domain.model.tokens import AccessToken, new_id
from infrastructure.adoption import flask_jwt_extended, simplejwt
from infrastructure.adoption.access_tokens import AccessClaims, CompatibleTokenCodec, OldKeyTokenCodec
from infrastructure.adoption.signed_claims import SignedClaims
from tests.fakes.clock import START
from tests.hostile.catalogue import every_token
from tests.hostile.forge import ACCESS, REFRESH, STRANGERS_SECRET, strict_codec

OLD_KEY = STRANGERS_SECRET
WANTED: list[AccessClaims] = [flask_jwt_extended.access_claims, simplejwt.access_claims]
TOKEN = AccessToken(
    id=new_id(),
    session_id=new_id(),
    user_id="17",
    issued_at=START,
    expires_at=START + 900,
    claims={"role": "\u00e9diteur", "user_id": "made up", "iss": "simplejwt", "exp": 1},
)


def codec() -> OldKeyTokenCodec:
    return OldKeyTokenCodec(strict_codec(), WANTED, SignedClaims(OLD_KEY), issuer="old", audience="shop")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(urlsafe_b64decode(header + "==")), json.loads(urlsafe_b64decode(payload + "=="))


def test_what_libraries_look_for_is_beside_what_is_always_there() -> None:
    header, claims = parts(CompatibleTokenCodec(strict_codec(), WANTED).write_access_token(TOKEN))
    assert header["typ"] == "at+jwt"
    assert claims.pop("csrf")
    assert (claims["token_type"], claims["user_id"], claims["fresh"], claims["type"]) == (
        "access",
        "17",
        False,
        "access",
    )
    assert (claims["role"], claims["exp"], claims["sub"]) == ("\u00e9diteur", START + 900, "17")
    assert claims["iss"] != "simplejwt"


def test_the_old_key_signs_in_the_old_form() -> None:
    header, claims = parts(codec().write_access_token(TOKEN))
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert (claims["iss"], claims["aud"], claims["exp"], claims["sid"]) == (
        "old",
        "shop",
        START + 900,
        TOKEN.session_id,
    )


def test_a_token_of_the_old_key_is_read_back() -> None:
    read = codec().read_access_token(codec().write_access_token(TOKEN))
    assert (read.id, read.session_id, read.user_id, read.expires_at) == (TOKEN.id, TOKEN.session_id, "17", START + 900)


@pytest.mark.parametrize("key", [None, "k" * 43])
def test_a_bound_token_of_the_old_key_stays_bound(key: str | None) -> None:
    """One that did not say so would be good for whoever has it (RFC 9449, section 6.1)."""
    written = codec().write_access_token(replace(TOKEN, key_thumbprint=key))
    assert parts(written)[1].get("cnf") == (None if key is None else {"jkt": key})
    assert codec().read_access_token(written).key_thumbprint == key


def test_tokens_from_before_the_old_key_signed_are_read_too() -> None:
    assert codec().read_access_token(ACCESS.honest) == strict_codec().read_access_token(ACCESS.honest)


def test_refresh_tokens_are_nobody_elses() -> None:
    """What the old key has signed is an access token at most, whatever it says."""
    written = codec().write_refresh_token(codec().read_refresh_token(REFRESH.honest))
    assert written == REFRESH.honest
    forged = SignedClaims(OLD_KEY).write(REFRESH.claims)
    with pytest.raises(Exception, match="malformed"):
        codec().read_refresh_token(forged)


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "refresh"}, {"iss": "new"}, {"aud": "api"}, {"sid": "x"}, {"sid": None}, {"jti": 1}, {"sub": ""},
        {"exp": None}, {"exp": 1.5}, {"exp": True}, {"iat": START + 901}, {"exp": 10**40},
        {"cnf": None}, {"cnf": {}}, {"cnf": "k" * 43}, {"cnf": {"jkt": "k"}}, {"cnf": {"jkt": None}},
        {"cnf": {"jkt": "k" * 43, "x5t#S256": "k" * 43}}, {"cnf": [{"jkt": "k" * 43}]},
    ],
)  # fmt: skip
def test_what_the_old_application_signs_by_itself_belongs_to_no_session(changed: dict[str, Any]) -> None:
    _, claims = parts(codec().write_access_token(TOKEN))
    codec().read_access_token(SignedClaims(OLD_KEY).write(claims))
    with pytest.raises(InvalidAccessTokenError):
        codec().read_access_token(SignedClaims(OLD_KEY).write(claims | changed))


def test_no_hostile_token_is_read() -> None:
    for name, text in every_token(ACCESS):
        with pytest.raises(InvalidAccessTokenError):
            codec().read_access_token(text)
        assert name
