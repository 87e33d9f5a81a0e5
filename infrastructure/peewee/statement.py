"""Queries written with Peewee and compiled to SQL once.

Building a Peewee query takes longer than running it, so a store builds each of its queries when it is constructed,
with named slots where values go, and only fills the slots when it runs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from peewee import Database, Node, Value


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


def slot(name: str) -> Value:
    """Return a place in a query for the value that `Statement.bind` is given under this name."""
    return Value(_Slot(name), converter=False, unpack=False)


class Statement:
    """One query in the SQL of one database."""

    __slots__ = ("_values", "sql")

    def __init__(self, database: Database, query: Node) -> None:
        """Compile `query` for `database`, without connecting to it."""
        self.sql, self._values = database.get_sql_context().sql(query).query()

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the parameters in the order of the SQL. Raises `KeyError` for a slot without a value."""
        return [values[value.name] if type(value) is _Slot else value for value in self._values]
