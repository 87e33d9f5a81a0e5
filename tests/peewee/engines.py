"""Engines for tests, with every connection closed in the thread that opened it."""

from urllib.parse import urlsplit

import psycopg

from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.engine import Engine

_OPTIONS = "-c default_transaction_read_only=off -c synchronous_commit=off"


class Engines:
    """Opens engines and closes the connections that they have in the calling thread."""

    def __init__(self) -> None:
        self._engines: list[Engine] = []

    def open(self, url: str, *, sync_every_write: bool = False) -> Engine:
        self._engines.append(open_engine(url, sync_every_write=sync_every_write))
        return self._engines[-1]

    def close(self) -> None:
        for engine in self._engines:
            engine.drop_connection()


def administer(url: str, sql: str) -> None:
    """Run a statement on a PostgreSQL server, in a connection of its own that may write."""
    with psycopg.connect(url, autocommit=True, options=_OPTIONS) as connection:
        connection.execute(sql.encode())


def url_of_database(server_url: str, name: str) -> str:
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()
