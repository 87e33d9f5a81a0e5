"""What every token codec promises. What hostile text may look like is in `tests/hostile`."""

import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
import pytest
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from freezegun import freeze_time
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import KeySet, OctKey

from domain.model.claims import REGISTERED, Claims
from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError, RefusalCause
from domain.model.tokens import MAX_GENERATION, MAX_SESSION_TTL, RefreshToken, new_id
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import (
    AccessKey,
    WeakKeyError,
    generate_private_key,
    private_key,
    public_half,
    public_key,
)
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from ports.token_codec import TokenCodec
from tests.builders import KEY, access_token_of, first_token
from tests.fakes.clock import START
from tests.fakes.token_codec import FakeTokenCodec

Keys = Sequence[AccessKey]
SECRET, OTHER_SECRET = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU", "Wq3nB8xK1vM6tC9zR2pS7dL4hJ0fG5yE_aO"
ISSUER, AUDIENCE, CLIENT = "https://login.example.org", "https://api.example.org", "web"
REFRESH_TOKEN = replace(first_token("ada"), generation=7, issued_at=START + 6, expires_at=START + 6 + 14 * 86_400)
START_INSTANT = datetime.fromtimestamp(START, tz=UTC)
ACCESS_TOKEN = replace(access_token_of(REFRESH_TOKEN), claims={"role": "admin", "amr": ["pwd"]})


ALGORITHMS = ("ES256", "RS256", "EdDSA")


@cache
def access_key(algorithm: str, number: int = 0) -> AccessKey:
    """Return a key of its own for each number; making one for RSA takes its time."""
    return private_key(generate_private_key(algorithm))


def authlib_codec(
    secret: str = SECRET, *previous: str, issuer: str = ISSUER, sign: AccessKey | None = None, verify: Keys = ()
) -> AuthlibTokenCodec:
    keys = KeyRing(secret, previous, access_key=sign, verification_keys=verify)
    return AuthlibTokenCodec(keys, issuer=issuer, audience=AUDIENCE, client_id=CLIENT)


@pytest.fixture(params=[None, "HS256", *ALGORITHMS], ids=["fake", "HS256", *ALGORITHMS])
def codec(request: pytest.FixtureRequest) -> TokenCodec:
    """Return a codec of each kind."""
    if request.param is None:
        return FakeTokenCodec()
    return authlib_codec(sign=None if request.param == "HS256" else access_key(request.param))


@pytest.fixture(params=[FakeTokenCodec, lambda: authlib_codec(OTHER_SECRET, sign=access_key("ES256", 1))])
def foreign_codec(request: pytest.FixtureRequest) -> TokenCodec:
    """Return a codec of another service."""
    make: Callable[[], TokenCodec] = request.param
    return make()


def test_what_was_written_is_read(codec: TokenCodec) -> None:
    """Each token has an identifier, `jti`, by which it is tracked."""
    assert codec.read_refresh_token(codec.write_refresh_token(REFRESH_TOKEN)) == REFRESH_TOKEN
    assert codec.read_access_token(codec.write_access_token(ACCESS_TOKEN)) == ACCESS_TOKEN
    assert REFRESH_TOKEN.id == f"{REFRESH_TOKEN.session_id}.7"


def test_a_refresh_token_is_always_written_in_the_same_words(codec: TokenCodec) -> None:
    """That is how a repeat is answered with the session's one current token."""
    assert codec.write_refresh_token(REFRESH_TOKEN) == codec.write_refresh_token(replace(REFRESH_TOKEN))


def test_tokens_of_different_generations_differ(codec: TokenCodec) -> None:
    following = replace(REFRESH_TOKEN, generation=REFRESH_TOKEN.generation + 1)

    assert codec.write_refresh_token(following) != codec.write_refresh_token(REFRESH_TOKEN)


def test_the_token_type_is_checked(codec: TokenCodec) -> None:
    """An access token is no refresh token, nor the reverse."""
    with pytest.raises(InvalidRefreshTokenError):
        codec.read_refresh_token(codec.write_access_token(ACCESS_TOKEN))
    with pytest.raises(InvalidAccessTokenError):
        codec.read_access_token(codec.write_refresh_token(REFRESH_TOKEN))


def test_reading_does_not_look_at_the_time(codec: TokenCodec) -> None:
    for start in (0, START - 10 * MAX_SESSION_TTL, START + 10 * MAX_SESSION_TTL):
        token = first_token(now=start)

        assert codec.read_refresh_token(codec.write_refresh_token(token)) == token


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "refresh", "é" * 100, "\ud800", "\0", "x" * 1_000_000])
def test_any_other_text_is_refused(codec: TokenCodec, text: str) -> None:
    with pytest.raises(InvalidRefreshTokenError) as caught:
        codec.read_refresh_token(text)
    assert caught.value.cause is RefusalCause.MALFORMED
    with pytest.raises(InvalidAccessTokenError):
        codec.read_access_token(text)


def test_a_changed_token_is_refused_wherever_it_is_changed(codec: TokenCodec) -> None:
    """Cut at every length, and each character replaced; and the error holds nothing of the token."""
    text = codec.write_refresh_token(REFRESH_TOKEN)
    changed = [text[:length] for length in range(len(text))]
    changed += [f"{text[:i]}{'A' if text[i] != 'A' else 'B'}{text[i + 1 :]}" for i in range(len(text))]
    for presented in [*changed, f" {text}", f"{text}\n", text * 2, text.upper()]:
        with pytest.raises(InvalidRefreshTokenError) as caught:
            codec.read_refresh_token(presented)
        assert str(caught.value) in set(RefusalCause)
        assert caught.value.__cause__ is None


def test_a_token_of_another_service_is_refused(codec: TokenCodec, foreign_codec: TokenCodec) -> None:
    with pytest.raises(InvalidRefreshTokenError):
        codec.read_refresh_token(foreign_codec.write_refresh_token(REFRESH_TOKEN))
    with pytest.raises(InvalidAccessTokenError):
        codec.read_access_token(foreign_codec.write_access_token(ACCESS_TOKEN))


patient = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

instants = st.integers(0, 253_402_300_799 - MAX_SESSION_TTL)
user_ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
applications_claims = st.dictionaries(
    texts.filter(lambda name: bool(name) and name not in REGISTERED),
    values | st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3),
    max_size=4,
)


thumbprints = st.none() | st.from_regex(re.compile(r"\A[A-Za-z0-9_-]{43}\Z", re.ASCII))


@st.composite
def refresh_tokens(draw: st.DrawFn) -> RefreshToken:
    started_at = draw(instants)
    ends_at = started_at + draw(st.integers(0, MAX_SESSION_TTL))
    return RefreshToken(
        session_id=new_id(),
        user_id=draw(user_ids),
        generation=draw(st.integers(1, MAX_GENERATION)),
        started_at=started_at,
        ends_at=ends_at,
        issued_at=draw(instants),
        expires_at=draw(st.integers(0, ends_at)),
        remember=draw(st.booleans()),
        key_thumbprint=draw(thumbprints),
    )


@given(refresh_tokens())
@patient
def test_every_refresh_token_is_read_as_it_was_written(token: RefreshToken) -> None:
    codec = authlib_codec()

    assert codec.read_refresh_token(codec.write_refresh_token(token)) == token


@given(
    user_id=user_ids,
    issued_at=instants,
    life=st.integers(1, 86_400),
    claims=applications_claims,
    key_thumbprint=thumbprints,
)
@patient
def test_every_access_token_is_read_as_it_was_written(
    user_id: str, issued_at: int, life: int, claims: Claims, key_thumbprint: str | None
) -> None:
    codec = authlib_codec()
    token = access_token_of(first_token(user_id), now=issued_at, ttl=life)
    token = replace(token, claims=claims, key_thumbprint=key_thumbprint)

    assert codec.read_access_token(codec.write_access_token(token)) == token


def test_tokens_outlive_a_change_of_the_key_while_the_old_one_is_in_the_ring() -> None:
    text = authlib_codec(SECRET).write_refresh_token(REFRESH_TOKEN)
    changed = authlib_codec(OTHER_SECRET, SECRET)

    assert changed.read_refresh_token(text) == REFRESH_TOKEN
    with pytest.raises(InvalidRefreshTokenError):
        authlib_codec(OTHER_SECRET).read_refresh_token(text)
    with pytest.raises(InvalidRefreshTokenError):
        authlib_codec(SECRET).read_refresh_token(changed.write_refresh_token(REFRESH_TOKEN))


@pytest.mark.parametrize(
    ("secret", "previous"),
    [
        ("", []),
        ("short", []),
        ("a" * 64, []),
        ("change-me-change-me-change-me-please", []),
        (SECRET, ["short"]),
        (SECRET, [SECRET]),
        (SECRET, [OTHER_SECRET, OTHER_SECRET]),
    ],
)
def test_no_token_rests_on_a_weak_or_repeated_key(secret: str, previous: list[str]) -> None:
    with pytest.raises(WeakKeyError) as caught:
        KeyRing(secret, previous)
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_access_tokens_outlive_a_change_of_their_key(algorithm: str) -> None:
    """Whoever has heard of both keys reads the tokens of both, with the public halves alone."""
    old, new = access_key(algorithm), access_key("ES256", 2)
    verifying = authlib_codec(OTHER_SECRET, sign=new, verify=[old])
    for signing in (authlib_codec(sign=old), authlib_codec(sign=new)):
        assert verifying.read_access_token(signing.write_access_token(ACCESS_TOKEN)) == ACCESS_TOKEN
    with pytest.raises(InvalidAccessTokenError):
        authlib_codec(sign=new).read_access_token(authlib_codec(sign=old).write_access_token(ACCESS_TOKEN))


def test_what_verifies_need_not_sign() -> None:
    pem = generate_private_key("ES256")
    text = authlib_codec(sign=private_key(pem)).write_access_token(ACCESS_TOKEN)
    assert authlib_codec(verify=[public_key(public_half(pem))]).read_access_token(text) == ACCESS_TOKEN


def test_a_key_serves_one_type_of_token() -> None:
    """Beside a key for access tokens, the secret says nothing about them; and that key nothing about refresh tokens."""
    with_key, with_secret = authlib_codec(sign=access_key("ES256")), authlib_codec()
    with pytest.raises(InvalidAccessTokenError):
        with_key.read_access_token(with_secret.write_access_token(ACCESS_TOKEN))
    assert with_key.read_refresh_token(with_secret.write_refresh_token(REFRESH_TOKEN)) == REFRESH_TOKEN
    assert with_key.write_refresh_token(REFRESH_TOKEN) == with_secret.write_refresh_token(REFRESH_TOKEN)


def test_a_token_of_a_key_that_is_gone_is_told_apart_in_the_log() -> None:
    """From rubbish, by its form alone: whose signature it has is not known."""
    text = authlib_codec(OTHER_SECRET).write_refresh_token(REFRESH_TOKEN)
    for presented in (text, text[:-1], f"{text.split('.')[0]}.e30.AA"):
        with pytest.raises(InvalidRefreshTokenError) as caught:
            authlib_codec().read_refresh_token(presented)
        assert caught.value.cause is RefusalCause.UNKNOWN_KEY
    header = {"alg": "HS256", "kid": "x" * 43, "typ": "rt+jwt"}
    changes: list[dict[str, object]] = [
        {"alg": "none"},
        {"kid": "x" * 42},
        {"kid": "../" + "x" * 40},
        {"typ": "JWT"},
        {"crit": []},
    ]
    for changed in changes:
        rubbish = urlsafe_b64encode(orjson.dumps(header | changed)).rstrip(b"=").decode()
        with pytest.raises(InvalidRefreshTokenError) as caught:
            authlib_codec().read_refresh_token(f"{rubbish}.e30.AA")
        assert caught.value.cause is RefusalCause.MALFORMED


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_access_tokens_are_what_the_standard_library_of_jose_makes_of_them(algorithm: str) -> None:
    """Verified with the published key alone."""
    key = access_key(algorithm)
    published: Any = KeyRing(SECRET, access_key=key).public_keys
    text = authlib_codec(sign=key).write_access_token(ACCESS_TOKEN)
    # joserfc finds the key by `kid`; it warns of the name EdDSA, which is what most libraries know.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        access = jws.deserialize_compact(text, KeySet.import_key_set(published), [algorithm])
    assert access.protected == {"alg": algorithm, "kid": key.id, "typ": "at+jwt"}
    assert claims_of(access)["sub"] == "ada"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_signs_whose_public_half_is_listed_beside_it(algorithm: str) -> None:
    """As in the moment of a change in which the new key signs, and was published before."""
    key = access_key(algorithm)
    listed = public_key(key.public_pem)
    codec = authlib_codec(sign=key, verify=[listed])
    assert codec.read_access_token(codec.write_access_token(ACCESS_TOKEN)) == ACCESS_TOKEN
    assert codec.read_access_token(authlib_codec(sign=key).write_access_token(ACCESS_TOKEN)) == ACCESS_TOKEN


def test_a_token_of_another_issuer_is_refused_though_the_key_is_the_same() -> None:
    text = authlib_codec(issuer="https://staging.example.org").write_refresh_token(REFRESH_TOKEN)

    with pytest.raises(InvalidRefreshTokenError) as caught:
        authlib_codec().read_refresh_token(text)
    assert caught.value.cause is RefusalCause.BAD_CLAIMS


def test_the_claims_of_both_tokens() -> None:
    """Verified and read by joserfc itself, as anybody's library would."""
    key, codec = OctKey.import_key(SECRET), authlib_codec()
    refresh = jws.deserialize_compact(codec.write_refresh_token(REFRESH_TOKEN), key, ["HS256"])
    access = jws.deserialize_compact(codec.write_access_token(ACCESS_TOKEN), key, ["HS256"])

    assert refresh.protected == {"alg": "HS256", "kid": key.thumbprint(), "typ": "rt+jwt"}
    assert access.protected == {"alg": "HS256", "kid": key.thumbprint(), "typ": "at+jwt"}
    assert claims_of(refresh) == {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "ada",
        "type": "refresh",
        "sid": REFRESH_TOKEN.session_id,
        "gen": 7,
        "jti": f"{REFRESH_TOKEN.session_id}.7",
        "auth_time": START,
        "session_expiry": START + 60 * 86_400,
        "iat": START + 6,
        "exp": START + 6 + 14 * 86_400,
    }
    assert claims_of(access) == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "type": "access",
        "sid": REFRESH_TOKEN.session_id,
        "jti": ACCESS_TOKEN.id,
        "client_id": CLIENT,
        "iat": START,
        "exp": START + 900,
        "role": "admin",
        "amr": ["pwd"],
    }
    forgetful = codec.write_refresh_token(replace(REFRESH_TOKEN, remember=False))
    assert claims_of(jws.deserialize_compact(forgetful, key, ["HS256"])) == claims_of(refresh) | {"remember": False}


def test_the_claim_of_a_token_that_is_bound_to_a_key(codec: TokenCodec) -> None:
    """`cnf.jkt` of RFC 9449, section 6.1, in both tokens; it is read back, and is no claim of the application's."""
    refresh = replace(REFRESH_TOKEN, key_thumbprint=KEY)
    access = replace(ACCESS_TOKEN, key_thumbprint=KEY)

    written = codec.write_refresh_token(refresh), codec.write_access_token(access)

    assert (codec.read_refresh_token(written[0]), codec.read_access_token(written[1])) == (refresh, access)
    assert codec.write_refresh_token(REFRESH_TOKEN) != written[0]
    if not isinstance(codec, FakeTokenCodec):
        for text in written:
            assert orjson.loads(urlsafe_b64decode(text.split(".")[1] + "=="))["cnf"] == {"jkt": KEY}


@pytest.mark.parametrize(
    "cnf",
    [
        None,
        False,
        0,
        "",
        KEY,
        [],
        [KEY],
        ["jkt", KEY],
        {},
        {"jkt": None},
        {"jkt": 7},
        {"jkt": True},
        {"jkt": ""},
        {"jkt": [KEY]},
        {"jkt": {"jkt": KEY}},
        {"jkt": KEY[:-1]},
        {"jkt": KEY + "K"},
        {"jkt": KEY[:-1] + "="},
        {"jkt": KEY[:-1] + "+"},
        {"jkt": KEY[:-1] + "/"},
        {"jkt": KEY + "\n"},
        {"jkt": KEY[:-1] + "é"},
        {"JKT": KEY},
        {"jkt ": KEY},
        {"kid": KEY},
        {"x5t#S256": KEY},
        {"jkt": KEY, "x5t#S256": KEY},
        {"jkt": KEY, "jwk": {"kty": "oct"}},
        {"jkt": KEY, "": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("of_access", [False, True], ids=["refresh", "access"])
def test_a_token_that_names_no_key_in_one_way_is_refused(cnf: object, *, of_access: bool) -> None:
    """And not taken for an unbound one. It is signed with the right key, so it is another program's mistake."""
    codec, key = authlib_codec(), OctKey.import_key(SECRET)
    text = codec.write_access_token(ACCESS_TOKEN) if of_access else codec.write_refresh_token(REFRESH_TOKEN)
    signed = jws.deserialize_compact(text, key, ["HS256"])
    forged = jws.serialize_compact(signed.protected, orjson.dumps(claims_of(signed) | {"cnf": cnf}), key, ["HS256"])

    with pytest.raises((InvalidRefreshTokenError, InvalidAccessTokenError)) as caught:
        codec.read_access_token(forged) if of_access else codec.read_refresh_token(forged)
    assert str(caught.value) == RefusalCause.BAD_CLAIMS


def test_a_token_that_names_two_keys_is_refused() -> None:
    """Twice the claim, twice the member: there is no first and no last."""
    codec, key = authlib_codec(), OctKey.import_key(SECRET)
    bound = codec.write_refresh_token(replace(REFRESH_TOKEN, key_thumbprint=KEY))
    signed = jws.deserialize_compact(bound, key, ["HS256"])
    assert signed.payload is not None
    one = orjson.dumps({"cnf": {"jkt": KEY}})[1:-1]
    assert signed.payload.count(one) == 1
    member = one.removeprefix(b'"cnf":{').removesuffix(b"}")
    for doubled in (one + b"," + one, b'"cnf":{' + member + b"," + member + b"}"):
        forged = jws.serialize_compact(signed.protected, signed.payload.replace(one, doubled), key, ["HS256"])
        with pytest.raises(InvalidRefreshTokenError):
            codec.read_refresh_token(forged)


def test_no_claim_of_the_application_binds_an_access_token() -> None:
    """The name is registered, so nobody may ask for it."""
    assert "cnf" in REGISTERED


def claims_of(signed: jws.CompactSignature) -> Any:
    assert signed.payload is not None
    return orjson.loads(signed.payload)


class ResourceServer(JWTBearerTokenValidator):  # type: ignore[misc]  # Authlib ships no types
    """A service that trusts access tokens, made with Authlib alone."""

    def get_jwks(self) -> Any:
        key = OctKey.import_key(SECRET)
        key.ensure_kid()
        return KeySet([key])


@pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (899, True), (901, False)])
def test_a_resource_server_accepts_access_tokens_for_their_life(seconds: int, accepted: bool) -> None:
    server, codec = ResourceServer(ISSUER, AUDIENCE), authlib_codec()
    with freeze_time(START_INSTANT + timedelta(seconds=seconds)):
        token = server.authenticate_token(codec.write_access_token(ACCESS_TOKEN))
        if accepted:
            server.validate_token(token, None, None)
        else:
            with pytest.raises(InvalidTokenError):
                server.validate_token(token, None, None)


def test_a_resource_server_refuses_refresh_tokens() -> None:
    server = ResourceServer(ISSUER, AUDIENCE)
    with freeze_time(START_INSTANT):
        token = server.authenticate_token(authlib_codec().write_refresh_token(REFRESH_TOKEN))
        with pytest.raises(InvalidTokenError):
            server.validate_token(token, None, None)
