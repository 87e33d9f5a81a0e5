"""Databases for running services, and what tests see of them over connections of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from domain.model.sessions import Session
from domain.model.users import User
from infrastructure.peewee.database_url import open_engine
from tests.stores import Kind, Stores


class Database:
    """A database beside the service that uses it. Every call opens a new connection."""

    def __init__(self, url: str) -> None:
        self.url = url

    def session(self, session_id: str) -> dict[str, Any]:
        """Return the row of a session."""
        (row,) = self.run("SELECT * FROM nuovo_sessions WHERE session_id = ?", session_id)
        return row

    def put_back(self, session_id: str, seconds: int) -> None:
        """Make everything of a session happen earlier, as if the test had waited so long."""
        self.run("UPDATE nuovo_sessions SET issued_at = issued_at - ? WHERE session_id = ?", seconds, session_id)

    def run(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run one statement, commit it, and return its rows by column name."""
        with self.holding(statement, *values) as rows:
            return rows

    @contextmanager
    def holding(self, statement: str, *values: object) -> Iterator[list[dict[str, Any]]]:
        """Run one statement in a transaction that keeps its locks until the block ends."""
        database = open_engine(self.url).peewee
        try:
            with database.atomic():
                cursor = database.execute_sql(statement.replace("?", database.param), values)
                names = [column[0] for column in cursor.description or ()]
                yield [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []
        finally:
            database.close()


class Beside:
    """The store of a running service, through its ports."""

    def __init__(self, kind: Kind, url: str) -> None:
        self._kind, self._url = kind, url
        self._store = kind.open(url)

    def session(self, session_id: str) -> Session:
        """Return what is held of a session of `ada`."""
        session = self._store.sessions.get("ada", session_id).session
        assert session is not None
        return session

    def put_back(self, session_id: str, seconds: int) -> None:
        """Make the last rotation of a session earlier, as if the test had waited so long."""
        self._kind.put_back(self._url, session_id, seconds)

    def close(self) -> None:
        self._store.close()


class Databases:
    """Migrated databases with the users `ada` and `bob`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def new(self, kind: str) -> str:
        """Return the URL of a new database."""
        url = self._stores[kind].new()
        store = self._stores[kind].open(url)
        for user in ("ada", "bob"):
            store.directory.put(User(id=user))
        store.close()
        return url
