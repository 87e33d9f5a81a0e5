"""Users in tables of the application's own."""

import uuid

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from tests.peewee.conftest import MigratedUrl
from tests.peewee.engines import Engines
from tests.peewee.tables import Application

ADA = User(id="ada")
UUID_KEY = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
LARGE_KEY = 2**63 - 1


@pytest.mark.parametrize("type_", ["INTEGER", "BIGINT", "SMALLINT", "INT"])
def test_integer_keys(application: Application, type_: str) -> None:
    """One spelling for each number: `7` is a user, `07` is nobody."""
    application.create(f"id {type_} PRIMARY KEY", "7", "-1", "0")
    users = application.users()

    assert [users.find(key) for key in ("7", "-1", "0")] == [User(id="7"), User(id="-1"), User(id="0")]
    for nobody in ("8", "07", "+7", " 7", "7 ", "7.0", "7e0", "0x7", "\u0667", "1_0", "-0", "--1", "", "ada", UUID_KEY):
        assert users.find(nobody) is None, nobody
    for too_large in (2**15, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**40):
        assert users.find(str(too_large)) is None
    assert users.find("9" * 5000) is None


def test_the_largest_integer_key(application: Application) -> None:
    application.create("id BIGINT PRIMARY KEY", str(LARGE_KEY))

    assert application.users().find(str(LARGE_KEY)) == User(id=str(LARGE_KEY))


def test_keys_that_the_database_counts_by_itself(application: Application) -> None:
    type_ = "INTEGER PRIMARY KEY AUTOINCREMENT" if application.is_sqlite else "BIGSERIAL PRIMARY KEY"
    application.create(f"id {type_}", "1")

    assert application.users().find("1") == User(id="1")


def test_uuid_keys(application: Application) -> None:
    """One spelling for each: the canonical one, in lower case with hyphens."""
    application.create("id UUID PRIMARY KEY", f"'{UUID_KEY}'")
    users = application.users()

    assert users.find(UUID_KEY) == User(id=UUID_KEY)
    for nobody in (
        str(uuid.uuid4()),
        UUID_KEY.upper(),
        UUID_KEY.replace("-", ""),
        f"{{{UUID_KEY}}}",
        f"urn:uuid:{UUID_KEY}",
        UUID_KEY[:-1],
        "7",
        "",
        "ada",
    ):
        assert users.find(nobody) is None, nobody


@pytest.mark.parametrize("type_", ["TEXT", "VARCHAR(40)"])
def test_text_keys(application: Application, type_: str) -> None:
    """A number is text, too."""
    application.create(f"id {type_} PRIMARY KEY", "'ada'", "'7'", f"'{UUID_KEY.upper()}'")
    users = application.users()

    for key in ("ada", "7", UUID_KEY.upper()):
        assert users.find(key) == User(id=key)
    for nobody in ("Ada", "07", UUID_KEY, "", "a" * 255):
        assert users.find(nobody) is None


@pytest.mark.parametrize("named", [None, "active"])
def test_a_column_called_active_counts_named_or_not(application: Application, named: str | None) -> None:
    application.create("id TEXT PRIMARY KEY, active BOOLEAN", "'ada', TRUE", "'bob', FALSE", "'eve', NULL")
    users = application.users(active_column=named)

    assert users.find("ada") == User(id="ada")
    assert users.find("bob") == User(id="bob", active=False)
    assert users.find("eve") == User(id="eve", active=False)


def test_an_active_column_of_another_name_counts_before_one_called_active(application: Application) -> None:
    application.create("id TEXT PRIMARY KEY, active BOOLEAN, may_sign_in INTEGER", "'ada', FALSE, 1", "'bob', TRUE, 0")
    users = application.users(active_column="may_sign_in")

    assert users.find("ada") == User(id="ada")
    assert users.find("bob") == User(id="bob", active=False)


def test_without_an_active_column_every_user_is_active(application: Application) -> None:
    application.create("id TEXT PRIMARY KEY, is_active BOOLEAN", "'ada', FALSE")

    assert application.users().find("ada") == User(id="ada")


def test_names_of_columns_are_taken_as_they_are(application: Application) -> None:
    """Keywords and capitals included."""
    application.create('"order" TEXT PRIMARY KEY, "Select" BOOLEAN', "'ada', FALSE")

    assert application.users("order", "Select").find("ada") == User(id="ada", active=False)


@pytest.mark.parametrize(
    ("id_column", "active_column", "missing", "type_"),
    [("customer_id", None, "customer_id", "TEXT DEFAULT 'ada'"), ("id", "enabled", "enabled", "INTEGER DEFAULT 1")],
)
def test_a_column_that_is_missing_is_named(
    application: Application, id_column: str, active_column: str | None, missing: str, type_: str
) -> None:
    """Looking a user up tells so, every time, and works as soon as the column is there."""
    application.create("id TEXT PRIMARY KEY", "'ada'")
    users = application.users(id_column, active_column)

    for ask in (users.inspect, lambda: users.find("ada"), lambda: users.find("ada")):
        with pytest.raises(StoreUnavailableError, match=f"has no column {missing}"):
            ask()

    application.engine.peewee.execute_sql(f"ALTER TABLE {application.name} ADD COLUMN {missing} {type_}")
    application.engine.peewee.execute_sql(f"CREATE UNIQUE INDEX {application.name}_i ON {application.name} ({missing})")
    assert users.find("ada") == User(id="ada")


def test_a_table_that_is_missing_is_named(application: Application) -> None:
    users = application.users()

    for ask in (users.inspect, lambda: users.find("ada")):
        with pytest.raises(StoreUnavailableError, match=f"no users table {application.name}"):
            ask()

    application.create("id TEXT PRIMARY KEY", "'ada'")
    assert users.find("ada") == User(id="ada")


def test_changes_are_seen_at_once(application: Application) -> None:
    """Nothing about a user is remembered: who is switched off is refused with the next request."""
    application.create("id TEXT PRIMARY KEY, active BOOLEAN", "'ada', TRUE")
    users = application.users()
    assert users.find("ada") == User(id="ada")

    application.engine.peewee.execute_sql(f"UPDATE {application.name} SET active = FALSE")  # noqa: S608
    assert users.find("ada") == User(id="ada", active=False)

    application.engine.peewee.execute_sql(f"DELETE FROM {application.name}")  # noqa: S608
    assert users.find("ada") is None


def test_a_table_in_a_schema_of_postgresql(migrated_url_of: MigratedUrl, engines: Engines) -> None:
    """And not the table of the same name in another schema."""
    engine = engines.open(migrated_url_of("postgres"))
    schema = f"accounts_{uuid.uuid4().hex}"
    for statement in (
        f"CREATE SCHEMA {schema}",
        f"CREATE TABLE {schema}.nuovo_users (number INTEGER PRIMARY KEY, active BOOLEAN)",
        f"INSERT INTO {schema}.nuovo_users VALUES (7, FALSE)",  # noqa: S608  the test's own
    ):
        engine.peewee.execute_sql(statement)
    try:
        users = PeeweeUsers(engine, UsersTable(name=f"{schema}.nuovo_users", id_column="number"))

        assert users.find("7") == User(id="7", active=False)
        assert users.find("8") is None
        assert PeeweeUsers(engine, UsersTable()).find("7") is None
    finally:
        engine.peewee.execute_sql(f"DROP SCHEMA {schema} CASCADE")


@pytest.mark.parametrize(("own", "other"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_users_in_another_database_than_the_sessions(
    migrated_url_of: MigratedUrl, engines: Engines, own: str, other: str
) -> None:
    """The two may even be of different kinds; each is asked for what it has."""
    nuovo, application = (engines.open(migrated_url_of(kind)) for kind in (own, other))
    PeeweeUserDirectory(application).put(ADA)

    assert PeeweeUsers(application, UsersTable()).find("ada") == ADA
    assert PeeweeUsers(nuovo, UsersTable()).find("ada") is None
