"""Databases for running services, and what tests see of them over connections of their own."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from infrastructure.peewee.database_url import open_engine
from tests.e2e.server import Nuovo


class Database:
    """A database beside the service that uses it. Every call opens a new connection."""

    def __init__(self, url: str) -> None:
        self.url = url

    def session(self, session_id: str) -> dict[str, Any]:
        """Return the row of a session."""
        (row,) = self.run("SELECT * FROM nuovo_sessions WHERE id = ?", session_id)
        return row

    def put_back(self, session_id: str, seconds: int) -> None:
        """Make everything of a session happen earlier, as if the test had waited so long."""
        self.run(
            "UPDATE nuovo_sessions SET rotated_at = rotated_at - ?, newer_mark_at = newer_mark_at - ?,"
            " older_mark_at = older_mark_at - ? WHERE id = ?",
            *(seconds, seconds, seconds, session_id),
        )

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


class Databases:
    """Migrated databases with the users `ada` and `bob`, copied from one of each kind that the commands made."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self._folder = folder
        self._server_url = server_url
        self._templates: dict[str, str] = {}
        self._on_server: list[str] = []

    def new(self, kind: str) -> str:
        """Return the URL of a new database."""
        if kind not in self._templates:
            template = self._create(kind, "template0")
            Nuovo(self._folder, self._url(kind, template)).prepare("ada", "bob")
            self._templates[kind] = template
        return self._url(kind, self._create(kind, self._templates[kind]))

    def remove(self) -> None:
        """Leave nothing on a server that somebody lent; the tests' own goes as a whole."""
        if "NUOVO_TEST_POSTGRES_URL" not in os.environ:
            return
        for name in self._on_server:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _create(self, kind: str, template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"
        if kind == "postgres":
            self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            self._on_server.append(name)
        elif kind in self._templates:
            shutil.copyfile(self._folder / f"{template}.sqlite3", self._folder / f"{name}.sqlite3")
        return name

    def _url(self, kind: str, name: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self._folder}/{name}.sqlite3"
        head, _, parameters = self._server_url.partition("?")
        return f"{head.rpartition('/')[0]}/{name}" + (f"?{parameters}" if parameters else "")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement.encode())
