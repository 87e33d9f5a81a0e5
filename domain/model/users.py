"""The user as far as this service needs to know one."""

from dataclasses import dataclass, field
from typing import TypeGuard

from domain.model.claims import Claims

MAX_USER_ID_LENGTH = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who can hold sessions; `active` is false while the application has switched them off.

    `claims` are what the application says of them in access tokens, as it stands now.
    """

    id: str
    active: bool = True
    claims: Claims = field(default_factory=dict, hash=False)


def is_text(value: object, max_length: int) -> TypeGuard[str]:
    """Tell whether `value` is a string that every store, log and terminal can hold: no control characters."""
    return type(value) is str and len(value) <= max_length and (value.isprintable() or _is_plain(value))


def is_user_id(value: object) -> TypeGuard[str]:
    """Tell whether `value` can identify a user: text of 1 to 255 characters."""
    return bool(value) and is_text(value, MAX_USER_ID_LENGTH)


def _is_plain(text: str) -> bool:
    """Tell whether `text` has neither control characters nor lone surrogates, which no UTF-8 can hold."""
    return not any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in text)
