"""PostgreSQL connections that do not wait for ever.

The server limits how long a statement runs, but not how long a commit waits for a standby, and it limits nothing when
it stands still or the network swallows its answers. A thread that waited then would be lost, and soon the service.
"""

import time
from collections.abc import Generator
from typing import Any, TypeVar

from peewee import Psycopg3Adapter
from psycopg import Connection
from psycopg.errors import QueryCanceled

PATIENCE = 7.0
"""Seconds that one exchange with the server may take: some more than the server itself gives a statement."""

_Result = TypeVar("_Result")


class ImpatientConnection(Connection[Any]):
    """Gives an exchange up when its time is over. Nobody knows then what the server did, and it is of no more use."""

    patience: float | None = PATIENCE
    is_pooled = False
    """Whether a pooler such as PgBouncer stands between, so that the server's process may change at any time."""

    def wait(self, gen: Generator[Any, Any, _Result], *args: Any, **options: Any) -> _Result:
        """Run an exchange. Raises `QueryCanceled` when it takes too long."""
        if self.patience is not None:
            gen = _until(time.monotonic() + self.patience, gen)
        return super().wait(gen, *args, **options)


class ImpatientAdapter(Psycopg3Adapter):
    """Peewee's way to psycopg 3, by such connections."""

    def connect(self, db: Any, **params: Any) -> ImpatientConnection:
        """Open a connection to a database that is named by its URL."""
        return ImpatientConnection.connect(db.database, **params)


def _until(deadline: float, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
    """Pass an exchange on. While the server is silent, psycopg wakes it ten times a second with nothing ready."""
    ready = None
    while True:
        try:
            wanted = gen.send(ready)
        except StopIteration as end:
            result: _Result = end.value
            return result
        ready = yield wanted
        if not ready and time.monotonic() > deadline:
            raise QueryCanceled("the server did not answer in time")
