"""What every store of sessions promises about a step for a user who must be active, wherever the users are kept."""

from dataclasses import dataclass

import pytest

from domain.model.sessions import RevocationReason
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from ports.sessions import Sessions
from ports.user_directory import UserDirectory
from ports.users import Users
from tests.builders import new_session, next_step, restoring_step
from tests.peewee.conftest import MigratedUrl
from tests.peewee.engines import Engines
from tests.race import Race, Turn
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions
from tests.fakes.users import FakeUsers

ADA = User(id="ada")
UUID_KEY = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"


@dataclass
class Stores:
    sessions: Sessions
    users: Users
    directory: UserDirectory


@pytest.fixture(params=["fake", "sqlite", "postgres", "sqlite+postgres", "postgres+sqlite", "sqlite+fake"])
def stores(request: pytest.FixtureRequest, migrated_url_of: MigratedUrl, engines: Engines) -> Stores:
    """Return sessions and users of each kind, in one database or in two; `ada` is a user."""
    of_sessions, _, of_users = request.param.partition("+")
    engine = None if of_sessions == "fake" else engines.open(migrated_url_of(of_sessions))
    sessions = FakeSessions() if engine is None else PeeweeSessions(engine)
    if "fake" in (of_sessions, of_users):
        users = FakeUsers(ADA)
        return Stores(sessions, users, users)
    users_engine = engines.open(migrated_url_of(of_users)) if of_users else engine
    assert users_engine is not None
    stores = Stores(sessions, PeeweeUsers(users_engine, UsersTable()), PeeweeUserDirectory(users_engine))
    stores.directory.put(ADA)
    return stores


def test_the_step_of_an_active_user_is_taken_once(stores: Stores) -> None:
    session = new_session("ada")
    stores.sessions.start(session)
    step = next_step(session)

    assert stores.sessions.advance_if_active(step, stores.users)
    assert not stores.sessions.advance_if_active(step, stores.users)

    assert stores.sessions.get(session.id, "ada").session == session.rotated(step)


def test_the_step_of_anybody_else_is_not_taken(stores: Stores) -> None:
    """Unknown, switched off, removed: the moment that the application says so."""
    for user_id in ("eve", "ada"):
        session = new_session(user_id)
        stores.sessions.start(session)
        if user_id == "ada":
            stores.directory.put(User(id="ada", active=False))

        assert not stores.sessions.advance_if_active(next_step(session), stores.users)
        stores.directory.remove(user_id)
        assert not stores.sessions.advance_if_active(next_step(session), stores.users)
        assert stores.sessions.get(session.id, user_id).session == session

        stores.directory.put(User(id=user_id))
        assert stores.sessions.advance_if_active(next_step(session), stores.users)


def test_no_step_of_a_session_that_is_over_is_taken(stores: Stores) -> None:
    revoked, cut_off = new_session("ada"), new_session("ada")
    for session in (revoked, cut_off):
        stores.sessions.start(session)
    stores.sessions.revoke(revoked.current_token(), at=START, reason=RevocationReason.LOGOUT)
    assert not stores.sessions.advance_if_active(next_step(revoked), stores.users)

    stores.sessions.end_all("ada", at=START)
    assert not stores.sessions.advance_if_active(next_step(cut_off), stores.users)


def test_a_lost_session_comes_back_only_for_an_active_user(stores: Stores) -> None:
    of_ada, of_eve = new_session("ada"), new_session("eve")

    assert stores.sessions.advance_if_active(restoring_step(of_ada.current_token()), stores.users)
    assert not stores.sessions.advance_if_active(restoring_step(of_eve.current_token()), stores.users)
    assert stores.sessions.get(of_eve.id, "eve").session is None


def test_one_of_many_takes_the_step_of_an_active_user(stores: Stores, race: Race) -> None:
    session = new_session("ada")
    stores.sessions.start(session)

    def get_then_advance(turn: Turn) -> bool:
        held = stores.sessions.get(session.id, "ada").session
        assert held is not None
        turn.wait_for_all()
        won = stores.sessions.advance_if_active(next_step(held), stores.users)
        turn.wait_for_all()
        return won

    assert [results.count(True) for results in race.run(get_then_advance, rounds=5)] == [1] * 5


@pytest.mark.parametrize(
    ("columns", "key", "others"),
    [
        ("id INTEGER PRIMARY KEY", "7", ["8", "07", "ada", "9" * 40]),
        ("id BIGINT PRIMARY KEY, active BOOLEAN DEFAULT TRUE", "7", ["8", "7.0"]),
        ("id UUID PRIMARY KEY, active INTEGER DEFAULT 1", UUID_KEY, [UUID_KEY.upper(), "7"]),
        ("id TEXT UNIQUE, active SMALLINT DEFAULT 1", "ada", ["Ada"]),
        ("id VARCHAR(20) PRIMARY KEY", "ada", ["Ada"]),
    ],
)
def test_a_table_of_the_applications_own(engine: Engine, columns: str, key: str, others: list[str]) -> None:
    """Where a store is not sure of the user it may leave the step to those who ask one thing after the other."""
    table = f"customers_{new_session().id.replace('-', '_')}"
    engine.peewee.execute_sql(f'CREATE TABLE "{table}" ({columns})')
    engine.peewee.execute_sql(f"INSERT INTO \"{table}\" (id) VALUES ('{key}')")  # noqa: S608  the test's own values
    sessions, users = PeeweeSessions(engine), PeeweeUsers(engine, UsersTable(name=table))
    try:
        for user_id in (key, *others):
            session = new_session(user_id)
            sessions.start(session)
            is_taken = sessions.advance_if_active(next_step(session), users)

            assert (users.find(user_id) == User(id=user_id)) is (user_id == key)
            if user_id == key:
                assert is_taken or sessions.advance(next_step(session))
            else:
                assert not is_taken
                assert sessions.get(session.id, user_id).session == session

        if "active" in columns:
            engine.peewee.execute_sql(f'UPDATE "{table}" SET active = NULL')  # noqa: S608  the test's own values
            session = new_session(key)
            sessions.start(session)
            assert not sessions.advance_if_active(next_step(session), users)
    finally:
        engine.peewee.execute_sql(f'DROP TABLE "{table}"')
