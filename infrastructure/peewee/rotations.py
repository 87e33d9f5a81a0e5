"""The step of a refresh in one statement, where users and sessions share a database."""

import orjson

from domain.model.claims import Claims
from domain.model.sessions import Rotation
from infrastructure.peewee import session_queries as queries
from infrastructure.peewee.lookup import Lookup
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.users import PeeweeUsers
from ports.rotations import Rotations


class PeeweeRotations(Rotations):
    """Updates the session's row in a statement that sees the user's row, too."""

    def __init__(self, users: PeeweeUsers, *, restoring: Rotations) -> None:
        """Take users whose engine holds the sessions as well, and what takes a step that finds no row to update."""
        self._users = users
        self._restoring = restoring
        self._statement: tuple[Lookup, Statement] | None = None

    def rotate(self, rotation: Rotation) -> Claims | None:
        """Take the step if the row holds the replaced generation and the user's says that they are active."""
        if rotation.replaces is None:
            return self._restoring.rotate(rotation)
        lookup, statement = self._statement or self._compile()
        try:
            key = lookup.to_key(rotation.successor.user_id)
        except ValueError:
            return None
        rows = self._users.engine.write_returning(statement, queries.step_of(rotation) | {"user_key": key})
        if not rows:
            return None
        ((claims, *users_claims),) = rows
        return {**orjson.loads(claims), **lookup.read_claims(users_claims)}

    def _compile(self) -> tuple[Lookup, Statement]:
        """Build the statement once the users' table has been looked at."""
        lookup, engine = self._users.lookup(), self._users.engine
        update = queries.rotate(engine.off_disk_condition()).where(lookup.is_active)
        self._statement = lookup, engine.compile(queries.returning(update, *lookup.claims))
        return self._statement
