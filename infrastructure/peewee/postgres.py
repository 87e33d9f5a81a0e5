"""PostgreSQL: one server or several, reached directly or through a pooler such as PgBouncer."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from peewee import SQL, Case, PeeweeException, PostgresqlDatabase, fn
from psycopg import OperationalError, ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from infrastructure.peewee.engine import LOCK_BUDGET, Engine, Trouble
from infrastructure.peewee.impatient import ImpatientAdapter, ImpatientConnection
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.tables import Expression

_DEFAULTS: dict[str, Any] = {"connect_timeout": 3, "application_name": "nuovo"}
_DURABLE = "replace(current_setting('synchronous_commit'), 'off', 'on')"
"""The server's own durability, unless it is none at all."""

_SERIALIZATION_FAILURES = ("40001", "40P01")
_GONE_SERVER_STATES = ("57P01", "57P02", "57P03", "57P05", "25006")
"""Shut down, crashed, starting, tired of an idle session, and read-only: a primary that has become a standby."""

_WORDS = {
    "22": "a value cannot be computed or held",
    "22021": "the database holds text that is not UTF-8",
    "22P05": "the database, made without ENCODING 'UTF8', cannot hold this",
    "23": "a constraint of a table refuses it",
    "25006": "the database takes no writes: a standby, or read-only by its settings",
    "28": "the server does not let this role in",
    "40": "lost to concurrent transactions each time",
    "42501": "the role lacks a privilege",
    "42703": "a column is missing",
    "3F000": "no schema of the search path is there",
    "42P01": "a table is missing",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has too many connections",
    "55P03": "a lock was not given back in time",
    "57014": "the server took too long",
    "57P01": "the server is stopping",
    "57P02": "the server has crashed",
    "57P03": "the server is starting or stopping",
}
"""What a state of the server means, by the state or its class."""
_WORDS_OF_A_FAILED_CONNECTION = {
    r"password authentication failed|no password supplied|fe_sendauth": "the password is wrong or missing",
    r'database ".*" does not exist': "there is no such database",
    r'role ".*" does not exist|no such user': "there is no such role",
    r"no pg_hba\.conf entry|is not permitted to log in|authentication failed": _WORDS["28"],
    r"too many (clients|connections)|no more connections|remaining connection slots": _WORDS["53300"],
    r"starting up|shutting down|in recovery mode": _WORDS["57P03"],
    r"not (currently )?accepting connections": "the database accepts no connections now",
    r"session is (not )?read-only|server is (not )?in hot standby": "no server there is of the kind that is asked for",
    r"unrecognized configuration parameter|unsupported startup parameter": "the server knows no such option of the URL",
    r"SSL|certificate": "the server and this service do not agree on TLS",
    r"failed to resolve|could not translate": "there is no such host",
    r"[Cc]onnection refused": "the server refuses connections: nothing listens there",
    r"No such file or directory": "there is no such socket",
    r"timeout expired|timed out": "the server does not answer in time",
    r"unreachable": "there is no way to the host",
}
"""libpq has no states for these. A server that speaks another language than English gets the general words."""

_Result = TypeVar("_Result")


class PostgresEngine(Engine):
    """Statements on connections of which nothing is asked that a pooler might forget."""

    exact_collation = '"C"'

    def __init__(self, url: str, *, sync_every_write: bool) -> None:
        """Take a libpq URL. With `sync_every_write` a rotation, too, waits for the disk and the standby.

        Raises `ValueError` if libpq does not understand the URL.
        """
        try:
            given = conninfo_to_dict(url)
        except ProgrammingError:
            raise ValueError from None
        missing = {name: value for name, value in _DEFAULTS.items() if name not in given}
        self._sync_every_write = sync_every_write
        # Names and values are text whatever encoding the cluster was made with.
        super().__init__(_Postgres(url, prefer_psycopg3=True, client_encoding="UTF8", **missing))

    def write_to_disk(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """As `write`: a connection of one's own waits for the disk unless the statement says otherwise."""
        parameters = statement.bind(values)
        return self.attempt(lambda: int(self._durably(statement.sql, parameters).rowcount))

    def off_disk_condition(self) -> Expression | None:
        """Return the condition that makes this one transaction commit asynchronously."""
        if self._sync_every_write:
            return None
        return fn.set_config("synchronous_commit", "off", True) == "off"

    def fence(self) -> Expression | None:
        """Return a condition that writes to the log, so that its commit waits for the synchronous standby.

        A primary that was replaced and does not know it has none any more: whoever looks there is not answered.
        """
        if not self._sync_every_write:
            return None
        is_alone = fn.current_setting("synchronous_standby_names") == ""
        return Case(None, [(is_alone, SQL("TRUE"))], fn.pg_logical_emit_message(True, "nuovo", "").is_null(False))

    def remarks(self) -> Iterator[str]:
        """Yield what differs from a server of one's own in UTF-8."""
        encoding = self.attempt(lambda: self.peewee.connection().info.parameter_status("server_encoding"))
        if encoding != "UTF8":
            yield f"The database's encoding is {encoding}; one made with ENCODING 'UTF8' holds every name."
        if self.peewee.connection().is_pooled:
            yield "A pooler stands before the database: statements are not prepared, which takes a little longer."

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold a transaction that waits for others as long as it takes."""
        try:
            with self.peewee.atomic(isolation_level="READ COMMITTED"):
                self.peewee.execute_sql("SET LOCAL statement_timeout = 0")
                self.peewee.connection().patience = None
                yield
        finally:
            self.drop_connection()

    def _change(self, statement: Statement, values: Mapping[str, Any], result: Callable[[Any], _Result]) -> _Result:
        if not self._sync_every_write:
            return super()._change(statement, values, result)
        parameters = statement.bind(values)
        return self.attempt(lambda: result(self._durably(statement.sql, parameters)))

    def _durably(self, sql: str, parameters: list[Any]) -> Any:
        """Run a statement whose commit waits. Behind a pooler it says so itself, in a transaction around it."""
        if not self.peewee.connection().is_pooled:
            return self.peewee.execute_sql(sql, parameters)
        self.peewee.execute_sql("BEGIN")
        try:
            self.peewee.execute_sql(f"SELECT set_config('synchronous_commit', {_DURABLE}, true)")
            cursor = self.peewee.execute_sql(sql, parameters)
            self.peewee.execute_sql("COMMIT")
        except PeeweeException:
            with suppress(PeeweeException):
                self.peewee.execute_sql("ROLLBACK")
            raise
        return cursor

    def _trouble(self, error: Exception) -> Trouble:
        state = getattr(error, "sqlstate", None)
        if state in _SERIALIZATION_FAILURES:
            return Trouble.CONFLICT
        if state is None:  # nothing that the server said
            return Trouble.DEAD_CONNECTION if isinstance(error, OperationalError) else Trouble.OTHER
        return Trouble.DEAD_CONNECTION if state[:2] == "08" or state in _GONE_SERVER_STATES else Trouble.OTHER

    def _in_words(self, error: Exception) -> str:
        state: str | None = getattr(error, "sqlstate", None)
        if state is not None:
            words = _WORDS.get(state) or _WORDS.get(state[:2]) or f"the server reports {type(error).__name__}"
            return f"{words} ({state})"
        # APPSEC: the text itself is never passed on: it holds hosts, roles and databases.
        found = [words for pattern, words in _WORDS_OF_A_FAILED_CONNECTION.items() if re.search(pattern, str(error))]
        return found[0] if found else f"the connection fails: {type(error).__name__}"


class _Postgres(PostgresqlDatabase):
    """Peewee's PostgreSQL with connections that are durable and never wait for ever."""

    psycopg3_adapter = ImpatientAdapter

    def _initialize_connection(self, conn: ImpatientConnection) -> None:
        """Set the limits of a connection of one's own.

        Behind a pooler each transaction may meet another server process, so nothing is set there, and nothing is
        prepared: another client's statement may bear the same name. A pooler is known by the process it claims to be.
        """
        answer = conn.execute(
            "SELECT CASE WHEN pg_backend_pid() = %s THEN"
            f" set_config('statement_timeout', %s, false) || set_config('synchronous_commit', {_DURABLE}, false)"
            " END IS NOT NULL",
            (conn.info.backend_pid, f"{LOCK_BUDGET}s"),
            prepare=False,
        ).fetchone()
        if answer != (True,):
            conn.is_pooled, conn.prepare_threshold = True, None
