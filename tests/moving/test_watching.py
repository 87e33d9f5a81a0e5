"""What an operator is told of a move, and what happens while the old application's lists cannot be read."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from peewee import PeeweeException

from domain.model.errors import StoreUnavailableError
from tests.moving.nuovo import MovedTo
from tests.moving.old.applications import FlaskApplication, OldApplication, SimplejwtApplication

Move = Callable[..., MovedTo]


def run(nuovo: MovedTo, sql: str) -> None:
    """Change the old application's tables."""
    nuovo.built.moving_in.engine.peewee.execute_sql(sql)


def test_check_counts_what_has_moved_and_says_until_when(old: OldApplication, move: Move) -> None:
    tokens = list(old.issue_all(old.add_users(4)).values())
    nuovo = move(**old.settings, ADOPT_OAUTH_TOOLKIT_REFRESH_TOKEN_EXPIRE_SECONDS="86400")
    said = "\n".join(nuovo.built.operations.describe())
    assert f"No session that came from {old.scheme} is live." in said
    held = [nuovo.refresh(token).refresh_token for token in tokens[:3]]
    nuovo.revoke(held[0])
    said = "\n".join(nuovo.built.operations.describe())
    assert f"2 live sessions came from {old.scheme}; the last of the old tokens" in said
    if old.scheme != "flask-jwt-extended":
        assert f"The last token in the tables of {old.scheme} expires at 2" in said
    assert not any(token in said for token in (*tokens, *held))


def test_check_says_that_no_blocklist_is_read(flask: FlaskApplication, move: Move) -> None:
    without = {name: value for name, value in flask.settings.items() if "BLOCKLIST" not in name}
    assert any(line.startswith("No blocklist of flask") for line in move(**without).built.operations.describe())
    assert not any("No blocklist" in line for line in move(**flask.settings).built.operations.describe())


@pytest.mark.parametrize("table", ["token_blacklist_outstandingtoken", "token_blacklist_blacklistedtoken"])
def test_a_blacklist_that_cannot_be_read_is_503(simplejwt: SimplejwtApplication, move: Move, table: str) -> None:
    """For a first refresh alone: what was adopted before goes on, so the service stays ready. The check tells."""
    first, second = simplejwt.issue_all(simplejwt.add_users(2)).values()
    nuovo = move(**simplejwt.settings)
    held = nuovo.refresh(first).refresh_token
    run(nuovo, f"ALTER TABLE {table} RENAME TO elsewhere")
    assert nuovo.refresh(second).status == 503
    assert nuovo.post("/api/token/refresh/", json={"refresh": second}).status == 503
    assert nuovo.refresh(held).status == 200
    assert nuovo.client.simulate_get("/health/ready").status_code == 200
    with pytest.raises(StoreUnavailableError, match=f"there is no table {table} in the users database"):
        list(nuovo.built.operations.describe())
    run(nuovo, f"ALTER TABLE elsewhere RENAME TO {table}")
    assert nuovo.refresh(second).status == 200


def test_an_application_without_token_blacklist_says_so(simplejwt: SimplejwtApplication, move: Move) -> None:
    first, second = simplejwt.issue_all(simplejwt.add_users(2)).values()
    nuovo = move(**simplejwt.settings, ADOPT_SIMPLEJWT_BLACKLIST="false")
    run(nuovo, "DROP TABLE token_blacklist_blacklistedtoken")
    assert nuovo.refresh(first).status == 200
    assert move(**simplejwt.settings).refresh(second).status == 503


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE token_blocklist RENAME TO elsewhere",
        "ALTER TABLE token_blocklist RENAME COLUMN jti TO id_of_token",
    ],
)
def test_a_blocklist_that_cannot_be_read_is_503(flask: FlaskApplication, move: Move, change: str) -> None:
    """SQLite takes a column that is not there for a text, and would find nothing revoked."""
    (token,) = flask.issue_all(flask.add_users(1)).values()
    nuovo = move(**flask.settings)
    run(nuovo, change)
    assert nuovo.refresh(token).status == 503
    with pytest.raises(StoreUnavailableError):
        list(nuovo.built.operations.describe())


@pytest.mark.parametrize("form", ["with dashes", "without dashes"])
def test_a_blocklist_in_another_form(flask: FlaskApplication, move: Move, form: str) -> None:
    """A view of flags beside tokens; and identifiers as SQLAlchemy's `Uuid` writes them on SQLite."""
    user = flask.add_users(1)[0]
    revoked, honest = uuid.uuid4(), uuid.uuid4()
    tokens = [flask.old.issue(user, additional_claims={"jti": str(each)}) for each in (revoked, honest)]
    nuovo = move(**{**flask.settings, "ADOPT_FLASK_JWT_EXTENDED_BLOCKLIST_TABLE": "revoked_tokens"})
    written = [str(each) if form == "with dashes" else each.hex for each in (revoked, honest)]
    run(nuovo, "CREATE TABLE tokens (jti VARCHAR(36) PRIMARY KEY, revoked BOOLEAN NOT NULL)")
    run(nuovo, f"INSERT INTO tokens VALUES ('{written[0]}', TRUE), ('{written[1]}', FALSE)")  # noqa: S608
    run(nuovo, "CREATE VIEW revoked_tokens AS SELECT jti FROM tokens WHERE revoked")
    assert [nuovo.refresh(token).status for token in tokens] == [401, 200]


def test_a_blocklist_of_uuids(flask: FlaskApplication, move: Move) -> None:
    """PostgreSQL compares them as what they are; another database keeps the name of the type alone."""
    user = flask.add_users(1)[0]
    revoked = uuid.uuid4()
    nuovo = move(**{**flask.settings, "ADOPT_FLASK_JWT_EXTENDED_BLOCKLIST_TABLE": "by_uuid"})
    run(nuovo, "CREATE TABLE by_uuid (jti UUID PRIMARY KEY)")
    run(nuovo, f"INSERT INTO by_uuid VALUES ('{revoked}')")  # noqa: S608
    assert nuovo.refresh(flask.old.issue(user, additional_claims={"jti": str(revoked)})).status == 401
    assert nuovo.refresh(flask.old.issue(user)).status == 200
    odd = nuovo.refresh(flask.old.issue(user, additional_claims={"jti": "not a UUID"})).status
    assert odd == (503 if "postgres" in str(nuovo.built.settings.database_url.get_secret_value()) else 200)


def test_a_role_that_may_not_read_the_blocklist(flask: FlaskApplication, move: Move) -> None:
    nuovo = move(**flask.settings)
    if nuovo.built.moving_in.engine.peewee.param == "?":
        pytest.skip("SQLite has no roles")
    (token,) = flask.issue_all(flask.add_users(1)).values()
    role = f"reader_{uuid.uuid4().hex}"
    run(nuovo, f"CREATE ROLE {role} LOGIN")
    run(nuovo, f"GRANT ALL ON SCHEMA public TO {role}")
    run(nuovo, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    run(nuovo, f"REVOKE ALL ON token_blocklist FROM {role}")
    url = nuovo.built.settings.database_url.get_secret_value()
    limited = move(**flask.settings, DATABASE_URL=url.replace("//postgres@", f"//{role}@"))
    assert limited.refresh(token).status == 503
    with pytest.raises(Exception, match="grant it SELECT"):
        list(limited.built.operations.describe())
    limited.close()
    run(nuovo, f"DROP OWNED BY {role}")
    run(nuovo, f"DROP ROLE {role}")


def test_nothing_is_written_to_the_old_applications_tables(old: OldApplication, move: Move) -> None:
    tokens = list(old.issue_all(old.add_users(2)).values())
    nuovo = move(**old.settings)
    before = old_rows(nuovo)
    held = nuovo.refresh(tokens[0]).refresh_token
    nuovo.refresh(held)
    nuovo.revoke(tokens[1])
    nuovo.revoke(held)
    assert old_rows(nuovo) == before


def old_rows(nuovo: MovedTo) -> dict[str, list[Any]]:
    """Return all rows of all tables that are not Nuovo's."""
    database = nuovo.built.moving_in.engine.peewee
    found = {}
    for table in database.get_tables():
        if not table.startswith("nuovo_"):
            try:
                found[table] = sorted(map(repr, database.execute_sql(f'SELECT * FROM "{table}"').fetchall()))  # noqa: S608
            except PeeweeException as error:  # pragma: no cover
                raise AssertionError(table) from error
    return found
