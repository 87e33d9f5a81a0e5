"""Users in a table: the built-in one, or one of the application's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from peewee import SQL, Table, fn

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.statement import Statement, slot
from infrastructure.peewee.tables import Expression, users
from ports.user_directory import UserDirectory
from ports.users import Users

_MAX_INTEGER_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersTable:
    """Where the application keeps its users. `name` may carry a schema, as in `accounts.users`.

    A user is active while `active_column` is true. If it is not named, a column called `active` counts where there is
    one, and without one every user is active.
    """

    name: str = "nuovo_users"
    id_column: str = "id"
    active_column: str | None = None


class PeeweeUsers(Users):
    """Looks users up by key. The table's columns are read from the database when the first user is looked up."""

    def __init__(self, engine: Engine, table: UsersTable) -> None:
        """Take an engine, of the application's own database if it has one; nothing is connected yet."""
        self._engine = self.engine = engine
        self._table = table
        self._lookup: Lookup | None = None

    def find(self, user_id: str) -> User | None:
        """Read the row whose key is `user_id` in the key's own type."""
        lookup = self._lookup or self.inspect()
        try:
            key = lookup.to_key(user_id)
        except ValueError:
            return None
        rows = self._engine.select(lookup.statement, {"user_key": key})
        return User(id=user_id, active=bool(rows[0][0])) if rows else None

    def lookup(self) -> "Lookup":
        return self._lookup or self.inspect()

    def inspect(self) -> "Lookup":
        """Learn the table's columns. Raises `StoreUnavailableError` if it is not there or lacks a column."""
        schema, _, name = self._table.name.rpartition(".")
        columns = self._engine.attempt(lambda: self._engine.peewee.get_columns(name, schema or None))
        types = {column.name: column.data_type.lower() for column in columns}
        if not types:
            raise StoreUnavailableError(f"there is no users table {self._table.name}")
        active = self._table.active_column or ("active" if "active" in types else None)
        for column in filter(None, (self._table.id_column, active)):
            if column not in types:
                raise StoreUnavailableError(f"users table {self._table.name} has no column {column}")
        source = Table(name, list(types), schema=schema or None)
        has_key = getattr(source, self._table.id_column) == slot("user_key")
        query = source.select(getattr(source, active) if active else SQL("1")).where(has_key)
        is_active = None
        if active is None:
            is_active = fn.EXISTS(source.select(SQL("1")).where(has_key))
        elif true := _true_of(types[active]):
            is_active = fn.EXISTS(source.select(SQL("1")).where(has_key & (getattr(source, active) == true)))
        self._lookup = Lookup(
            statement=self._engine.compile(query),
            to_key=_key_of(types[self._table.id_column]),
            is_active=is_active,
        )
        return self._lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """How users are found in a table: a query by `user_key`, and a condition on it that holds of active users only."""

    statement: Statement
    to_key: Callable[[str], Any]
    is_active: Expression | None
    claims: tuple[Expression, ...] = ()

    def read_claims(self, values: list[Any]) -> dict[str, object]:
        return {}


class PeeweeUserDirectory(UserDirectory):
    """The built-in table: for trying the service out, and for small applications without users of their own."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine
        self._add = engine.compile(
            users.insert({users.id: slot("id"), users.active: slot("active")}).on_conflict(
                conflict_target=[users.id], update={users.active: slot("active")}
            )
        )
        self._remove = engine.compile(users.delete().where(users.id == slot("id")))
        self._list = engine.compile(users.select(users.id, users.active).order_by(users.id))

    def put(self, user: User) -> None:
        """Insert the user, or update the one of this identifier."""
        self._engine.write_to_disk(self._add, {"id": user.id, "active": user.active})

    def remove(self, user_id: str) -> bool:
        """Delete the row."""
        return self._engine.write_to_disk(self._remove, {"id": user_id}) == 1

    def list(self) -> list[User]:
        """Read the whole table."""
        return [User(id=id_, active=bool(active)) for id_, active in self._engine.select(self._list, {})]


def _true_of(declared_type: str) -> Expression | None:
    """Return what an active user's column of this type holds, or `None` if that is for `find` to say, not for SQL."""
    if declared_type.startswith("bool"):
        return SQL("TRUE")
    return SQL("1") if "int" in declared_type else None


def _key_of(declared_type: str) -> Callable[[str], Any]:
    """Return how a user's identifier becomes a key of a column of this type; `ValueError` if it cannot."""
    if "int" in declared_type or declared_type.startswith(("numeric", "decimal", "serial", "bigserial")):
        return _integer_key
    if declared_type == "uuid":
        return _uuid_key
    return str


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
