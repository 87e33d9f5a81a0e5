"""What an application's old library had revoked, in the application's own database."""

from datetime import UTC, datetime
from typing import Any

from peewee import SQL, DataError, Table, fn

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.relation import find_relation
from infrastructure.peewee.statement import Statement, slot
from infrastructure.peewee.tables import Expression
from ports.blocklist import Blocklist


class PeeweeBlocklist(Blocklist):
    """Asks one query, which has the slots `id` and `other_spelling`, of tables that must be there."""

    def __init__(self, engine: Engine, query: Expression, columns: dict[str, tuple[str, ...]]) -> None:
        """Take the query, and the columns that it needs by table. Nothing is connected yet."""
        self._engine = engine
        self._statement: Statement = engine.compile(query)
        self._columns = columns

    def holds(self, token_id: str) -> bool:
        """Look for the identifier. Raises `StoreUnavailableError` for whatever keeps it from being found."""
        # A column for UUIDs has them without dashes on some databases.
        values = {"id": token_id, "other_spelling": token_id.replace("-", "")}
        try:
            return bool(self._engine.select(self._statement, values))
        except DataError as error:
            raise StoreUnavailableError("the blocklist cannot hold such an identifier") from error

    def inspect(self) -> None:
        """Raise `StoreUnavailableError`, in words, if the tables or columns cannot be read."""
        for table, columns in self._columns.items():
            require_columns(self._engine, table, columns)
        self.holds("")


def blocklist_table(engine: Engine, name: str, column: str) -> PeeweeBlocklist:
    """Return the blocklist whose `column` names every revoked token. `name` may carry a schema, and may be a view's."""
    schema, _, bare_name = name.rpartition(".")
    table: Expression = Table(bare_name, [column], schema=schema or None)
    return PeeweeBlocklist(engine, table.select(SQL("1")).where(_is_named(getattr(table, column))), {name: (column,)})


def simplejwt_blacklist(engine: Engine) -> PeeweeBlocklist:
    """Return the blacklist of simplejwt's application `token_blacklist`."""
    outstanding: Expression = Table("token_blacklist_outstandingtoken", ("id", "jti"))
    blacklisted: Expression = Table("token_blacklist_blacklistedtoken", ("token_id",))
    query = (
        blacklisted.select(SQL("1"))
        .join(outstanding, on=(blacklisted.token_id == outstanding.id))
        .where(_is_named(outstanding.jti))
    )
    columns = {"token_blacklist_outstandingtoken": ("id", "jti"), "token_blacklist_blacklistedtoken": ("token_id",)}
    return PeeweeBlocklist(engine, query, columns)


def last_outstanding(engine: Engine) -> int | None:
    """Return when the last refresh token expires that `token_blacklist` knows of, or `None` if it knows of none."""
    outstanding: Expression = Table("token_blacklist_outstandingtoken", ("expires_at",))
    ((latest,),) = engine.select(engine.compile(outstanding.select(fn.MAX(outstanding.expires_at))), {})
    return None if latest is None else seconds_of(latest)


def seconds_of(moment: Any) -> int:
    """Return a time of Django's as whole seconds. On SQLite it is text, and without a zone it is UTC (`USE_TZ`)."""
    parsed = datetime.fromisoformat(moment) if type(moment) is str else moment
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


def require_columns(engine: Engine, table: str, columns: tuple[str, ...]) -> set[str]:
    """Return the names of all columns of a table; raise `StoreUnavailableError` if it lacks one that is needed."""
    schema, _, name = table.rpartition(".")
    relation = find_relation(engine, schema or None, name)
    if relation is None:
        raise StoreUnavailableError(f"there is no table {table} in the users database")
    for column in columns:
        if column not in relation.columns:
            raise StoreUnavailableError(f"table {table} has no column {column}")
        if not relation.columns[column].is_readable:
            raise StoreUnavailableError(f"the database role may not read column {column} of {table}; grant it SELECT")
    return set(relation.columns)


def _is_named(column: Expression) -> Expression:
    return (column == slot("id")) | (column == slot("other_spelling"))
