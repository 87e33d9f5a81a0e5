"""How users are found in a table, in Peewee's terms: by key, active or not, with their claims."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
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
_CAST_FOR_JSON = (Family.TEXT, Family.UUID, Family.ENUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A way to users. `is_active` and `claims` may stand in any statement of the same database.

    They see the slots `user_key`, which is filled with what `to_key` returns, and `user_id`, the identifier itself.
    """

    to_key: Callable[[str], Any]
    """Return an identifier in the key's own type. Raises `ValueError` if it cannot be a key."""
    statement: Statement
    """A row for each that has the key: 1 or 0 for active or not, then what `claims` gives."""
    is_active: Expression
    """Holds only if exactly one row's key is, as text, the identifier, and that row is active."""
    claims: Sequence[Expression]
    """One scalar query for all claims together, or none."""
    readers: Mapping[str, Callable[[Any], object]]
    """What makes a claim of each value, by the claim's name."""

    def read_claims(self, values: Sequence[Any]) -> dict[str, object]:
        """Return the claims of what `claims` gave, without those that are NULL.

        Raises `StoreUnavailableError` if one cannot be a claim, rather than leave out what somebody may rely on.
        """
        if not self.readers or values[0] is None:  # there is no such user
            return {}
        claims: dict[str, object] = {}
        name = ", ".join(self.readers)
        try:
            for (name, read), value in zip(self.readers.items(), _DECODER.decode(values[0]), strict=True):
                if value is not None:
                    claims[name] = read(value)
                    orjson.dumps(claims[name])  # as whoever writes tokens does
        except (ValueError, TypeError, RecursionError):
            raise StoreUnavailableError(f"a value of the users table cannot be a claim: {name}") from None
        return claims


def look_up(
    engine: Engine, source: Table, key: Attribute, active: Attribute | None, claims: Mapping[str, Attribute]
) -> Lookup:
    """Return the lookup of users in `source`. Raises `ValueError` in words for a column of a type that cannot serve."""
    is_sqlite = engine.peewee.param == "?"
    if key.family not in _KEYS:
        raise ValueError(f"key column {key.name} is of type {key.type}; it must be text, an integer or a UUID")
    if active is not None and active.family not in _ACTIVE:
        raise ValueError(
            f"column {active.name}, by which users are active, is of type {active.type};"
            " it must be a boolean or an integer, of which only true and 1 count"
        )
    for name, column in claims.items():
        if column.family not in _READERS:
            raise ValueError(
                f"column {column.name} of claim {name} is of type {column.type};"
                " it must be text, an integer, a boolean, a UUID, an enum, JSON, or an array of these"
            )

    stored_key = Column(source, key.name)
    # APPSEC: a database may call different texts one key (citext, collations, char(n)). Sessions belong to one text.
    is_exact = Comparison(stored_key.cast("TEXT").collate(engine.exact_collation), OP.EQ, slot("user_id"))
    has_key = (stored_key == slot("user_key")) & is_exact
    is_on = SQL("1 = 1") if active is None else _is_on(Column(source, active.name), active.family, is_sqlite=is_sqlite)
    together = _together(source, claims.values(), is_sqlite=is_sqlite)
    # APPSEC: one row that is active makes 1; none, another number of rows, or one that is not makes something else.
    one_active = source.select(fn.SUM(Case(None, [(is_on, SQL("1"))], SQL("2")))).where(has_key)
    return Lookup(
        to_key=_KEYS[key.family],
        statement=engine.compile(source.select(Case(None, [(is_on, SQL("1"))], SQL("0")), *together).where(has_key)),
        is_active=Comparison(one_active, OP.EQ, SQL("1")),
        claims=[source.select(value).where(has_key) for value in together],
        readers={
            name: _as_it_is if column.family is Family.JSON and not is_sqlite else _READERS[column.family]
            for name, column in claims.items()
        },
    )


def _is_on(active: Expression, family: Family, *, is_sqlite: bool) -> Expression:
    """Return the condition that a user is active.

    APPSEC: only true and 1 count. An integer may well be a status of which 2 means locked, and a BOOLEAN of SQLite
    may hold the text 'false'.
    """
    if is_sqlite:
        return (fn.typeof(active) == SQL("'integer'")) & (active == SQL("1"))
    return active == SQL("TRUE" if family is Family.BOOLEAN else "1")


def _together(source: Table, claims: Collection[Attribute], *, is_sqlite: bool) -> list[Expression]:
    """Return the one expression for the claims' values: JSON, which no driver interprets."""
    values = [Column(source, claim.name) for claim in claims]
    if not values:
        return []
    if is_sqlite:
        return [fn.json_array(*values)]
    return [
        fn.json_build_array(
            *(
                value.cast("TEXT") if claim.family in _CAST_FOR_JSON else value
                for value, claim in zip(values, claims, strict=True)
            )
        ).cast("TEXT")
    ]


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


def _number(text: str) -> float:
    """Return a fraction as what JSON's readers make of it, or refuse one that they would round."""
    number = float(text)
    if Decimal(repr(number)) != Decimal(text):
        raise ValueError
    return number


def _only(*types: type) -> Callable[[Any], object]:
    def read(value: Any) -> object:
        if type(value) not in types:
            raise ValueError
        return value

    return read


def _boolean(value: Any) -> bool:
    if value not in (0, 1) or type(value) not in (bool, int):
        raise ValueError
    return bool(value)


def _as_it_is(value: Any) -> object:
    return value


def _json(value: Any) -> object:
    """Return the JSON that SQLite keeps as text, unless it is a number."""
    return _DECODER.decode(value) if type(value) is str else value


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_only())


_KEYS: dict[Family, Callable[[str], Any]] = {
    Family.INTEGER: _integer_key,
    Family.NUMERIC: _integer_key,
    Family.TEXT: str,
    Family.UUID: _uuid_key,
}
_ACTIVE = (Family.BOOLEAN, Family.INTEGER, Family.UNDECLARED)
_READERS: dict[Family, Callable[[Any], object]] = {
    Family.BOOLEAN: _boolean,
    Family.INTEGER: _only(int),
    Family.TEXT: _only(str),
    Family.UUID: _only(str),
    Family.ENUM: _only(str),
    Family.JSON: _json,
    Family.ARRAY: _only(list),
    Family.UNDECLARED: _only(str, int),
}
