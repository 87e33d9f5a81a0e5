"""Databases by their URL."""

from urllib.parse import unquote, urlsplit

from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sqlite import SqliteEngine


class InvalidDatabaseUrlError(ValueError):
    """A database URL that cannot be used. The message never holds its password."""


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
            from infrastructure.peewee.postgres import PostgresEngine  # noqa: PLC0415  only who uses it has the driver
        except ModuleNotFoundError:
            raise InvalidDatabaseUrlError("needs the PostgreSQL driver: pip install 'nuovo[postgres]'") from None
        try:
            return PostgresEngine(f"postgresql://{rest}", sync_every_write=sync_every_write)
        except ValueError:
            raise InvalidDatabaseUrlError("is not a PostgreSQL URL that libpq understands") from None
    raise InvalidDatabaseUrlError("must begin with sqlite:/// or postgresql://")
