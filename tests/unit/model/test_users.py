"""What can identify a user."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.model.users import is_text, is_user_id

patient = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    "value",
    [
        *("7", "ada", "ada@example.org", "auth0|5f7c8ec7c33c6c004bbafe82", "Zoé Ångström", "李雷", "🦉", " "),
        *("a" * 255, "🦉" * 255, "' OR 1=1 --", "\u2028", "\u200b", "\xa0"),
    ],
)
def test_text_of_1_to_255_characters_is_an_identifier(value: str) -> None:
    assert is_user_id(value)


@pytest.mark.parametrize(
    "value",
    [
        *("", "a" * 256, "a\0", "\n", "a\tb", "a\rb", "\x1b[31m", "\x7f", "\x85", "\x9f", "\ud800", "a\udfff"),
        *(None, 7, 7.0, True, b"ada", ["ada"], {"id": "ada"}),
    ],
)
def test_nothing_else_is(value: object) -> None:
    assert not is_user_id(value)


def test_a_subclass_of_text_is_no_text() -> None:
    class Text(str):
        __slots__ = ()

    assert not is_user_id(Text("ada"))


def test_text_may_be_empty_and_has_a_length_of_its_own() -> None:
    assert is_text("", 0)
    assert is_text("abc", 3)
    assert not is_text("abcd", 3)


@given(st.text(max_size=300))
@patient
def test_every_identifier_fits_in_utf_8_and_on_one_line_of_a_log(value: str) -> None:
    if is_user_id(value):
        assert value.encode().decode() == value
        assert not any(character in value for character in "\0\t\n\r\x1b")
