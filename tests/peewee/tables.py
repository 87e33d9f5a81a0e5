"""Tables of an application's own, made for a test and dropped after it."""

import uuid

from infrastructure.peewee.engine import Engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.builders import new_session, next_rotation


class Application:
    """A database with tables that Nuovo did not make."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = f"customers_{uuid.uuid4().hex}"

    @property
    def is_sqlite(self) -> bool:
        return self.engine.peewee.param == "?"

    def run(self, sql: str) -> None:
        """Run a statement, `{}` being the table's name."""
        self.engine.peewee.execute_sql(sql.replace("{}", self.name).replace("%", "%%" if not self.is_sqlite else "%"))

    def create(self, columns: str, *rows: str) -> None:
        """Make the table; each row is written as SQL writes it."""
        self.run(f"CREATE TABLE {{}} ({columns})")
        for row in rows:
            self.run(f"INSERT INTO {{}} VALUES ({row})")  # noqa: S608  the test's own

    def users(
        self,
        id_column: str = "id",
        active_column: str | None = None,
        *,
        name: str | None = None,
        claims: tuple[tuple[str, str], ...] = (),
    ) -> PeeweeUsers:
        table = UsersTable(name=name or self.name, id_column=id_column, active_column=active_column, claims=claims)
        return PeeweeUsers(self.engine, table)


def is_served(users: PeeweeUsers, user_id: str) -> bool:
    """Tell whether a user may refresh, and see that both ways of asking say the same: alone, and within a step."""
    found = users.find(user_id)
    assert found is None or found.id == user_id
    sessions, session = PeeweeSessions(users.engine), new_session(user_id)
    sessions.start(session)
    rotations = PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions))
    is_taken = rotations.rotate(next_rotation(session)) is not None
    assert is_taken == (found is not None and found.active), (user_id, found)
    return is_taken
