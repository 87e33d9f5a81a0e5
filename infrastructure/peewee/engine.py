"""A database as the stores use it: statements that survive trouble, or `StoreUnavailableError`.

Each thread has one connection, opened when it is first needed. All of a store's statements may be run twice without
harm, so one that met a dead connection is run again on a new one.
"""

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum, auto
from typing import Any, TypeVar
from weakref import WeakMethod

from peewee import Database, DataError, Node, PeeweeException

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.tables import Expression

MAX_CONFLICT_RETRIES = 3
LOCK_BUDGET = 5
"""Seconds that a statement waits for a lock, or on PostgreSQL for anything, before it is given up."""
_SLOW_CONNECT = 1.0
_PAUSE_AFTER_SLOW_CONNECT = 2.0
"""Seconds without a new try: whoever waits for a server that swallows everything must not queue behind each other."""
_UNKNOWN_TO_THE_ENCODING = "22P05"

_Result = TypeVar("_Result")


class Trouble(Enum):
    """What can be done about a statement that failed."""

    CONFLICT = auto()
    """It lost to a concurrent transaction, and may win when it is run again."""
    DEAD_CONNECTION = auto()
    """Another connection may be better."""
    OTHER = auto()


class UnencodableError(StoreUnavailableError):
    """The database was made with an encoding that does not know a character."""


class Engine(ABC):
    """One database, reached through Peewee; SQLite and PostgreSQL each have their own subclass."""

    exact_collation: str
    """The collation by which only equal bytes are equal text."""
    _turn: AbstractContextManager[None] = nullcontext()
    """Held while a statement writes."""

    def __init__(self, peewee: Database) -> None:
        self.peewee = peewee
        self.on_success: Callable[[float], object] = _ignore
        """Told how many seconds a statement has taken."""
        self.on_failure: Callable[[str, str], object] = _ignore
        """Told what can be done about a failure, and what the driver calls it."""
        self._away_until = 0.0
        in_child = WeakMethod(self._start_afresh)
        os.register_at_fork(after_in_child=lambda: (start_afresh := in_child()) and start_afresh())

    def compile(self, query: Node) -> Statement:
        """Return `query` in this database's SQL."""
        return Statement(self.peewee, query)

    def select(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a query and return its rows. Raises `StoreUnavailableError`."""
        parameters = statement.bind(values)
        return self.attempt(lambda: _rows(self.peewee.execute_sql(statement.sql, parameters)))

    def write(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement that may wait for the disk; return how many rows it changed. Raises `StoreUnavailableError`.

        The change outlives the death of every process involved. Whether it outlives a power cut is the statement's
        or the connection's affair.
        """
        return self._change(statement, values, _count)

    def write_returning(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """As `write`, for a statement that ends with `RETURNING`; return all of its rows."""
        return self._change(statement, values, _rows)

    @abstractmethod
    def write_to_disk(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """As `write`, but return only when the change is on disk, and on a synchronous standby if there is one."""

    def off_disk_condition(self) -> Expression | None:
        """Return a condition that is always true and lets the statement commit without waiting for the disk."""
        return None

    def fence(self) -> Expression | None:
        """Return a condition that is true only while this server may speak for the others, or `None` if none is needed.

        A statement that has it is to be run as a write.
        """
        return None

    def remarks(self) -> Iterator[str]:
        """Yield what an operator should know of this database, in words. Raises `StoreUnavailableError`."""
        yield from ()

    def attempt(self, work: Callable[[], _Result]) -> _Result:
        """Return what `work` returns, running it again after a dead connection or a lost conflict."""
        conflicts, reopened = 0, False
        while True:
            begun = time.monotonic()
            if begun < self._away_until:
                raise StoreUnavailableError("the server could not be reached a moment ago")
            try:
                result = work()
            except DataError as error:  # of which the connection is none the worse
                cause = cause_of(error)
                is_unknown = getattr(cause, "sqlstate", None) == _UNKNOWN_TO_THE_ENCODING
                raise (UnencodableError if is_unknown else StoreUnavailableError)(self._in_words(cause)) from error
            except (PeeweeException, sqlite3.Error) as error:
                cause = cause_of(error)
                trouble = self._trouble(cause)
                self.on_failure(trouble.name.lower(), _code_of(cause))
                if trouble is Trouble.CONFLICT and conflicts < MAX_CONFLICT_RETRIES:
                    conflicts += 1
                    continue
                is_away = trouble is Trouble.DEAD_CONNECTION and self.peewee.is_closed()
                if is_away and time.monotonic() - begun >= _SLOW_CONNECT:
                    self._away_until = time.monotonic() + _PAUSE_AFTER_SLOW_CONNECT
                # A connection that failed is not trusted again: the next statement opens a new one.
                self.drop_connection()
                if trouble is Trouble.DEAD_CONNECTION and not reopened:
                    reopened = True
                    continue
                raise StoreUnavailableError(self._in_words(cause)) from error
            else:
                self.on_success(time.monotonic() - begun)
                return result

    def drop_connection(self) -> None:
        """Close this thread's connection, if it has one, whatever state it is in."""
        try:
            self.peewee.close()
        except (PeeweeException, sqlite3.Error):
            self.peewee.dispose()

    @abstractmethod
    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold a transaction that may take as long as it needs, on SQLite with the file's write lock."""

    def _change(self, statement: Statement, values: Mapping[str, Any], result: Callable[[Any], _Result]) -> _Result:
        parameters = statement.bind(values)
        with self._turn:
            return self.attempt(lambda: result(self.peewee.execute_sql(statement.sql, parameters)))

    def _start_afresh(self) -> None:
        """Share nothing with the process that this one was forked from, whoever forks and whenever."""
        self.peewee.dispose()

    @abstractmethod
    def _trouble(self, error: Exception) -> Trouble:
        """Return what can be done about the driver's own error."""

    @abstractmethod
    def _in_words(self, error: Exception) -> str:
        """Return what the driver's own error means, without any value of the statement and without a secret."""


def cause_of(error: Exception) -> Exception:
    """Return the driver's own error, which Peewee wraps more than once where a connection fails."""
    while isinstance(cause := getattr(error, "orig", None), Exception):
        error = cause
    return error


def _code_of(cause: Exception) -> str:
    return getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or type(cause).__name__


def _ignore(*_told: object) -> None:
    """Nobody wants to know."""


def _count(cursor: Any) -> int:
    return int(cursor.rowcount)


def _rows(cursor: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
