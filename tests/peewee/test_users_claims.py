"""Columns of a users table that become claims: read anew each time, without loss, or not at all."""

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from tests.peewee.tables import Application, found

LARGEST = 2**63 - 1


def claim_of(application: Application, type_: str, value: str) -> object:
    """Return what one value becomes, alone and within a refresh."""
    application.create(f"id TEXT PRIMARY KEY, c {type_}", f"'ada', {value}")
    user = found(application.users(claims=(("c", "claim"),)), "ada")
    assert user is not None
    return user.claims.get("claim")


@pytest.mark.parametrize(
    ("type_", "value", "claim"),
    [
        ("TEXT", "'admin'", "admin"),
        ("TEXT", "''", ""),
        ("VARCHAR(9)", "'\u00e9 \U0001f989 \"[1]'", '\u00e9 \U0001f989 "[1]'),
        ("TEXT", "'42'", "42"),
        ("INTEGER", "-7", -7),
        ("BIGINT", str(LARGEST), LARGEST),
        ("BIGINT", "9007199254740993", 9007199254740993),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "FALSE", False),
        ("UUID", "'1b4e28ba-2fa1-41d2-883f-0016d3cca427'", "1b4e28ba-2fa1-41d2-883f-0016d3cca427"),
        (
            "JSON",
            """'{"roles": ["a", "b"], "n": 1, "x": 0.1, "y": null}'""",
            {"roles": ["a", "b"], "n": 1, "x": 0.1, "y": None},
        ),
        ("JSON", """'["a", {"b": true}]'""", ["a", {"b": True}]),
        ("JSON", """'"42"'""", "42"),
        ("JSONB", """'9007199254740993'""", 9007199254740993),
        *((type_, "NULL", None) for type_ in ("TEXT", "INTEGER", "BOOLEAN", "UUID", "JSON")),
    ],
)
def test_values_become_claims_of_their_kind(application: Application, type_: str, value: str, claim: object) -> None:
    assert claim_of(application, type_, value) == claim
    assert type(claim_of_again(application)) is type(claim)


def claim_of_again(application: Application) -> object:
    user = application.users(claims=(("c", "claim"),)).find("ada")
    assert user is not None
    return user.claims.get("claim")


@pytest.mark.parametrize(
    ("type_", "value", "claim"),
    [
        ("TEXT[]", "ARRAY['a', NULL, '\"']", ["a", None, '"']),
        ("INTEGER[]", "ARRAY[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ("BIGINT[]", f"ARRAY[{LARGEST}]", [LARGEST]),
        ("BOOLEAN[]", "ARRAY[TRUE, FALSE]", [True, False]),
        ("UUID[]", "ARRAY['1b4e28ba-2fa1-41d2-883f-0016d3cca427']::uuid[]", ["1b4e28ba-2fa1-41d2-883f-0016d3cca427"]),
        ("TEXT[]", "ARRAY[]::text[]", []),
        ("JSONB[]", """ARRAY['{"a": 1}']::jsonb[]""", [{"a": 1}]),
        ("CHAR(9)", "'admin'", "admin"),
        ("CITEXT", "'Admin'", "Admin"),
        ("RANK", "'chief'", "chief"),
        ("RANK[]", "ARRAY['chief']::rank[]", ["chief"]),
        ("JSONB", "'null'", None),
    ],
)
def test_postgresql_has_arrays_and_enums(postgres: Application, type_: str, value: str, claim: object) -> None:
    postgres.run(
        "CREATE EXTENSION IF NOT EXISTS citext",
        "DO $$ BEGIN CREATE TYPE rank AS ENUM ('chief'); EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    assert claim_of(postgres, type_, value) == claim


@pytest.mark.parametrize("type_", ["NUMERIC", "REAL", "DOUBLE PRECISION", "DATE", "TIMESTAMP"])
def test_a_column_that_no_token_can_carry_without_loss_is_refused(application: Application, type_: str) -> None:
    """NUMERIC and floats, too: a view gives them as text or as an integer of the smallest unit."""
    application.create(f"id TEXT PRIMARY KEY, c {type_}", "'ada', NULL")

    with pytest.raises(StoreUnavailableError, match=r"column c of claim claim .* it must be text, an integer, a bool"):
        application.users(claims=(("c", "claim"),)).inspect()


def test_a_column_that_is_missing_is_named(application: Application) -> None:
    application.create("id TEXT PRIMARY KEY", "'ada'")

    with pytest.raises(StoreUnavailableError, match="has no column role"):
        application.users(claims=(("role", "role"),)).inspect()


def test_many_claims_each_by_its_name(application: Application) -> None:
    application.create('id TEXT PRIMARY KEY, "select" TEXT, tenant_id INTEGER, admin BOOLEAN', "'ada', 'a', 7, FALSE")
    users = application.users(claims=(("admin", "is_admin"), ("select", "role"), ("tenant_id", "tenant")))

    assert found(users, "ada") == User(id="ada", claims={"is_admin": False, "role": "a", "tenant": 7})
    assert found(users, "eve") is None


def test_claims_are_those_of_this_moment(application: Application) -> None:
    application.create("id TEXT PRIMARY KEY, role TEXT", "'ada', 'admin'")
    users = application.users(claims=(("role", "role"),))
    for role, claims in (("'guest'", {"role": "guest"}), ("NULL", {})):
        application.run(f"UPDATE {{}} SET role = {role}")  # noqa: S608

        assert found(users, "ada") == User(id="ada", claims=claims)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("JSON", "'[0.12345678901234567890123]'"),
        ("JSON", "'[1e400]'"),
        ("JSON", "'[123456789012345678901234567890]'"),
        ("JSON", """'"\\ud800"'"""),
        pytest.param("JSON", f"'{'[' * 900}{']' * 900}'", id="deep"),
    ],
)
def test_json_that_would_not_arrive_as_it_is(application: Application, type_: str, value: str) -> None:
    """A number that readers round, text that UTF-8 cannot hold, depth that they refuse: 503, never something else."""
    with pytest.raises(StoreUnavailableError, match="a value of the users table cannot be a claim: claim"):
        claim_of(application, type_, value)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("BOOLEAN", "2"),
        ("BOOLEAN", "'yes'"),
        ("INTEGER", "'seven'"),
        ("INTEGER", "1.5"),
        ("JSON", "'{'"),
        ("JSON", "'[NaN]'"),
        ("JSON", "'[Infinity]'"),
        ("TEXT", "x'ff'"),
        ("TEXT", "CAST(x'ff' AS TEXT)"),
    ],
)
def test_values_of_sqlite_that_are_not_of_their_columns_type(sqlite: Application, type_: str, value: str) -> None:
    with pytest.raises(StoreUnavailableError):
        claim_of(sqlite, type_, value)


def test_what_a_view_of_sqlite_computes_is_what_it_is(sqlite: Application) -> None:
    """Such a column has no type; text and integers are told apart by their values, booleans are integers."""
    sqlite.create("id TEXT PRIMARY KEY", "'ada'")
    sqlite.run("CREATE VIEW {}_v AS SELECT id, 'a' || 'b' AS a, 1 + 1 AS b, id IS NULL AS c, 1.5 AS d FROM {}")

    users = sqlite.users(name="{}_v", claims=(("a", "a"), ("b", "b"), ("c", "c")))
    assert found(users, "ada") == User(id="ada", claims={"a": "ab", "b": 2, "c": 0})
    with pytest.raises(StoreUnavailableError, match="cannot be a claim: d"):
        sqlite.users(name="{}_v", claims=(("d", "d"),)).find("ada")
