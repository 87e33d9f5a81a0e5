"""A session as the fields of a hash.

The fields are those of `Session` and of its token: they stand nowhere else. A field that is not there has its default.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from types import NoneType
from typing import Any, get_args, get_type_hints

import orjson

from domain.model.claims import Claims
from domain.model.sessions import CutOff, RevocationReason, Session
from domain.model.tokens import RefreshToken

_IN_THE_KEY = ("user_id", "session_id")
_READERS: Mapping[Any, Callable[[bytes], Any]] = {
    int: int,
    str: bytes.decode,
    bool: lambda value: value == b"1",
    Claims: orjson.loads,
    RevocationReason: lambda value: RevocationReason(value.decode()),
}


class _Fields:
    """The fields of a dataclass: how each is read, by the type that the domain gives it, and its default."""

    def __init__(self, kind: type[Any], *, without: Sequence[str]) -> None:
        hints = get_type_hints(kind)
        own = [each for each in fields(kind) if each.name not in without]
        self._readers = {each.name: _READERS[_without_none(hints[each.name])] for each in own}
        self._defaults = {
            each.name: each.default if each.default_factory is MISSING else each.default_factory() for each in own
        }

    def write(self, source: object) -> list[str | int | bytes]:
        """Return name, value, name, value … of what is not as it is by default."""
        values = ((name, getattr(source, name), default) for name, default in self._defaults.items())
        return [part for name, value, default in values if value != default for part in (name, _written(value))]

    def read(self, values: Mapping[str, bytes]) -> dict[str, Any]:
        """Return those of the values that are fields here."""
        return {name: read(values[name]) for name, read in self._readers.items() if name in values}


def _without_none(hint: Any) -> Any:
    if hint in _READERS:
        return hint
    return next(part for part in get_args(hint) if part is not NoneType)


def _written(value: Any) -> str | int | bytes:
    if isinstance(value, bool):
        return int(value)
    return orjson.dumps(value) if isinstance(value, Mapping) else value


_OF_TOKEN = _Fields(RefreshToken, without=_IN_THE_KEY)
_OF_SESSION = _Fields(Session, without=["token"])


def fields_of(session: Session) -> list[str | int | bytes]:
    """Return field, value, field, value … of a session, without what its key says."""
    return _OF_TOKEN.write(session.token) + _OF_SESSION.write(session)


def session_of(user_id: str, session_id: str, flat: Sequence[bytes]) -> Session:
    """Return the session in a hash's fields and values."""
    values = dict(zip(map(bytes.decode, flat[::2]), flat[1::2], strict=True))
    token = RefreshToken(user_id=user_id, session_id=session_id, **_OF_TOKEN.read(values))
    return Session(token=token, **_OF_SESSION.read(values))


def cut_off_of(ended_at: bytes | None, spared: bytes | None) -> CutOff | None:
    """Return the cut-off in its two fields."""
    if ended_at is None:
        return None
    return CutOff(ended_at=int(ended_at), spared=None if spared is None else spared.decode())


def naming(token: RefreshToken) -> tuple[str, str, int]:
    """Return by what a session is listed: user, identifier, start."""
    return token.user_id, token.session_id, token.started_at


def step_of(token: RefreshToken, parent_generation: int) -> tuple[str | int, ...]:
    """Return the fields and values that a rotation changes, but `kept_until`. No session loses its key again."""
    key = () if token.key_thumbprint is None else ("key_thumbprint", token.key_thumbprint)
    return (
        *("generation", token.generation),
        *("parent_generation", parent_generation),
        *("issued_at", token.issued_at),
        *("expires_at", token.expires_at),
        *key,
    )
