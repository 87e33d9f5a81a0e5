"""Tables of users that were not made for Nuovo: columns of every type and privilege, keys of every collation.

Whoever the table does not clearly call an active user is not served. Each user is looked up in both ways that there
are: alone, and within the statement of a refresh.
"""

import uuid
from collections.abc import Iterator

import pytest
from peewee import NotSupportedError, Select

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from tests.peewee.engines import Engines, administer
from tests.peewee.tables import Application, found

ADA, OFF = User(id="ada"), User(id="ada", active=False)


# What an active column says.


@pytest.mark.parametrize("type_", ["BOOLEAN", "INTEGER", "SMALLINT", "BIGINT"])
def test_a_boolean_or_an_integer_decides(application: Application, type_: str) -> None:
    """Only true and 1 are active: an integer may well be a status, of which 2 means locked."""
    of_others = [] if type_ == "BOOLEAN" and not application.is_sqlite else ["2", "-1", "255"]
    true, false = ("TRUE", "FALSE") if type_ == "BOOLEAN" else ("1", "0")
    values = [true, false, "NULL", *of_others]
    application.create(f"id INTEGER PRIMARY KEY, active {type_}", *(f"{n}, {v}" for n, v in enumerate(values)))
    users = application.users()

    for number in range(len(values)):
        assert found(users, str(number)) == User(id=str(number), active=number == 0), values[number]


@pytest.mark.parametrize("value", ["'false'", "'true'", "'yes'", "'t'", "1.5", "x'31'", "x''"])
@pytest.mark.parametrize("type_", ["BOOLEAN", "INTEGER"])
def test_sqlite_holds_anything_in_any_column(sqlite: Application, type_: str, value: str) -> None:
    sqlite.create(f"id TEXT PRIMARY KEY, active {type_}", f"'ada', {value}")

    assert found(sqlite.users(), "ada") == OFF


@pytest.mark.parametrize("named", [None, "active"])
@pytest.mark.parametrize(
    "type_", ["TEXT", "VARCHAR(5)", "CHAR(5)", "CHAR(1)", "NUMERIC", "DECIMAL(1)", "REAL", "DOUBLE PRECISION", "DATE"]
)
def test_a_column_of_any_other_type_is_refused(application: Application, type_: str, named: str | None) -> None:
    """In words that name it and what it should be; nobody is served meanwhile."""
    application.create(f"id TEXT PRIMARY KEY, active {type_}", "'ada', NULL")
    users = application.users(active_column=named)

    for ask in (users.inspect, lambda: found(users, "ada")):
        with pytest.raises(StoreUnavailableError, match=r"column active, .* it must be a boolean or an"):
            ask()


@pytest.mark.parametrize(
    "type_",
    ["BIT(1)", "BIT VARYING(1)", "BOOLEAN[]", "INTEGER[]", "JSONB", "BYTEA", '"char"', "NAME", "CITEXT", "MOOD"],
)
def test_postgresql_has_more_types_to_refuse(postgres: Application, type_: str) -> None:
    postgres.run(
        "CREATE EXTENSION IF NOT EXISTS citext",
        "DO $$ BEGIN CREATE TYPE mood AS ENUM ('true', 'false'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    postgres.create(f"id TEXT PRIMARY KEY, active {type_}", "'ada', NULL")

    with pytest.raises(StoreUnavailableError, match=r"column active, .* is of type"):
        found(postgres.users(), "ada")


def test_a_domain_is_what_it_is_made_of(postgres: Application) -> None:
    postgres.run(
        "CREATE DOMAIN {}_flag AS BOOLEAN NOT NULL",
        "CREATE DOMAIN {}_flags AS {}_flag",
        "CREATE DOMAIN {}_word AS TEXT",
    )
    try:
        postgres.create("id {}_word PRIMARY KEY, active {}_flags", "'ada', TRUE", "'bob', FALSE")
        users = postgres.users()
        assert (found(users, "ada"), found(users, "bob")) == (ADA, User(id="bob", active=False))

        postgres.drop()
        postgres.create("id {}_word PRIMARY KEY, active {}_word", "'ada', 'false'")
        with pytest.raises(StoreUnavailableError):
            found(postgres.users(), "ada")
    finally:
        postgres.drop()
        postgres.run(*(f"DROP DOMAIN {{}}_{name} CASCADE" for name in ("flags", "flag", "word")))


@pytest.mark.parametrize("name", ["Active", "ACTIVE"])
def test_a_column_called_active_counts_whatever_its_case(application: Application, name: str) -> None:
    """As frameworks write it that keep their own capitals."""
    application.create(f'id TEXT PRIMARY KEY, "{name}" BOOLEAN', "'ada', FALSE")

    assert found(application.users(), "ada") == OFF


def test_a_generated_column_decides(application: Application) -> None:
    """SQLite's `table_info` does not list them."""
    generated = "BOOLEAN GENERATED ALWAYS AS (deleted_at IS NULL) STORED"
    application.create(f"id TEXT PRIMARY KEY, deleted_at INTEGER, active {generated}")
    application.run("INSERT INTO {} (id, deleted_at) VALUES ('ada', NULL), ('bob', 7)")
    users = application.users()

    assert (found(users, "ada"), found(users, "bob")) == (ADA, User(id="bob", active=False))


def test_a_column_that_appears_later_is_heeded_when_the_table_is_looked_at_again(application: Application) -> None:
    """As `/health/ready` does."""
    application.create("id TEXT PRIMARY KEY", "'ada'")
    users = application.users()
    assert found(users, "ada") == ADA
    application.run("ALTER TABLE {} ADD COLUMN active BOOLEAN DEFAULT FALSE")

    users.inspect()

    assert found(users, "ada") == OFF


# Who may read what.


@pytest.fixture
def reader(postgres: Application, engines: Engines) -> Iterator[Application]:
    """Return the same table to a role that has the privileges for Nuovo's own tables and no other."""
    role, url = f"reader_{uuid.uuid4().hex}", str(postgres.engine.peewee.database)
    administer(url, f"CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE ON nuovo_sessions, nuovo_cut_offs TO {role}")
    reader = Application(engines.open(f"{url}?options=-c%20role%3D{role}"))
    reader.name, reader.role = postgres.name, role
    yield reader
    reader.engine.drop_connection()
    administer(url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_column_that_may_not_be_read_is_not_one_that_is_not_there(postgres: Application, reader: Application) -> None:
    """`information_schema` hides it, so a user who was switched off got a session."""
    postgres.create("id TEXT PRIMARY KEY, active BOOLEAN, role TEXT", "'ada', FALSE, 'admin'")
    users = reader.users(claims=(("role", "role"),))

    for column in ("id", "active", "role"):
        with pytest.raises(StoreUnavailableError, match=f"may not read column {column}; grant it SELECT"):
            found(users, "ada")
        postgres.run(f"GRANT SELECT ({column}) ON {{}} TO {reader.role}")

    assert found(users, "ada") == User(id="ada", active=False, claims={"role": "admin"})


def test_a_schema_that_may_not_be_used(postgres: Application, reader: Application) -> None:
    postgres.run("CREATE SCHEMA {}_s", "CREATE TABLE {}_s.people (id TEXT PRIMARY KEY)")
    try:
        postgres.run(f"GRANT SELECT ON {{}}_s.people TO {reader.role}")
        users = reader.users(name="{}_s.people")
        with pytest.raises(StoreUnavailableError, match="may not read column id"):
            users.inspect()

        postgres.run(f"GRANT USAGE ON SCHEMA {{}}_s TO {reader.role}")
        users.inspect()
    finally:
        postgres.run("DROP SCHEMA {}_s CASCADE")


def test_a_view_of_a_table_that_may_not_be_read(postgres: Application, reader: Application) -> None:
    """The catalogue says that the view may be read; only reading it shows that it may not."""
    postgres.create("id TEXT PRIMARY KEY, active BOOLEAN", "'ada', TRUE")
    postgres.run("CREATE VIEW {}_v WITH (security_invoker = true) AS SELECT id, active FROM {}")
    postgres.run(f"GRANT SELECT ON {{}}_v TO {reader.role}")

    with pytest.raises(StoreUnavailableError, match="lacks a privilege"):
        reader.users(name="{}_v").inspect()


# Which row is whose.


@pytest.mark.parametrize(
    ("type_", "key"),
    [
        ("TEXT COLLATE NOCASE", "Ada"),
        ("TEXT COLLATE RTRIM", "Ada"),
        ("VARCHAR(9) COLLATE NOCASE", "Ada"),
        ("CHAR(9)", "Ada"),
    ],
)
def test_keys_that_sqlite_calls_equal(sqlite: Application, type_: str, key: str) -> None:
    sqlite.create(f"id {type_} PRIMARY KEY", f"'{key}'")

    only(sqlite, key, ["ada", "ADA", "Ada ", "aDA"])


@pytest.mark.parametrize(
    ("type_", "stored", "key", "others"),
    [
        ("CITEXT", "'Ada'", "Ada", ["ada", "ADA"]),
        ("CHAR(9)", "'Ada'", "Ada", ["Ada ", "Ada      ", "ada"]),
        ("VARCHAR(9)", "'Ada '", "Ada ", ["Ada", "ada "]),
        ("NUMERIC", "7", "7", ["7.0", "7.00", "07", "7e0"]),
        ("NUMERIC(9, 2)", "7", None, ["7", "7.0", "7.00"]),
        ("UUID", "'1B4E28BA-2FA1-41D2-883F-0016D3CCA427'", "1b4e28ba-2fa1-41d2-883f-0016d3cca427", ["7", "ada"]),
    ],
)
def test_keys_that_postgresql_calls_equal(
    postgres: Application, type_: str, stored: str, key: str | None, others: list[str]
) -> None:
    """Sessions belong to one spelling, so ending them all must not miss those of another."""
    postgres.run("CREATE EXTENSION IF NOT EXISTS citext")
    postgres.create(f"id {type_} PRIMARY KEY", stored)

    only(postgres, key, others)


def test_keys_of_a_collation_that_ignores_case_and_composition(postgres: Application) -> None:
    try:
        postgres.run("CREATE COLLATION {}_c (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except NotSupportedError:
        pytest.skip("this PostgreSQL was built without ICU")
    postgres.create("id TEXT COLLATE {}_c PRIMARY KEY", "'Ada'", "U&'No\\00eb'")
    only(postgres, "Ada", ["ada", "ADA", "\u00c5da"])
    only(postgres, "No\u00eb", ["Noe\u0308", "NO\u00cb", "no\u00eb"])
    postgres.run("DROP COLLATION {}_c CASCADE")


def only(application: Application, key: str | None, others: list[str]) -> None:
    """See that the row is found by its own key, and by no other."""
    users = application.users()
    if key is not None:
        assert found(users, key) == User(id=key)
    for other in others:
        assert found(users, other) is None, other


@pytest.mark.parametrize("type_", ["REAL", "DOUBLE PRECISION", "DATE", "BOOLEAN", "JSONB"])
def test_a_key_of_any_other_type_is_refused(application: Application, type_: str) -> None:
    """Floats above all, which call different numbers equal."""
    assert_no_key(application, type_)


@pytest.mark.parametrize("type_", ["BLOB", ""])
def test_sqlite_has_more_types_that_are_no_key(sqlite: Application, type_: str) -> None:
    assert_no_key(sqlite, type_)


@pytest.mark.parametrize("type_", ["BYTEA", "TIMESTAMP", "TEXT[]", "INET", '"char"', "NAME"])
def test_postgresql_has_more_types_that_are_no_key(postgres: Application, type_: str) -> None:
    assert_no_key(postgres, type_)


def assert_no_key(application: Application, type_: str) -> None:
    application.create(f"id {type_} PRIMARY KEY")
    with pytest.raises(StoreUnavailableError, match=r"key column id .* must be text, an integer or a UUID"):
        application.users().inspect()


@pytest.mark.parametrize(
    "index",
    [
        None,
        "CREATE INDEX {}_i ON {} (id)",
        "CREATE UNIQUE INDEX {}_i ON {} (tenant, id)",
        "CREATE UNIQUE INDEX {}_i ON {} (id, tenant)",
        "CREATE UNIQUE INDEX {}_i ON {} (id) WHERE tenant = 1",
        "CREATE UNIQUE INDEX {}_i ON {} (lower(id))",
    ],
)
def test_a_key_that_is_not_unique_is_refused(application: Application, index: str | None) -> None:
    """One row would say that the user is active, and another that they are not."""
    application.create("tenant INTEGER, id TEXT, active BOOLEAN", "1, 'ada', TRUE", "2, 'bob', FALSE")
    if index is not None:
        application.run(index)
    users = application.users()
    with pytest.raises(StoreUnavailableError, match="has no primary key or unique index on id alone"):
        found(users, "ada")

    application.run("DELETE FROM {} WHERE tenant = 2", "CREATE UNIQUE INDEX {}_u ON {} (id)")
    assert found(users, "ada") == ADA


def test_a_key_that_is_unique_only_together_with_another_column(application: Application) -> None:
    application.create("tenant INTEGER, id TEXT, PRIMARY KEY (id, tenant)")

    with pytest.raises(StoreUnavailableError, match="has no primary key or unique index on id alone"):
        application.users().inspect()


def test_children_of_a_table_are_not_covered_by_its_key(postgres: Application) -> None:
    """Nobody of whom parent and child have a row is served."""
    postgres.create("id TEXT PRIMARY KEY, active BOOLEAN", "'ada', TRUE", "'bob', TRUE")
    postgres.run("CREATE TABLE {}_child () INHERITS ({})", "INSERT INTO {}_child VALUES ('ada', FALSE)")
    users = postgres.users()

    assert found(users, "bob") == User(id="bob")
    with pytest.raises(StoreUnavailableError, match="several rows of one key"):
        users.find("ada")
    assert "cannot be verified" in " ".join(users.describe())


# Whatever can be selected from.


def test_a_view_is_a_table_of_users(application: Application) -> None:
    assert_view(application, "VIEW")


def test_a_materialised_view_is_a_table_of_users(postgres: Application) -> None:
    assert_view(postgres, "MATERIALIZED VIEW")


def assert_view(application: Application, kind: str) -> None:
    """See that it serves, but for anybody of whom there are two rows: it cannot promise that keys are unique."""
    application.create("id TEXT PRIMARY KEY, deleted_at INTEGER", "'ada', NULL", "'bob', 7")
    twice = "SELECT id, deleted_at IS NULL AS active FROM {} UNION ALL SELECT 'eve', TRUE UNION ALL SELECT 'eve', FALSE"
    application.run(f"CREATE {kind} {{}}_v AS {twice}")
    users = application.users(name="{}_v")

    assert (found(users, "ada"), found(users, "bob")) == (ADA, User(id="bob", active=False))
    with pytest.raises(StoreUnavailableError, match="several rows of one key"):
        users.find("eve")
    assert "That id is unique cannot be verified" in " ".join(users.describe())
    if application.is_sqlite:
        application.run("DROP VIEW {}_v")


def test_two_rows_of_one_key_take_no_step(application: Application) -> None:
    """Even if both are active."""
    application.create("id TEXT PRIMARY KEY", "'ada'")
    application.run("CREATE VIEW {}_v AS SELECT id FROM {} UNION ALL SELECT id FROM {}")
    users = application.users(name="{}_v")
    try:
        with pytest.raises(StoreUnavailableError, match="several rows of one key"):
            found(users, "ada")
        statement = application.engine.compile(Select(columns=[users.lookup().is_active]))
        assert not application.engine.select(statement, {"user_key": "ada", "user_id": "ada"})[0][0]
    finally:
        application.run("DROP VIEW {}_v")


def test_a_materialised_view_may_promise_unique_keys(postgres: Application) -> None:
    postgres.create("id TEXT PRIMARY KEY", "'ada'")
    postgres.run("CREATE MATERIALIZED VIEW {}_v AS SELECT id FROM {}", "CREATE UNIQUE INDEX ON {}_v (id)")

    assert "cannot be verified" not in " ".join(postgres.users(name="{}_v").describe())


def test_a_partitioned_and_a_foreign_table(postgres: Application) -> None:
    postgres.create("id TEXT PRIMARY KEY, active BOOLEAN) PARTITION BY HASH (id")
    postgres.run(
        "CREATE TABLE {}_p PARTITION OF {} FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "INSERT INTO {} VALUES ('ada', TRUE)",
        "CREATE EXTENSION IF NOT EXISTS file_fdw",
        "CREATE SERVER {}_files FOREIGN DATA WRAPPER file_fdw",
        "CREATE FOREIGN TABLE {}_f (id TEXT, active BOOLEAN) SERVER {}_files"
        " OPTIONS (program 'echo ada,t', format 'csv')",
    )
    try:
        for name in ("{}", "{}_f"):
            assert found(postgres.users(name=name), "ada") == ADA
    finally:
        postgres.run("DROP SERVER {}_files CASCADE")


def test_the_table_that_the_statements_see_is_the_one_that_is_looked_at(
    postgres: Application, engines: Engines
) -> None:
    """The first in the search path, as PostgreSQL itself finds it."""
    postgres.create("id TEXT PRIMARY KEY, active BOOLEAN", "'ada', TRUE")
    postgres.run("CREATE SCHEMA {}_s", "CREATE TABLE {}_s.{} (id TEXT PRIMARY KEY, on_ BOOLEAN)")
    postgres.run("INSERT INTO {}_s.{} VALUES ('ada', FALSE)")
    url = f"{postgres.engine.peewee.database}?options=-c%20search_path%3D{postgres.name}_s,public"
    other = Application(engines.open(url))
    other.name = postgres.name
    try:
        assert found(other.users(active_column="on_"), "ada") == OFF
        assert found(postgres.users(), "ada") == ADA
        assert found(other.users(name="public.{}"), "ada") == ADA
    finally:
        postgres.run("DROP SCHEMA {}_s CASCADE")
