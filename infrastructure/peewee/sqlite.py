"""SQLite: one file, for one machine."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from peewee import SqliteDatabase

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import LOCK_BUDGET, Engine, Trouble
from infrastructure.peewee.statement import Statement

_LOCK_POLL = 0.01
_PAGE_SIZE = 2048
"""Bytes. A refresh changes one row and writes its page: half of SQLite's usual size is half of the work."""
_WORDS = {
    sqlite3.SQLITE_BUSY: "the file was locked for too long",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_PERM: "this process may not use the file",
}


class SqliteEngine(Engine):
    """A file. Write-ahead logging lets readers and one writer work at once."""

    exact_collation = "BINARY"

    def __init__(self, path: str, *, sync_every_write: bool) -> None:
        """Take the file's path. With `sync_every_write` a rotation, too, waits for the disk."""
        self._relaxed = not sync_every_write
        # SQLite lets a thread that finds the file locked sleep, longer each time. Threads of one process wait here
        # instead, and go on as soon as it is their turn.
        self._turn = _Turn()
        super().__init__(
            _Sqlite(
                path,
                timeout=LOCK_BUDGET,
                pragmas={
                    "page_size": _PAGE_SIZE,  # of a new file
                    "journal_mode": "wal",
                    "synchronous": "normal" if self._relaxed else "full",
                },
            )
        )

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

    def remarks(self) -> Iterator[str]:
        """Yield that others may read the file, if so: one that was there before Nuovo keeps its mode."""
        mode = stat.S_IMODE(Path(self.peewee.database).stat().st_mode)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"The database's file is not its owner's alone: its mode is {mode:04o}; Nuovo makes 0600."

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the file's write lock."""
        with self.peewee.atomic("EXCLUSIVE"):
            yield

    def _start_afresh(self) -> None:
        super()._start_afresh()
        self._turn = _Turn()

    def _trouble(self, error: Exception) -> Trouble:
        return Trouble.OTHER

    def _in_words(self, error: Exception) -> str:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_CANTOPEN:
            return _why_not_opened(self.peewee.database)
        if str(error).startswith("no such table"):
            return "a table is missing"
        return _WORDS.get(code) or f"SQLite reports {getattr(error, 'sqlite_errorname', type(error).__name__)}"


def _why_not_opened(path: str) -> str:
    if os.path.isdir(path):  # noqa: PTH112  pathlib's raises where a name is too long
        return "the database is a folder, not a file"
    if not os.path.isdir(os.path.dirname(path) or "."):  # noqa: PTH112, PTH120  as above
        return "there is no such folder for the file"
    return "this process may not create or open the file"


class _Turn:
    """One thread at a time. Raises `StoreUnavailableError` for one that waits past its budget."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=LOCK_BUDGET):
            raise StoreUnavailableError("a statement waited too long for its turn")

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


class _Sqlite(SqliteDatabase):
    """Peewee's SQLite, whose new files belong to their owner alone.

    It is patient with a new file that another process is just turning to write-ahead logging: SQLite answers to that
    with a lock error at once, whatever the timeout.
    """

    def _connect(self) -> Any:
        # APPSEC: whoever can read the file knows who has sessions. Its companions get the file's own mode from SQLite.
        with suppress(OSError):  # it is there, or SQLite itself will fail and say why
            os.close(os.open(os.path.realpath(self.database), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        give_up_at = time.monotonic() + LOCK_BUDGET
        while True:
            try:
                return super()._connect()  # type: ignore[misc]  # Peewee's types leave it out
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up_at:
                    raise
                time.sleep(_LOCK_POLL)
