"""PostgreSQL databases of every encoding: names stay names, and text that one cannot hold is said, never changed."""

import uuid
from collections.abc import Iterator

import pytest

from domain.model.errors import StoreUnavailableError
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.readiness import Readiness
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from tests.builders import held, new_session
from tests.peewee.engines import Engines, administer, url_of_database
from tests.peewee.tables import Application, found

ZOE, OWL = User(id="zo\u00e9"), User(id="\U0001f989" * 255)


@pytest.fixture
def engine(request: pytest.FixtureRequest, postgres_url: str, engines: Engines) -> Iterator[Engine]:
    """Return an engine on an empty database of the parameter's encoding."""
    name = f"encoded_{uuid.uuid4().hex}"
    like_c = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    administer(postgres_url, f"CREATE DATABASE {name} ENCODING '{request.param}' {like_c}")
    engine = engines.open(url_of_database(postgres_url, name))
    yield engine
    engine.drop_connection()
    administer(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("engine", ["SQL_ASCII", "LATIN1", "WIN1252", "LATIN9", "UTF8"], indirect=True)
def test_a_database_of_any_encoding_is_migrated_once_and_serves(engine: Engine) -> None:
    """An SQL_ASCII cluster gave names as bytes: migrated was never ready, and migrating again failed."""
    schema, users = Schema(engine), PeeweeUsers(engine, UsersTable())

    assert schema.migrate() == ["0001_sessions"]
    assert (schema.migrate(), schema.pending()) == ([], [])
    readiness = Readiness(engine, schema, users)
    readiness.require()
    assert ("encoding is" in " ".join(readiness.describe())) is (" ".join(readiness.describe()).count("UTF8") > 0)

    PeeweeUserDirectory(engine).put(ZOE)
    assert found(users, ZOE.id) == ZOE
    assert PeeweeUserDirectory(engine).list() == [ZOE]
    session = new_session(ZOE.id, device="T\u00e9l\u00e9")
    PeeweeSessions(engine).start(session)
    assert held(PeeweeSessions(engine), session.token) == session


@pytest.mark.parametrize("engine", ["SQL_ASCII", "UTF8"], indirect=True)
def test_text_of_the_greatest_length_fits(engine: Engine) -> None:
    """SQL_ASCII counts bytes where others count characters."""
    Schema(engine).migrate()
    PeeweeUserDirectory(engine).put(OWL)
    session = new_session(OWL.id, device="\U0001f4f1" * 255)

    PeeweeSessions(engine).start(session)

    assert held(PeeweeSessions(engine), session.token) == session
    assert found(PeeweeUsers(engine, UsersTable()), OWL.id) == OWL


@pytest.mark.parametrize("engine", ["LATIN1", "WIN1252"], indirect=True)
def test_text_that_an_encoding_does_not_know(engine: Engine) -> None:
    """It is nobody's identifier, and what cannot be kept is refused in words, not with a defect's 500."""
    Schema(engine).migrate()

    assert PeeweeUsers(engine, UsersTable()).find(OWL.id) is None
    for user, device in ((ZOE, "\U0001f4f1"), (OWL, "")):
        with pytest.raises(StoreUnavailableError, match="made without ENCODING 'UTF8', cannot hold this"):
            PeeweeSessions(engine).start(new_session(user.id, device=device))


@pytest.mark.parametrize("engine", ["SQL_ASCII"], indirect=True)
def test_bytes_that_are_no_text(engine: Engine) -> None:
    """Of an application that wrote another encoding than it said."""
    Schema(engine).migrate()
    application = Application(engine)
    application.create("id TEXT PRIMARY KEY, role TEXT", r"'ada', E'\xe9'")

    assert application.users().find("ada") == User(id="ada")
    with pytest.raises(StoreUnavailableError, match="text that is not UTF-8"):
        application.users(claims=(("role", "role"),)).find("ada")
