"""What holds of the codec for every text: the honest tokens are read, nothing else is, and no other error is raised."""

import json
import string
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError
from domain.model.tokens import MAX_GENERATION, MAX_SESSION_TTL, AccessToken, RefreshToken
from domain.model.users import is_user_id
from ports.token_codec import TokenCodec
from tests.hostile.forge import ACCESS, REFRESH, Kind, part, signed, strict_codec
from tests.wrong.readers import (
    ByTheBook,
    DecodesLeniently,
    StripsBlanks,
    TakesBothAlphabets,
    VerifiesNothing,
)

EXAMPLES = 250
much = settings(max_examples=EXAMPLES, deadline=None, database=None)
CODEC = strict_codec()
KINDS = (REFRESH, ACCESS)
ALPHABET = string.ascii_letters + string.digits + "-_"
ODD = ".=+/ \n\x00\xe9"
LAST_INSTANT = 253_402_300_799

instants = st.integers(0, LAST_INSTANT - MAX_SESSION_TTL)
identifiers = st.text(ALPHABET, min_size=22, max_size=22)
user_ids = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(is_user_id)
any_text = st.text(st.characters(codec=None, categories=None, exclude_categories=()))


@st.composite
def refresh_tokens(draw: st.DrawFn) -> RefreshToken:
    started_at = draw(instants)
    ends_at = started_at + draw(st.integers(0, MAX_SESSION_TTL))
    return RefreshToken(
        session_id=draw(identifiers),
        user_id=draw(user_ids),
        generation=draw(st.integers(1, MAX_GENERATION)),
        started_at=started_at,
        ends_at=ends_at,
        issued_at=draw(instants),
        expires_at=draw(st.integers(0, ends_at)),
    )


access_tokens = st.builds(
    AccessToken, id=identifiers, session_id=identifiers, user_id=user_ids, issued_at=instants, expires_at=instants
)


def is_refused(codec: TokenCodec, text: str) -> bool:
    """Tell whether both readers refuse `text`. Raises what is not the domain's own error."""
    try:
        codec.read_refresh_token(text)
    except InvalidRefreshTokenError:
        pass
    else:
        return False
    try:
        codec.read_access_token(text)
    except InvalidAccessTokenError:
        return True
    return False


@much
@given(refresh_tokens())
def test_a_refresh_token_is_read_as_it_was_written(token: RefreshToken) -> None:
    text = CODEC.write_refresh_token(token)
    assert CODEC.read_refresh_token(text) == token
    assert CODEC.write_refresh_token(token) == text
    with pytest.raises(InvalidAccessTokenError):
        CODEC.read_access_token(text)


@much
@given(access_tokens)
def test_an_access_token_is_read_as_it_was_written(token: AccessToken) -> None:
    text = CODEC.write_access_token(token)
    assert CODEC.read_access_token(text) == token
    with pytest.raises(InvalidRefreshTokenError):
        CODEC.read_refresh_token(text)


@much
@given(refresh_tokens(), refresh_tokens())
def test_different_tokens_have_different_texts(one: RefreshToken, other: RefreshToken) -> None:
    assert (CODEC.write_refresh_token(one) == CODEC.write_refresh_token(other)) == (one == other)


@much
@given(any_text)
@example("")
def test_no_text_is_a_token(text: str) -> None:
    assert is_refused(CODEC, text)


@much
@given(st.binary(), st.binary(), st.binary())
def test_no_three_parts_are_a_token(header: bytes, payload: bytes, end: bytes) -> None:
    assert is_refused(CODEC, f"{part(header)}.{part(payload)}.{part(end)}")
    for kind in KINDS:
        assert is_refused(CODEC, f"{kind.header}.{part(payload)}.{part(end)}")


@much
@given(st.sampled_from(KINDS), st.binary())
def test_no_signed_bytes_are_a_token(kind: Kind, payload: bytes) -> None:
    assert is_refused(CODEC, kind.with_payload(payload))


def edited(text: str, edits: list[tuple[str, int, str]]) -> str:
    for how, where, what in edits:
        at = where % (len(text) + 1)
        text = text[:at] + ("" if how == "delete" else what) + text[at + (how != "insert") :]
    return text


edits = st.lists(
    st.tuples(st.sampled_from(["insert", "delete", "replace"]), st.integers(0, 10_000), any_text.filter(bool)),
    min_size=1,
    max_size=8,
)


@much
@given(st.sampled_from(KINDS), edits)
def test_no_token_survives_an_edit(kind: Kind, how: list[tuple[str, int, str]]) -> None:
    text = edited(kind.honest, how)
    assert text == kind.honest or is_refused(CODEC, text)


@much
@given(refresh_tokens(), refresh_tokens(), st.integers(1, 7))
def test_parts_of_two_tokens_make_no_third(one: RefreshToken, other: RefreshToken, mask: int) -> None:
    parts = zip(*(CODEC.write_refresh_token(token).split(".") for token in (one, other)), strict=True)
    text = ".".join(pair[(mask >> place) & 1] for place, pair in enumerate(parts))
    if one != other and mask & 6 not in (0, 6):
        assert is_refused(CODEC, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=6,
)


@much
@given(st.sampled_from([*REFRESH.claims, "x"]), json_values)
def test_a_signed_claim_of_any_value_is_refused_or_kept(claim: str, value: Any) -> None:
    """No value gets through that the domain could not hold: what is accepted is what its own text says."""
    claims = REFRESH.claims | {claim: value}
    text = signed(REFRESH.header, part(json.dumps(claims, separators=(",", ":"), ensure_ascii=False)))
    try:
        token = CODEC.read_refresh_token(text)
    except InvalidRefreshTokenError:
        return
    written = CODEC.read_refresh_token(CODEC.write_refresh_token(token))
    assert written == token
    assert {"sub": token.user_id, "gen": token.generation, "iat": token.issued_at}.items() <= claims.items()


def single_edits(text: str) -> Iterator[str]:
    """Yield every text that is one deletion, or one exchange within the alphabet, or one odd insertion away."""
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]
        yield from (text[:at] + char + text[at + 1 :] for char in f"{ALPHABET}{ODD}" if char != text[at])
    for at in range(len(text) + 1):
        yield from (text[:at] + char + text[at:] for char in f"{ALPHABET[::16]}{ODD}")


def accepted_edits(codec: TokenCodec, kind: Kind) -> Iterator[str]:
    read: Callable[[str], object] = codec.read_refresh_token if kind is REFRESH else codec.read_access_token
    for text in single_edits(kind.honest):
        try:
            read(text)
        except (InvalidRefreshTokenError, InvalidAccessTokenError):
            continue
        yield text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_single_edit_is_accepted(kind: Kind, record_property: Callable[[str, object], None]) -> None:
    """All of them, in order: an honest token has one spelling."""
    assert list(accepted_edits(CODEC, kind)) == []
    record_property("hostile_single_edits", sum(1 for _ in single_edits(kind.honest)))


@pytest.mark.parametrize("careless", [VerifiesNothing, DecodesLeniently, StripsBlanks, TakesBothAlphabets])
def test_single_edits_catch_a_careless_reader(careless: type[ByTheBook]) -> None:
    assert next(accepted_edits(careless(), REFRESH), None) is not None
