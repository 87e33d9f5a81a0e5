"""How many statements a refresh takes, and one statement over tables of the application's own."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from peewee import Database

from domain.model.actors import THE_OPERATOR
from domain.model.claims import Claims
from domain.model.errors import KeyNotProvenError
from domain.model.proofs import ProvenKey
from domain.model.tokens import new_id
from domain.model.users import User
from domain.use_cases.service import Service
from domain.use_cases.start_session import SessionTerms
from entrypoints.bootstrap import build
from entrypoints.settings import load_settings
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.builders import KEY as THUMBPRINT
from tests.builders import held, new_session, next_rotation
from tests.peewee.conftest import MigratedUrl
from tests.peewee.engines import Engines

_Result = TypeVar("_Result")
UUID_KEY = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
KEY = "kD8vQ2mX7pL1sT4wZ9bN6cR3yH5jF0gA-eU"


class Statements:
    """Keeps the first word of every statement that is sent to any database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[str] = []
        self.databases: set[Database] = set()
        real: Callable[..., Any] = Database.execute_sql

        def execute_sql(database: Database, sql: str, parameters: Any = None) -> Any:
            self.words.append(sql.split(maxsplit=1)[0])
            self.databases.add(database)
            return real(database, sql, parameters)

        monkeypatch.setattr(Database, "execute_sql", execute_sql)

    def of(self, call: Callable[[], _Result]) -> tuple[list[str], _Result]:
        self.words.clear()
        result = call()
        return list(self.words), result


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[Statements]:
    statements = Statements(monkeypatch)
    yield statements
    for database in statements.databases:
        database.close()


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ("sqlite", ["UPDATE"]),
        ("postgres", ["UPDATE"]),
        ("sqlite+postgres", ["SELECT", "UPDATE"]),
        ("postgres+sqlite", ["SELECT", "UPDATE"]),
    ],
)
def test_a_refresh_takes_one_statement_where_users_share_the_database(
    migrated_url_of: MigratedUrl,
    engines: Engines,
    statements: Statements,
    places: str,
    expected: list[str],
) -> None:
    """As the composition root wires it, and two elsewhere, bound or not. All else, which is rare, reads first."""
    sessions, _, users = places.partition("+")
    environment = {
        "NUOVO_SECRET_KEY": KEY,
        "NUOVO_DATABASE_URL": migrated_url_of(sessions),
        "NUOVO_REPLAY_GRACE": "0",
    }
    if users:
        environment["NUOVO_USERS_DATABASE_URL"] = migrated_url_of(users)

    def service(**settings: str) -> Service:
        return build(load_settings(environment | settings)).operations.service

    users_url = environment["NUOVO_USERS_DATABASE_URL" if users else "NUOVO_DATABASE_URL"]
    PeeweeUserDirectory(engines.open(users_url)).put(User(id="ada"))
    eager = service()
    first = eager.start("ada", SessionTerms(claims={"amr": ["pwd"]}), by=THE_OPERATOR)
    second = eager.refresh(str(first.refresh_token))  # which has learnt what the table of users is like

    took, third = statements.of(lambda: eager.refresh(str(second.refresh_token)))
    assert took == expected

    proven = ProvenKey(thumbprint=THUMBPRINT)
    bound = eager.start("ada", SessionTerms(key_thumbprint=THUMBPRINT), by=THE_OPERATOR)
    took, _ = statements.of(lambda: eager.refresh(str(bound.refresh_token), proven))
    assert took == expected
    presence = ProvenKey(thumbprint=THUMBPRINT, session_id=first.session_id)
    offering = service(NUOVO_DEVICE_BINDING="offer")
    offering.refresh(str(eager.start("ada", SessionTerms(), by=THE_OPERATOR).refresh_token))
    took, third = statements.of(lambda: offering.refresh(str(third.refresh_token), presence))
    assert took == expected  # which binds the session
    took, third = statements.of(lambda: offering.refresh(str(third.refresh_token), presence))
    assert took == expected
    with pytest.raises(KeyNotProvenError):
        offering.refresh(str(third.refresh_token))

    for other, in_addition in (
        (service(NUOVO_REPLAY_GRACE="300"), expected),  # a repeat: the statement finds no row that is not young
        (service(NUOVO_ROTATION="false"), []),
    ):
        other.refresh(str(third.refresh_token), presence)
        took, _ = statements.of(lambda other=other: other.refresh(str(third.refresh_token), presence))  # type: ignore[misc]
        assert took == [*in_addition, "SELECT", "SELECT"]


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
    """The user's row says in the same statement who they are, whether they are active, and what else tokens say."""
    table = f"customers_{new_id().replace('-', '_')}"
    engine.peewee.execute_sql(f"CREATE TABLE \"{table}\" ({columns}, role TEXT DEFAULT 'admin')")
    engine.peewee.execute_sql(f"INSERT INTO \"{table}\" (id) VALUES ('{key}')")  # noqa: S608  the test's own values
    sessions = PeeweeSessions(engine)
    users = PeeweeUsers(engine, UsersTable(name=table, claims=(("role", "role"),)))
    rotations = PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions))

    def refresh(user_id: str) -> Claims | None:
        """Rotate a new session, and see that a step which was not taken has left no trace."""
        session = new_session(user_id, claims={"amr": ["pwd"], "role": "of the session"})
        sessions.start(session)
        claims = rotations.rotate(next_rotation(session))
        assert (held(sessions, session.token) == session) is (claims is None)
        return claims

    try:
        assert refresh(key) == {"amr": ["pwd"], "role": "admin"}
        assert [refresh(user_id) for user_id in others] == [None] * len(others)
        engine.peewee.execute_sql(f'UPDATE "{table}" SET role = NULL')  # noqa: S608  the test's own values
        assert refresh(key) == {"amr": ["pwd"], "role": "of the session"}
        if "active" in columns:
            engine.peewee.execute_sql(f'UPDATE "{table}" SET active = NULL')  # noqa: S608  the test's own values
            assert refresh(key) is None
    finally:
        engine.peewee.execute_sql(f'DROP TABLE "{table}"')
