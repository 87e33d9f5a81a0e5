"""The schema and its migrations, run by Peewee's own runner."""

import re
from contextlib import suppress
from pathlib import Path

from peewee import IntegrityError, ProgrammingError, Table
from playhouse.migrations import Migration, MigrationError, Runner

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.tables import Expression

_DIRECTORY = Path(__file__).parent / "migrations"
_FILE = re.compile(r"(\d+)_\w+\.py", re.ASCII)
_lock: Expression = Table("nuovo_migration_lock", ("id",))
"""One row, for which all wait who migrate at once. It is in a table of its own: whoever waits for a row keeps others
from changing its table, and migrations change any other."""
_CREATE_LOCK = "CREATE TABLE IF NOT EXISTS nuovo_migration_lock (id INTEGER PRIMARY KEY)"
_CREATION_RETRIES = 4


class Schema:
    """Brings a database to the form that the stores expect, and tells whether it has it."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine
        self._runner = _Runner(engine.peewee, str(_DIRECTORY), table_name="nuovo_migrations")

    def pending(self) -> list[str]:
        """Return the names of the migrations that have not been applied. Raises `StoreUnavailableError`."""
        return self._engine.attempt(
            lambda: [m.name for m in self._runner.status() if m.path is not None and not m.applied]
        )

    def migrate(self) -> list[str]:
        """Apply what is pending and return its names. Several may be started at once: each step is taken once."""
        return self._engine.attempt(self._migrate)

    def _migrate(self) -> list[str]:
        database = self._engine.peewee
        self._create_lock()
        with self._engine.exclusively():
            # Every database knows this lock, poolers leave it alone, and it ends with its transaction.
            database.execute(_lock.insert({_lock.id: 1}).on_conflict(conflict_target=[_lock.id], update={_lock.id: 1}))
            try:
                return list(self._runner.up())
            except MigrationError as error:
                raise StoreUnavailableError(str(error)) from error

    def _create_lock(self) -> None:
        """Make the lock if it is not there. On PostgreSQL one of those who try at once succeeds; the others fail."""
        for retries_left in reversed(range(_CREATION_RETRIES + 1)):
            try:
                self._engine.peewee.execute_sql(_CREATE_LOCK)
            except (IntegrityError, ProgrammingError):
                if not retries_left:
                    raise
            else:
                return


class _Runner(Runner):  # type: ignore[misc]  # Peewee's types leave it out
    """Peewee's, which looks for its files with `glob` and finds none below a folder such as `venv[x]`."""

    def migrations(self) -> list[Migration]:
        """Return the packaged migrations in their order. Raises `StoreUnavailableError` if there is none."""
        files = []
        with suppress(OSError):
            files = sorted(file for file in Path(self.directory).iterdir() if _FILE.fullmatch(file.name))
        if not files:
            raise StoreUnavailableError("this installation has no migrations: install Nuovo again")
        return [Migration(int(file.name.partition("_")[0]), file.stem, str(file), None) for file in files]
