"""Statements that fail for a moment are run again, a few times, without harm."""

from collections.abc import Callable
from typing import Any

import peewee
import psycopg
import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.sessions import RevocationReason, Session
from infrastructure.peewee.engine import MAX_CONFLICT_RETRIES, Engine
from infrastructure.peewee.sessions import PeeweeSessions
from ports.sessions import Sessions
from tests.builders import held, new_session, next_rotation, restoring_rotation
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions
from tests.peewee.conftest import MigratedUrl
from tests.peewee.engines import Engines
from tests.peewee.methods import METHODS
from tests.race import Race, Turn

LOGOUT = RevocationReason.LOGOUT
CONFLICTS = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
DEAD_CONNECTIONS = (
    psycopg.OperationalError,
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.ConnectionFailure,
    psycopg.errors.ReadOnlySqlTransaction,
)
NOT_WORTH_REPEATING = (
    psycopg.errors.DiskFull,
    psycopg.errors.OutOfMemory,
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.DataCorrupted,
)

Execute = Callable[..., Any]


class Injection:
    """Makes the first statements of an engine fail, and counts all of them."""

    def __init__(self, engine: Engine, error: type[psycopg.Error], *, times: int) -> None:
        self.statements = 0
        self._real: Execute = engine.peewee.execute_sql
        self._error = error
        self._times = times

    def __call__(self, sql: str, parameters: Any = None) -> Any:
        self.statements += 1
        if self.statements <= self._times:
            raise peewee.OperationalError(self._error("injected"))
        return self._real(sql, parameters)


class AnswerLost(Injection):
    """Lets the first statement do its work, and loses the answer."""

    def __call__(self, sql: str, parameters: Any = None) -> Any:
        answer = self._real(sql, parameters)
        self.statements += 1
        if self.statements <= self._times:
            if answer.description:
                answer.fetchall()  # SQLite has done a statement when its last row is read
            raise peewee.OperationalError(self._error("injected"))
        return answer


@pytest.fixture
def postgres(migrated_url_of: MigratedUrl, engines: Engines) -> Engine:
    return engines.open(migrated_url_of("postgres"))


@pytest.mark.parametrize("error", CONFLICTS)
@pytest.mark.parametrize("times", range(1, MAX_CONFLICT_RETRIES + 1))
def test_lost_conflict_is_tried_again(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error], times: int
) -> None:
    store, session = PeeweeSessions(postgres), new_session()
    store.start(session)
    injection = Injection(postgres, error, times=times)
    monkeypatch.setattr(postgres.peewee, "execute_sql", injection)

    assert store.rotate(next_rotation(session)) is not None

    assert injection.statements == times + 1
    assert held(store, session.token) == session.rotated(next_rotation(session))


@pytest.mark.parametrize("error", CONFLICTS)
def test_conflict_is_given_up_after_three_more_attempts(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    """Whatever the method; and the next call of each works."""
    for name, method in METHODS.items():
        injection = Injection(postgres, error, times=100)
        with monkeypatch.context() as patch:
            patch.setattr(postgres.peewee, "execute_sql", injection)
            with pytest.raises(StoreUnavailableError):
                method(postgres)

        assert injection.statements == 1 + MAX_CONFLICT_RETRIES == 4, name
        method(postgres)


@pytest.mark.parametrize("error", DEAD_CONNECTIONS)
def test_dead_connection_is_replaced_once(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    store, session = PeeweeSessions(postgres), new_session()
    for times, statements in ((1, 2), (2, 2)):
        injection = Injection(postgres, error, times=times)
        with monkeypatch.context() as patch:
            patch.setattr(postgres.peewee, "execute_sql", injection)
            if times == 1:
                store.start(session)
            else:
                with pytest.raises(StoreUnavailableError):
                    store.start(session)

        assert injection.statements == statements
    assert held(store, session.token) == session


@pytest.mark.parametrize("error", NOT_WORTH_REPEATING)
def test_other_failures_are_reported_at_once(
    postgres: Engine, monkeypatch: pytest.MonkeyPatch, error: type[psycopg.Error]
) -> None:
    injection = Injection(postgres, error, times=100)
    with monkeypatch.context() as patch:
        patch.setattr(postgres.peewee, "execute_sql", injection)
        with pytest.raises(StoreUnavailableError):
            PeeweeSessions(postgres).start(new_session())

    assert injection.statements == 1
    PeeweeSessions(postgres).start(new_session())


def test_one_of_many_rotates_a_session_where_conflicts_are_errors(
    migrated_url_of: MigratedUrl, engines: Engines, race: Race
) -> None:
    """A server set to REPEATABLE READ raises a serialization failure at each of the losers."""
    url = migrated_url_of("postgres")
    store = PeeweeSessions(engines.open(f"{url}?options=-c%20default_transaction_isolation%3Drepeatable%5C%20read"))
    session = new_session()
    store.start(session)

    def get_then_rotate(turn: Turn) -> bool:
        now_held = held(store, session.token)
        assert now_held is not None
        turn.wait_for_all()
        has_won = store.rotate(next_rotation(now_held)) is not None
        turn.wait_for_all()
        return has_won

    assert [results.count(True) for results in race.run(get_then_rotate, rounds=12)] == [1] * 12


REPEATED: dict[str, Callable[[Sessions, Session], object]] = {
    "start": lambda store, session: store.start(session),
    "rotate": lambda store, session: store.rotate(next_rotation(session)),
    "rotate nothing": lambda store, session: store.rotate(restoring_rotation(session.token)),
    "revoke": lambda store, session: store.revoke(session.token, at=START + 5, reason=LOGOUT),
    "end": lambda store, session: store.end(
        session.token.user_id, session.token.session_id, at=START + 5, reason=LOGOUT
    ),
    "end_all": lambda store, session: store.end_all(session.token.user_id, at=START + 5),
    "end the others": lambda store, session: store.end_all(
        session.token.user_id, at=START + 5, spare=session.token.session_id
    ),
    "purge": lambda store, session: list(store.purge(until=session.token.ends_at)),
}


@pytest.mark.parametrize("has_row", [True, False])
@pytest.mark.parametrize("name", REPEATED)
def test_a_write_whose_answer_was_lost_is_repeated_without_harm(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, has_row: bool
) -> None:
    """The engine repeats it where it knows of a dead connection; elsewhere the caller does, after the error."""
    session, once, store = new_session(), FakeSessions(), PeeweeSessions(engine)
    for each in (once, store):
        if has_row:
            each.start(session)
        list(each.purge(until=START))
    REPEATED[name](once, session)

    with monkeypatch.context() as patch:
        patch.setattr(engine.peewee, "execute_sql", AnswerLost(engine, psycopg.OperationalError, times=1))
        try:
            REPEATED[name](store, session)
        except StoreUnavailableError:
            REPEATED[name](store, session)
    REPEATED[name](store, session)

    key = session.token.user_id, session.token.session_id
    assert store.get(*key) == once.get(*key)
