"""The schema and its migrations, run by Peewee's own runner."""

from pathlib import Path

from playhouse.migrations import MigrationError, Runner

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.database import Engine

_DIRECTORY = Path(__file__).parent / "migrations"


class Schema:
    """Brings a database to the form that the stores expect, and tells whether it has it."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine

    def pending(self) -> list[str]:
        """Return the names of the migrations that have not been applied. Raises `StoreUnavailableError`."""
        return self._engine.attempt(
            lambda: [m.name for m in self._runner().status() if m.path is not None and not m.applied]
        )

    def migrate(self) -> list[str]:
        """Apply what is pending and return its names. Several may be started at once: each step is taken once."""
        return self._engine.attempt(self._migrate)

    def _migrate(self) -> list[str]:
        with self._engine.exclusively():
            try:
                return list(self._runner().up())
            except MigrationError as error:
                raise StoreUnavailableError(str(error)) from error

    def _runner(self) -> Runner:
        return Runner(self._engine.peewee, str(_DIRECTORY), table_name="nuovo_migrations")
