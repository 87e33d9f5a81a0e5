"""A database as the stores use it: statements that survive trouble, or `StoreUnavailableError`.

Each thread has one connection, opened when it is first needed. All of a store's statements may be run twice without
harm, so one that met a dead connection is run again on a new one.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from weakref import WeakMethod

from peewee import Database, DataError, Node, PeeweeException, PostgresqlDatabase, SqliteDatabase, fn

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.tables import Expression

MAX_CONFLICT_RETRIES = 3
_LOCK_BUDGET = 5
"""Seconds that a statement waits for a lock, or on PostgreSQL for anything, before it is given up."""
_LOCK_POLL = 0.01
_CONNECT_TIMEOUT = 3
_SLOW_CONNECT = 1.0
_PAUSE_AFTER_SLOW_CONNECT = 2.0
"""Seconds without a new try: whoever waits for a server that swallows everything must not queue behind each other."""
_PAGE_SIZE = 2048
"""Bytes. A refresh changes one row and writes its page: half of SQLite's usual size is half of the work."""

_SERIALIZATION_FAILURES = ("40001", "40P01")
_GONE_SERVER_STATES = ("57P01", "57P02", "57P03", "25006")
"""Shut down, crashed, starting, and read-only: the last is a primary that has become a standby."""

_Result = TypeVar("_Result")


class InvalidDatabaseUrlError(ValueError):
    """A database URL that cannot be used. The message never holds its password."""


class _Trouble(Enum):
    CONFLICT = "lost to a concurrent transaction"
    DEAD_CONNECTION = "the connection has died"
    OTHER = "the statement failed"


class Engine:
    """One database, reached through Peewee; SQLite and PostgreSQL each have their own subclass."""

    def __init__(self, peewee: Database) -> None:
        self.peewee = peewee
        self.on_success: Callable[[float], object] = _ignore
        """Told how many seconds a statement has taken."""
        self.on_failure: Callable[[str, str], object] = _ignore
        """Told what a failure means, and the database's own code for it."""
        self._away_until = 0.0
        in_child = WeakMethod(self._start_afresh)
        os.register_at_fork(after_in_child=lambda: (start_afresh := in_child()) and start_afresh())

    def compile(self, query: Node) -> Statement:
        """Return `query` in this database's SQL."""
        return Statement(self.peewee, query)

    def select(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a query and return its rows. Raises `StoreUnavailableError`."""
        parameters = statement.bind(values)
        return self.attempt(lambda: list(self.peewee.execute_sql(statement.sql, parameters).fetchall()))

    def write(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement that may wait for the disk; return how many rows it changed. Raises `StoreUnavailableError`.

        The change outlives the death of every process involved. Whether it outlives a power cut is the statement's
        or the connection's affair.
        """
        parameters = statement.bind(values)
        return self.attempt(lambda: int(self.peewee.execute_sql(statement.sql, parameters).rowcount))

    def write_returning(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """As `write`, but return the rows of the statement's RETURNING clause."""
        return self.select(statement, values)

    def write_to_disk(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """As `write`, but return only when the change is on disk, and on a synchronous standby if there is one."""
        raise NotImplementedError

    def off_disk_condition(self) -> Expression | None:
        """Return a condition that is always true and lets the statement commit without waiting for the disk."""
        return None

    def attempt(self, work: Callable[[], _Result]) -> _Result:
        """Return what `work` returns, running it again after a dead connection or a lost conflict."""
        conflicts, reopened = 0, False
        while True:
            begun = time.monotonic()
            if begun < self._away_until:
                raise StoreUnavailableError("the server could not be reached a moment ago")
            try:
                result = work()
            except DataError:
                raise  # a value that the database cannot hold is a defect of this service, not trouble of the store
            except (PeeweeException, sqlite3.Error) as error:
                trouble = self._trouble(error)
                self.on_failure(trouble.name.lower(), _code_of(error))
                if trouble is _Trouble.CONFLICT and conflicts < MAX_CONFLICT_RETRIES:
                    conflicts += 1
                    continue
                is_away = trouble is _Trouble.DEAD_CONNECTION and self.peewee.is_closed()
                if is_away and time.monotonic() - begun >= _SLOW_CONNECT:
                    self._away_until = time.monotonic() + _PAUSE_AFTER_SLOW_CONNECT
                # A connection that failed is not trusted again: the next statement opens a new one.
                self.drop_connection()
                if trouble is _Trouble.DEAD_CONNECTION and not reopened:
                    reopened = True
                    continue
                raise StoreUnavailableError(f"{trouble.value}: {_name_of(error)}") from error
            else:
                self.on_success(time.monotonic() - begun)
                return result

    def drop_connection(self) -> None:
        """Close this thread's connection, if it has one, whatever state it is in."""
        try:
            self.peewee.close()
        except (PeeweeException, sqlite3.Error):
            self.peewee.dispose()

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold a lock that keeps every other process out of the same block."""
        raise NotImplementedError

    def _start_afresh(self) -> None:
        """Share nothing with the process that this one was forked from, whoever forks and whenever."""
        self.peewee.dispose()

    def _trouble(self, error: Exception) -> _Trouble:
        raise NotImplementedError


class _Turn:
    """One thread at a time. Raises `StoreUnavailableError` for one that waits past its budget."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=_LOCK_BUDGET):
            raise StoreUnavailableError("a statement waited too long for its turn")

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


class SqliteEngine(Engine):
    """A file. Write-ahead logging lets readers and one writer work at once."""

    def __init__(self, path: str, *, sync_every_write: bool) -> None:
        """Take the file's path. With `sync_every_write` a rotation, too, waits for the disk."""
        self._relaxed = not sync_every_write
        # SQLite lets a thread that finds the file locked sleep, longer each time. Threads of one process wait here
        # instead, and go on as soon as it is their turn.
        self._turn = _Turn()
        super().__init__(
            _Sqlite(
                path,
                timeout=_LOCK_BUDGET,
                pragmas={
                    "page_size": _PAGE_SIZE,  # of a new file
                    "journal_mode": "wal",
                    "synchronous": "normal" if self._relaxed else "full",
                },
            )
        )

    def write(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement when no other thread of this process writes."""
        with self._turn:
            return super().write(statement, values)

    def write_returning(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement when no other thread of this process writes."""
        with self._turn:
            return super().write_returning(statement, values)

    def write_to_disk(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """As `write`, syncing the log before it returns, and with it all that was written before."""
        if not self._relaxed:
            return self.write(statement, values)
        parameters = statement.bind(values)

        def work() -> int:
            self.peewee.execute_sql("PRAGMA synchronous = full")
            count = int(self.peewee.execute_sql(statement.sql, parameters).rowcount)
            self.peewee.execute_sql("PRAGMA synchronous = normal")
            return count

        with self._turn:
            return self.attempt(work)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the file's write lock."""
        with self.peewee.atomic("EXCLUSIVE"):
            yield

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._turn = _Turn()

    def _trouble(self, error: Exception) -> _Trouble:
        return _Trouble.OTHER


class _Sqlite(SqliteDatabase):
    """Peewee's SQLite, patient with a new file that another process is just turning to write-ahead logging.

    SQLite answers to that with a lock error at once, whatever the timeout.
    """

    def _connect(self) -> Any:
        give_up_at = time.monotonic() + _LOCK_BUDGET
        while True:
            try:
                return super()._connect()  # type: ignore[misc]  # Peewee's types leave it out
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_at:
                    raise
                time.sleep(_LOCK_POLL)


class PostgresEngine(Engine):
    """A PostgreSQL server, or several of which one takes writes."""

    _MIGRATION_LOCK = 0x6E756F766F
    """The name `nuovo` as an advisory lock's number."""

    def __init__(self, url: str, *, sync_every_write: bool) -> None:
        """Take a libpq URL. With `sync_every_write` a rotation, too, waits for the disk and the standby."""
        from psycopg import ProgrammingError  # noqa: PLC0415  only who uses PostgreSQL has the driver
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

        try:
            given = conninfo_to_dict(url)
        except ProgrammingError:
            raise InvalidDatabaseUrlError("is not a PostgreSQL URL that libpq understands") from None
        defaults: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, "application_name": "nuovo"}
        missing = {name: value for name, value in defaults.items() if name not in given}
        self._sync_every_write = sync_every_write
        super().__init__(_Postgres(url, prefer_psycopg3=True, **missing))

    def write_to_disk(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """As `write`: a connection waits for the disk unless the statement says otherwise."""
        return self.write(statement, values)

    def off_disk_condition(self) -> Expression | None:
        """Return the condition that makes this one transaction commit asynchronously."""
        if self._sync_every_write:
            return None
        return fn.set_config("synchronous_commit", "off", True) == "off"

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold an advisory lock of the database, waiting for it as long as it takes."""
        self.peewee.execute_sql("SET statement_timeout = 0")
        self.peewee.connection().patience = None
        self.peewee.execute_sql("SELECT pg_advisory_lock(%s)", (self._MIGRATION_LOCK,))
        try:
            yield
        finally:
            self.drop_connection()  # which gives the lock back

    def _trouble(self, error: Exception) -> _Trouble:
        state = getattr(_cause_of(error), "sqlstate", None)
        if state in _SERIALIZATION_FAILURES:
            return _Trouble.CONFLICT
        if state is None or state.startswith("08") or state in _GONE_SERVER_STATES:
            return _Trouble.DEAD_CONNECTION
        return _Trouble.OTHER


class _Postgres(PostgresqlDatabase):
    """Peewee's PostgreSQL with connections that are durable and never wait for ever."""

    @property
    def psycopg3_adapter(self) -> type[Any]:
        """What opens the connections."""
        from infrastructure.peewee.impatient import ImpatientAdapter  # noqa: PLC0415  as above

        return ImpatientAdapter

    def _initialize_connection(self, conn: Any) -> None:
        """Set the connection's limits; keep the server's own durability unless it is none at all."""
        conn.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('synchronous_commit',"
            " replace(current_setting('synchronous_commit'), 'off', 'on'), false)",
            (f"{_LOCK_BUDGET}s",),
        )


def open_engine(url: str, *, sync_every_write: bool = False) -> Engine:
    """Return the engine for a database URL, without connecting to it.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, or `postgresql://user:password@host/name?…` as libpq reads it.
    Raises `InvalidDatabaseUrlError`, whose message continues a sentence that begins with the setting's name.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        path = unquote(urlsplit(f"sqlite://{rest}").path).removeprefix("/")
        if rest[:1] != "/" or not path or ":memory:" in path:
            raise InvalidDatabaseUrlError("must name a file, as in sqlite:///nuovo.sqlite3")
        return SqliteEngine(path, sync_every_write=sync_every_write)
    if scheme in ("postgresql", "postgres"):
        try:
            return PostgresEngine(f"postgresql://{rest}", sync_every_write=sync_every_write)
        except ModuleNotFoundError:
            raise InvalidDatabaseUrlError("needs the PostgreSQL driver: pip install 'nuovo[postgres]'") from None
    raise InvalidDatabaseUrlError("must begin with sqlite:/// or postgresql://")


def _cause_of(error: Exception) -> Exception:
    """Return the driver's own error, which Peewee wraps more than once where a connection fails."""
    while isinstance(cause := getattr(error, "orig", None), Exception):
        error = cause
    return error


def _ignore(*_noted: object) -> None:
    """Nobody wants to know."""


def _code_of(error: Exception) -> str:
    """Return the driver's own code of an error, or what the error is called."""
    cause = _cause_of(error)
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return code or type(cause).__name__


def _name_of(error: Exception) -> str:
    """Return what the error is called, with the driver's own code and without any value of the statement."""
    cause = _cause_of(error)
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return f"{type(cause).__name__} {code}" if code else type(cause).__name__
