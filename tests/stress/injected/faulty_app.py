"""The service's own application with faults wrapped round it: `gunicorn faulty_app:app`, with this folder on the path.

The file that FAULTS_FILE names tells what is to go wrong: lines of `what how-often`. Whoever takes one counts it down,
under a lock, so that a fault strikes as often as it was asked for, whichever process it meets.
"""

import fcntl
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from entrypoints.wsgi import app as sound_app
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.postgres import PostgresEngine
from infrastructure.peewee.statement import Statement

_FAULTS = Path(os.environ["FAULTS_FILE"])


def _strikes(what: str) -> bool:
    """Tell whether a fault was asked for, and take it."""
    with _FAULTS.open("r+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        faults = {name: int(count) for name, count in (line.split() for line in file)}
        if not faults.get(what):
            return False
        faults[what] -= 1
        file.seek(0)
        file.truncate()
        file.writelines(f"{name} {count}\n" for name, count in faults.items())
    return True


def _die_at(point: str) -> None:
    if _strikes(point):
        os.kill(os.getpid(), signal.SIGKILL)


def _is_rotation(statement: Statement) -> bool:
    return statement.sql.startswith("UPDATE") and "parent_generation" in statement.sql


_sound_write = Engine.write_returning


def _write(engine: Engine, statement: Statement, values: Any) -> Any:
    if not _is_rotation(statement):
        return _sound_write(engine, statement, values)
    _die_at("before_statement")
    rows = _sound_write(engine, statement, values)
    _die_at("after_statement")
    return rows


Engine.write_returning = _write  # type: ignore[method-assign,assignment]

_sound_attempt = Engine.attempt


def _attempt(engine: Engine, work: Callable[[], Any]) -> Any:
    """Let the server itself fail the statement, in its own words, before or after the statement has run."""

    def troubled() -> Any:
        for state in ("40001", "40P01"):
            if isinstance(engine, PostgresEngine) and _strikes(state):
                engine.peewee.execute_sql(f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$")
        return work()

    return _sound_attempt(engine, troubled)


Engine.attempt = _attempt  # type: ignore[method-assign,assignment]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as the service does, and die on the way if that is asked for."""
    body = b"".join(sound_app(environ, start_response))
    return _dying(body) if environ["PATH_INFO"] == "/refresh_token" else [body]


def _dying(body: bytes) -> Iterator[bytes]:
    _die_at("before_first_byte")
    half = len(body) // 2
    yield body[:half]
    _die_at("half_of_the_answer")
    yield body[half:]
