"""Tables of an application's own, made for a test and dropped after it."""

import uuid

from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.builders import new_session, next_rotation


class Application:
    """A database with a table that Nuovo did not make; `{}` in a statement is its name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = f"customers_{uuid.uuid4().hex}"
        self.role = ""
        self.is_sqlite = engine.peewee.param == "?"

    def run(self, *statements: str) -> None:
        for sql in statements:
            self.engine.peewee.execute_sql(sql.replace("{}", self.name))

    def create(self, columns: str, *rows: str) -> None:
        """Make the table; each row is written as SQL writes it."""
        self.run(f"CREATE TABLE {{}} ({columns})", *(f"INSERT INTO {{}} VALUES ({row})" for row in rows))  # noqa: S608

    def users(
        self,
        id_column: str = "id",
        active_column: str | None = None,
        *,
        claims: tuple[tuple[str, str], ...] = (),
        name: str = "{}",
    ) -> PeeweeUsers:
        table = UsersTable(
            name=name.replace("{}", self.name), id_column=id_column, active_column=active_column, claims=claims
        )
        return PeeweeUsers(self.engine, table)

    def drop(self) -> None:
        """Drop the table and all that was made of it."""
        self.run(f"DROP TABLE IF EXISTS {{}}{'' if self.is_sqlite else ' CASCADE'}")


def found(users: PeeweeUsers, user_id: str) -> User | None:
    """Look a user up, and see that a refresh, which has a statement of its own, says the same."""
    user = users.find(user_id)
    sessions, session = PeeweeSessions(users.engine), new_session(user_id)
    sessions.start(session)
    rotations = PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions))
    claims = rotations.rotate(next_rotation(session))
    assert claims == (user.claims if user is not None and user.active else None), user_id
    return user
