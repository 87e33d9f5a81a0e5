"""How users are found in a table, in Peewee's terms: by key, active or not, with their claims."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from peewee import OP, SQL, Case, Column, Table, fn
from peewee import Expression as Comparison

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.relation import Attribute, Family
from infrastructure.peewee.statement import Statement, slot
from infrastructure.peewee.tables import Expression

_MAX_INTEGER_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A way to users. `is_active` and `claims` stand in any statement of the same database.

    They see the slots `user_key`, which is filled with what `to_key` returns, and `user_id`, the identifier itself.
    `is_active` holds only if there is exactly one row whose key, as text, is the identifier, and if it is active.
    """

    to_key: Callable[[str], Any]
    """Return an identifier in the key's own type. Raises `ValueError` if it cannot be a key."""
    statement: Statement
    """A row for each that has the key: 1 or 0 for active or not, then the claims."""
    is_active: Expression
    claims: Sequence[Expression]
    """A scalar query for each claim."""
    readers: Mapping[str, Callable[[Any], object]]
    """What makes a claim of a value, by the claim's name, in the order of `claims`."""

    def read_claims(self, values: Sequence[Any]) -> dict[str, object]:
        """Return the claims of the values that `claims` gave, without those that are NULL.

        Raises `StoreUnavailableError` if a value cannot be a claim.
        """
        claims: dict[str, object] = {}
        for (name, read), value in zip(self.readers.items(), values, strict=True):
            try:
                claim = None if value is None else read(value)
                orjson.dumps(claim)  # as whoever writes tokens does
            except (ValueError, TypeError, RecursionError):
                raise StoreUnavailableError(f"a value in a users table cannot be the claim {name}") from None
            if claim is not None:
                claims[name] = claim
        return claims


def look_up(
    engine: Engine,
    source: Table,
    key: Attribute,
    active: Attribute | None,
    claims: Mapping[str, Attribute],
) -> Lookup:
    """Return the lookup of users in `source`. Raises `ValueError` in words for a column of a type that cannot serve."""
    if key.family not in _KEYS:
        raise ValueError(f"key column {key.name} is of type {key.type}; it must be text, an integer or a UUID")
    if active is not None and active.family not in _ACTIVE[_is_sqlite(engine)]:
        raise ValueError(f"column {active.name}, by which users are active, is of type {active.type}; {_HOW_ACTIVE}")
    for name, column in claims.items():
        if column.family not in _READERS:
            raise ValueError(f"column {column.name} of claim {name} is of type {column.type}; {_HOW_CLAIMED}")

    stored_key = Column(source, key.name)
    # APPSEC: a database may call different texts one key (citext, collations, char(n)). Sessions belong to one text.
    is_exact = Comparison(stored_key.cast("TEXT").collate(engine.exact_collation), OP.EQ, slot("user_id"))
    has_key = (stored_key == slot("user_key")) & is_exact
    is_on = SQL("1 = 1") if active is None else _is_on(engine, Column(source, active.name), active.family)
    values = [_claimed(engine, Column(source, column.name), column.family) for column in claims.values()]
    # APPSEC: one row that is active makes 1; none, another number of rows, or one that is not makes something else.
    one_active = source.select(fn.SUM(Case(None, [(is_on, SQL("1"))], SQL("2")))).where(has_key)
    return Lookup(
        to_key=_KEYS[key.family],
        statement=engine.compile(source.select(Case(None, [(is_on, SQL("1"))], SQL("0")), *values).where(has_key)),
        is_active=Comparison(one_active, OP.EQ, SQL("1")),
        claims=[source.select(value).where(has_key) for value in values],
        readers={name: _READERS[column.family] for name, column in claims.items()},
    )


def _is_sqlite(engine: Engine) -> bool:
    return engine.peewee.param == "?"


_ACTIVE = {
    True: (Family.BOOLEAN, Family.INTEGER, Family.UNDECLARED),
    False: (Family.BOOLEAN, Family.INTEGER),
}
_HOW_ACTIVE = "it must be a boolean or an integer, of which only true and 1 count"
_HOW_CLAIMED = "it must be text, an integer, a boolean, a UUID, an enum, JSON, or an array of these"


def _is_on(engine: Engine, active: Expression, family: Family) -> Expression:
    """Return the condition that a user is active.

    APPSEC: only true and 1 count. An integer may well be a status of which 2 means locked, and a BOOLEAN of SQLite
    may hold the text 'false'.
    """
    if _is_sqlite(engine):
        return (fn.typeof(active) == "integer") & (active == SQL("1"))
    return active == SQL("TRUE" if family is Family.BOOLEAN else "1")


def _claimed(engine: Engine, column: Expression, family: Family) -> Expression:
    """Return the expression for a column's value that the drivers hand over without loss."""
    if _is_sqlite(engine) or family in (Family.BOOLEAN, Family.INTEGER):
        return column
    return (fn.to_json(column) if family is Family.ARRAY else column).cast("TEXT")


def _integer_key(user_id: str) -> int:
    """Return a canonical decimal as an integer: `007`, `+7` and `7.0` are nobody, so no two spellings meet."""
    key = int(user_id)
    if str(key) != user_id or not -_MAX_INTEGER_KEY <= key <= _MAX_INTEGER_KEY:
        raise ValueError
    return key


def _uuid_key(user_id: str) -> str:
    """Return a UUID in its canonical form, and refuse every other spelling of it."""
    key = str(UUID(user_id))
    if key != user_id:
        raise ValueError
    return key


_KEYS: dict[Family, Callable[[str], Any]] = {
    Family.INTEGER: _integer_key,
    Family.NUMERIC: _integer_key,
    Family.TEXT: str,
    Family.UUID: _uuid_key,
}


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError
    return value


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise ValueError
    return value


def _boolean(value: Any) -> bool:
    if value not in (0, 1) or type(value) not in (bool, int):
        raise ValueError
    return bool(value)


def _text_or_integer(value: Any) -> str | int:
    return _text(value) if isinstance(value, str) else _integer(value)


def _json(value: Any) -> object:
    return json.loads(_text(value), parse_float=_number, parse_constant=_integer)


def _number(text: str) -> float:
    """Return a fraction as what JSON's readers make of it, or refuse one that they would round."""
    number = float(text)
    if Decimal(repr(number)) != Decimal(text):
        raise ValueError
    return number


_READERS: dict[Family, Callable[[Any], object]] = {
    Family.BOOLEAN: _boolean,
    Family.INTEGER: _integer,
    Family.TEXT: _text,
    Family.UUID: _text,
    Family.ENUM: _text,
    Family.JSON: _json,
    Family.ARRAY: _json,
    Family.UNDECLARED: _text_or_integer,
}
