"""Whether databases let the service do its work, asked by statements that change nothing."""

from collections.abc import Iterator

from peewee import SQL

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.tables import Expression, cut_offs, purges, sessions
from infrastructure.peewee.users import PeeweeUsers

_NOWHERE = SQL("1 = 0")


class Readiness:
    """Tells whether sessions can be refreshed, started and ended, and what else an operator should know."""

    def __init__(self, engine: Engine, schema: Schema, users: PeeweeUsers) -> None:
        """Take the sessions' database and where users are; nothing is connected yet."""
        self._engine = engine
        self._schema = schema
        self._users = users
        self._needed = [
            *_writes(engine, sessions, sessions.generation),
            *_writes(engine, cut_offs, cut_offs.ended_at),
            engine.compile(purges.select(purges.id, purges.purged_until).where(_NOWHERE)),
        ]
        self._for_purge = [
            *_writes(engine, purges, purges.purged_until),
            *(engine.compile(table.delete().where(_NOWHERE)) for table in (sessions, cut_offs)),
        ]

    def require(self) -> None:
        """Raise `StoreUnavailableError` unless the service can do its work now. As cheap as a few refreshes."""
        if pending := self._schema.pending():
            raise StoreUnavailableError(f"migrations are pending: {', '.join(pending)}; run: nuovo migrate")
        for statement in self._needed:
            self._engine.write(statement, {})
        self._users.inspect()

    def describe(self) -> Iterator[str]:
        """Yield in words what the service works with, and what it cannot do. Raises as `require` does."""
        self.require()
        yield from self._users.describe()
        for engine in {self._engine, self._users.engine}:
            yield from engine.remarks()
        try:
            for statement in self._for_purge:
                self._engine.write(statement, {})
        except StoreUnavailableError as error:
            yield f"nuovo purge cannot do its work: {error}. Its role needs DELETE, too."


def _writes(engine: Engine, table: Expression, column: Expression) -> list[Statement]:
    """Return an update and an insert of no row: each needs all that a real one does, a server that writes included."""
    columns = [getattr(table, name) for name in table._columns]  # noqa: SLF001
    return [
        engine.compile(table.update({column: column}).where(_NOWHERE)),
        engine.compile(table.insert(table.select(*columns).where(_NOWHERE), columns=columns)),
    ]
