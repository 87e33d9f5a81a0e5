"""Users in a table: the built-in one, or one of the application's own."""

from collections.abc import Iterator
from dataclasses import dataclass

from peewee import Table

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee.engine import Engine, UnencodableError
from infrastructure.peewee.lookup import Lookup, look_up
from infrastructure.peewee.relation import Attribute, Relation, find_relation
from infrastructure.peewee.statement import slot
from infrastructure.peewee.tables import users
from ports.user_directory import UserDirectory
from ports.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersTable:
    """Where the application keeps its users. `name` may carry a schema, as in `accounts.users`.

    A user is active while `active_column` is true or 1. If it is not named, a column called `active` counts where
    there is one, and without one every user is active. `claims` are columns and what access tokens call them.
    """

    name: str = "nuovo_users"
    id_column: str = "id"
    active_column: str | None = None
    claims: tuple[tuple[str, str], ...] = ()


class PeeweeUsers(Users):
    """Looks users up by key. The table's columns are read from the database when the first user is looked up."""

    def __init__(self, engine: Engine, table: UsersTable) -> None:
        """Take an engine, of the application's own database if it has one; nothing is connected yet."""
        self.engine = engine
        self._table = table
        self._known: tuple[Relation, Lookup] | None = None

    def find(self, user_id: str) -> User | None:
        """Read the row whose key is exactly `user_id`. Raises `StoreUnavailableError`, also if there are several."""
        lookup = self.lookup()
        try:
            key = lookup.to_key(user_id)
        except ValueError:
            return None
        try:
            rows = self.engine.select(lookup.statement, {"user_key": key, "user_id": user_id})
        except UnencodableError:
            return None
        if len(rows) > 1:
            raise StoreUnavailableError(f"users table {self._table.name} has several rows of one key")
        if not rows:
            return None
        ((active, *claims),) = rows
        return User(id=user_id, active=active == 1, claims=lookup.read_claims(claims))

    def lookup(self) -> Lookup:
        """Return how statements of this engine find users. Raises `StoreUnavailableError` until that is known."""
        return self._known[1] if self._known else self.inspect()

    def inspect(self) -> Lookup:
        """Read the table's columns anew. Raises `StoreUnavailableError` if it cannot be used, and says why."""
        relation, key, active, claims = self._read()
        if self._known is None or self._known[0] != relation:
            schema, _, name = self._table.name.rpartition(".")
            source = Table(name, schema=schema or None)
            try:
                self._known = relation, look_up(self.engine, source, key, active, claims)
            except ValueError as error:
                raise StoreUnavailableError(f"users table {self._table.name}: {error}") from None
        lookup = self._known[1]
        # No user has this key; but it shows that the query runs, whatever a view is made of.
        self.engine.select(lookup.statement, {"user_key": None, "user_id": None})
        return lookup

    def describe(self) -> Iterator[str]:
        """Yield in words what decides about users. Raises `StoreUnavailableError` as `inspect` does."""
        self.inspect()
        relation, key, active, claims = self._read()
        yield f"Users are the rows of {relation.kind} {self._table.name}; their key is {key.name} ({key.type})."
        if active is None:
            yield "No column decides who is active: every user is."
        else:
            yield f"A user is active while {active.name} ({active.type}) is true or 1."
        for name, column in claims.items():
            yield f"Access tokens have {column.name} ({column.type}) as claim {name}."
        if relation.hides_rows:
            yield "Policies of the database decide which of its rows Nuovo sees; a user it does not see is unknown."
        if not key.is_unique:
            yield f"That {key.name} is unique cannot be verified; a user with several rows is not served."

    def _read(self) -> tuple[Relation, Attribute, Attribute | None, dict[str, Attribute]]:
        """Return the table and the columns of it that are used: key, active, and claims by name."""
        table = self._table
        schema, _, name = table.name.rpartition(".")
        relation = find_relation(self.engine, schema or None, name)
        if relation is None:
            raise StoreUnavailableError(f"there is no users table {table.name}")
        key = self._column(relation, table.id_column)
        # APPSEC: a table without a unique key lets one row say that a user is active and another that they are not.
        if relation.kind == "table" and not key.is_unique:
            raise StoreUnavailableError(
                f"users table {table.name} has no primary key or unique index on {key.name} alone"
            )
        # APPSEC: a column called active is there to be heeded, whatever its case.
        called_active = sorted((column for column in relation.columns if column.lower() == "active"), reverse=True)
        active = table.active_column or next(iter(called_active), None)
        return (
            relation,
            key,
            self._column(relation, active) if active else None,
            {claim: self._column(relation, column) for column, claim in table.claims},
        )

    def _column(self, relation: Relation, name: str) -> Attribute:
        column = relation.columns.get(name)
        if column is None:
            raise StoreUnavailableError(f"users table {self._table.name} has no column {name}")
        # APPSEC: what the role may not see must never count as if it were not there.
        if not column.is_readable:
            raise StoreUnavailableError(
                f"users table {self._table.name}: the database role may not read column {name}; grant it SELECT"
            )
        return column


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
        self._get = engine.compile(users.select(users.active).where(users.id == slot("id")))
        self._remove = engine.compile(users.delete().where(users.id == slot("id")))
        self._list = engine.compile(users.select(users.id, users.active).order_by(users.id))

    def put(self, user: User) -> User | None:
        """Insert the user, or update the one of this identifier."""
        before = self._engine.select(self._get, {"id": user.id})
        self._engine.write_to_disk(self._add, {"id": user.id, "active": user.active})
        return User(id=user.id, active=bool(before[0][0])) if before else None

    def remove(self, user_id: str) -> bool:
        """Delete the row."""
        return self._engine.write_to_disk(self._remove, {"id": user_id}) == 1

    def list(self) -> list[User]:
        """Read the whole table."""
        return [User(id=id_, active=bool(active)) for id_, active in self._engine.select(self._list, {})]
