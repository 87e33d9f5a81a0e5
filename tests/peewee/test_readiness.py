"""Ready is what `/health/ready` says: that a refresh would be served now. Nothing that would be 503 is called ready."""

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.readiness import Readiness
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from tests.peewee.engines import Engines, administer
from tests.peewee.tables import found


@dataclass
class Stage:
    """Nuovo's tables in a database of their own, used by a role that has what it needs and no more."""

    owner: Engine
    engine: Engine
    role: str = ""

    def __post_init__(self) -> None:
        self.users = PeeweeUsers(self.engine, UsersTable())
        self.readiness = Readiness(self.engine, Schema(self.engine), self.users)

    def spoil(self, *statements: str) -> None:
        for sql in statements:
            self.owner.peewee.execute_sql(sql.replace("{}", self.role))

    def refresh(self) -> None:
        """Sign in and refresh. Raises `StoreUnavailableError` where that would be 503."""
        assert found(self.users, "ada") == User(id="ada")


def staged(owner: Engine, engine: Engine, role: str = "") -> Stage:
    Schema(owner).migrate()
    PeeweeUserDirectory(owner).put(User(id="ada"))
    return Stage(owner, engine, role)


@pytest.fixture
def postgres_stage(database_url: str, engines: Engines) -> Iterator[Stage]:
    url = database_url
    role = f"nuovo_{uuid.uuid4().hex}"
    owner = engines.open(url)
    stage = staged(owner, engines.open(f"{url}{'&' if '?' in url else '?'}options=-c%20role%3D{role}"), role)
    administer(url, f"CREATE ROLE {role}")
    stage.spoil(
        "GRANT SELECT, INSERT, UPDATE ON nuovo_sessions, nuovo_cut_offs TO {}",
        "GRANT SELECT ON nuovo_purges, nuovo_users, nuovo_migrations TO {}",
    )
    yield stage
    stage.engine.drop_connection()
    stage.spoil("DROP OWNED BY {}", "DROP ROLE {}")
    owner.drop_connection()


def assert_ready_is_true(stage: Stage, *spoil: str) -> None:
    """See that the service is ready and refreshes before, and neither after."""
    stage.readiness.require()
    stage.refresh()
    stage.spoil(*spoil)
    stage.engine.drop_connection()
    for ask in (stage.refresh, stage.readiness.require):
        with pytest.raises(StoreUnavailableError):
            ask()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "spoil",
    [
        "REVOKE UPDATE ON nuovo_sessions FROM {}",
        "REVOKE INSERT ON nuovo_sessions FROM {}",
        "REVOKE SELECT ON nuovo_sessions FROM {}",
        "REVOKE SELECT ON nuovo_cut_offs FROM {}",
        "REVOKE SELECT ON nuovo_users FROM {}",
        "ALTER TABLE nuovo_sessions RENAME TO s",
        "ALTER TABLE nuovo_cut_offs RENAME TO s",
        "ALTER TABLE nuovo_users RENAME TO s",
        "ALTER TABLE nuovo_sessions RENAME COLUMN generation TO g",
        "ALTER TABLE nuovo_users RENAME COLUMN id TO i",
        "ALTER TABLE nuovo_users ALTER COLUMN active DROP DEFAULT, ALTER COLUMN active TYPE TEXT",
        "REVOKE USAGE ON SCHEMA public FROM PUBLIC",
        "ALTER ROLE {} SET search_path = nowhere; ALTER TABLE nuovo_sessions SET SCHEMA information_schema",
    ],
)
def test_postgresql_is_ready_only_if_it_serves(postgres_stage: Stage, spoil: str) -> None:
    assert_ready_is_true(postgres_stage, spoil)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    "spoil",
    [
        "REVOKE INSERT ON nuovo_cut_offs FROM {}",
        "REVOKE UPDATE ON nuovo_cut_offs FROM {}",
        "REVOKE SELECT ON nuovo_purges FROM {}",
        "REVOKE SELECT ON nuovo_migrations FROM {}",
        "DELETE FROM nuovo_migrations",
    ],
)
def test_what_a_refresh_does_not_need_but_an_ending_or_a_lost_row_does(postgres_stage: Stage, spoil: str) -> None:
    postgres_stage.readiness.require()
    postgres_stage.spoil(spoil)
    with pytest.raises(StoreUnavailableError):
        postgres_stage.readiness.require()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_server_that_takes_no_writes(postgres_stage: Stage) -> None:
    """A standby, or a primary that was made read-only: it serves again as soon as it is neither."""
    (name,) = postgres_stage.owner.peewee.execute_sql("SELECT current_database()").fetchone()
    assert_ready_is_true(postgres_stage, f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    with pytest.raises(StoreUnavailableError, match="the database takes no writes"):
        postgres_stage.readiness.require()
    postgres_stage.spoil(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    postgres_stage.readiness.require()
    postgres_stage.refresh()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_role_that_may_not_delete_is_ready_and_cannot_purge(postgres_stage: Stage) -> None:
    said = " ".join(postgres_stage.readiness.describe())
    assert "nuovo purge cannot do its work: the role lacks a privilege (42501). Its role needs DELETE, too." in said

    postgres_stage.spoil(
        "GRANT DELETE ON nuovo_sessions, nuovo_cut_offs TO {}", "GRANT INSERT, UPDATE ON nuovo_purges TO {}"
    )
    assert "purge" not in " ".join(postgres_stage.readiness.describe())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "spoil",
    [
        "ALTER TABLE nuovo_sessions RENAME TO s",
        "ALTER TABLE nuovo_cut_offs RENAME TO s",
        "ALTER TABLE nuovo_users RENAME TO s",
        "ALTER TABLE nuovo_sessions RENAME COLUMN generation TO g",
    ],
)
def test_sqlite_is_ready_only_if_it_serves(database_url: str, engines: Engines, spoil: str) -> None:
    engine = engines.open(database_url)
    assert_ready_is_true(staged(engine, engine), spoil)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_that_takes_no_writes(database_url: str, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infrastructure.peewee.sqlite.LOCK_BUDGET", 0.1)
    engine = engines.open(database_url)
    stage = staged(engine, engine)
    stage.refresh()
    engine.peewee.execute_sql("PRAGMA query_only = 1")
    with pytest.raises(StoreUnavailableError, match="the file or its folder is read-only"):
        stage.readiness.require()

    engine.drop_connection()
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked for too long"):
        stage.readiness.require()
    other.close()
    stage.readiness.require()


def test_asking_changes_nothing_and_costs_little(database_url: str, engines: Engines) -> None:
    """Balancers ask every few seconds. It took 0.3 ms on SQLite and 1.6 ms on PostgreSQL."""
    engine = engines.open(database_url)
    stage = staged(engine, engine)
    stage.refresh()
    before = state(engine)
    statements: list[object] = []
    engine.peewee.query_hooks.append(statements.append)
    stage.readiness.require()
    assert len(statements) < 12
    assert state(engine) == before


def state(engine: Engine) -> object:
    """Return what changes with any row: on SQLite a version of the file, on PostgreSQL the rows' own."""
    if engine.peewee.param == "?":
        return engine.peewee.execute_sql("PRAGMA data_version").fetchone()
    tables = ("nuovo_sessions", "nuovo_cut_offs", "nuovo_purges", "nuovo_users")
    return [engine.peewee.execute_sql(f"SELECT ctid::text, xmin::text FROM {name}").fetchall() for name in tables]  # noqa: S608
