"""Every way in which a database cannot be used is told in the words of its cause, and never with a secret."""

import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from domain.model.errors import StoreUnavailableError
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.schema import Schema
from tests.peewee.engines import Engines, administer, url_of_database

SECRET = "hunter2hunter2"


def words_of(engine: Engine, sql: str = "SELECT 1") -> str:
    """Return what is said when a statement fails."""
    with pytest.raises(StoreUnavailableError) as caught:
        engine.attempt(lambda: engine.peewee.execute_sql(sql))
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("postgres@no_such?", "there is no such database"),
        ("no_such@postgres?", "there is no such role"),
        ("{}_full@postgres?", "the server has too many connections"),
        ("{}_group@postgres?", "the server does not let this role in"),
        ("postgres@{}?", "the database accepts no connections now"),
        ("postgres@postgres?sslmode=require", "the server and this service do not agree on TLS"),
        ("postgres@postgres?target_session_attrs=standby", "no server there is of the kind that is asked for"),
        ("postgres@postgres?host=/no/such/folder", "there is no such socket"),
        ("postgres@postgres?host=no-such-host.invalid", "there is no such host"),
        ("postgres@postgres?options=-c%20no_such%3D1", "the server knows no such option of the URL"),
    ],
)
def test_a_server_that_cannot_be_used(postgres_url: str, engines: Engines, where: str, words: str) -> None:
    name = f"words_{uuid.uuid4().hex}"
    administer(postgres_url, f"CREATE ROLE {name}_full LOGIN CONNECTION LIMIT 0; CREATE ROLE {name}_group")
    administer(postgres_url, f"CREATE DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        role, _, rest = where.replace("{}", name).partition("@")
        database, _, parameters = rest.partition("?")
        scheme, _, own = url_of_database(postgres_url, database).partition("://")
        url = f"{scheme}://{role}:{SECRET}@{own.rpartition('@')[2]}"
        assert words_of(engines.open(f"{url}{'&' if '?' in url else '?'}{parameters}")) == words
    finally:
        administer(postgres_url, f"DROP DATABASE {name}")
        administer(postgres_url, f"DROP ROLE {name}_full; DROP ROLE {name}_group")


def test_a_port_where_nothing_listens(engines: Engines) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"postgresql://nuovo:{SECRET}@127.0.0.1:{deaf.getsockname()[1]}/nuovo"
        assert words_of(engines.open(url)) == "the server refuses connections: nothing listens there"


@contextmanager
def server_that_says(message: str) -> Iterator[int]:
    """Stand in for a PostgreSQL that ends every connection with a message; yield its port."""
    fields = f"SFATAL\0VFATAL\0C57P03\0M{message}\0\0".encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for _ in range(8):
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(8, socket.MSG_WAITALL) == b"\0\0\0\x08\x04\xd2\x16\x2f":  # asks for TLS
                        connection.sendall(b"N")
                    connection.recv(1024)
                    connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
                    connection.shutdown(socket.SHUT_WR)
                    connection.settimeout(5)
                    with suppress(OSError):
                        connection.recv(1024)  # until the client has read it and hangs up

        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("the database system is starting up", "the server is starting or stopping"),
        ("the database system is shutting down", "the server is starting or stopping"),
        ("the database system is in recovery mode", "the server is starting or stopping"),
        ('password authentication failed for user "nuovo"', "the password is wrong or missing"),
        ("sorry, too many clients already", "the server has too many connections"),
        ("no more connections allowed (max_client_conn)", "the server has too many connections"),
        ('no pg_hba.conf entry for host "::1", user "nuovo", SSL off', "the server does not let this role in"),
        ("Passwort-Authentifizierung für Benutzer »nuovo« fehlgeschlagen", "the connection fails: OperationalError"),
    ],
)
def test_a_server_that_turns_a_connection_away(engines: Engines, message: str, words: str) -> None:
    """One that speaks another language than English is told in general words."""
    with server_that_says(message) as port:
        engine = engines.open(f"postgresql://nuovo:{SECRET}@127.0.0.1:{port}/nuovo?gssencmode=disable")
        assert words_of(engine) == words


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM no_such", "a table is missing (42P01)"),
        ("SELECT no_such", "a column is missing (42703)"),
        ("SET transaction_read_only = on; CREATE TABLE t ()", "the database takes no writes: a standby, or read-only"),
        ("SET statement_timeout = 1; SELECT pg_sleep(9)", "the server took too long (57014)"),
        ("SET ROLE pg_monitor; CREATE ROLE x", "the role lacks a privilege (42501)"),
        ("SELECT 1 / 0", "a value cannot be computed or held (22012)"),
        ("SELECT '%d'", "the connection fails: ProgrammingError"),
        (f"DO $$ BEGIN RAISE EXCEPTION '{SECRET}'; END $$", "the server reports RaiseException (P0001)"),
    ],
)
def test_a_statement_that_postgresql_refuses(postgres_url: str, engines: Engines, sql: str, words: str) -> None:
    assert words_of(engines.open(postgres_url), sql).startswith(words)


def test_files_that_are_no_database(tmp_path: Path, engines: Engines) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_bytes(b"not a database at all" * 100)
    for name, words in (
        ("missing/nuovo.sqlite3", "there is no such folder for the file"),
        ("text/nuovo.sqlite3", "there is no such folder for the file"),
        ("folder", "the database is a folder, not a file"),
        ("text", "the file is not a SQLite database"),
        ("x" * 300, "this process may not create or open the file"),
    ):
        assert words_of(engines.open(f"sqlite:///{tmp_path}/{name}")) == words, name


def test_a_file_that_cannot_be_written(tmp_path: Path, engines: Engines) -> None:
    engine = engines.open(f"sqlite:///{tmp_path}/nuovo.sqlite3")
    Schema(engine).migrate()
    engine.peewee.execute_sql("PRAGMA query_only = 1")
    assert words_of(engine, "DELETE FROM nuovo_users") == "the file or its folder is read-only"

    other = sqlite3.connect(tmp_path / "nuovo.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    engine.peewee.execute_sql("PRAGMA busy_timeout = 0")
    assert words_of(engine, "DELETE FROM nuovo_users") == "the file was locked for too long"
    other.close()
    assert words_of(engine, "SELECT * FROM no_such") == "a table is missing"
