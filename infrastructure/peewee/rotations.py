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
        lookup, compiled = self._users.lookup(), self._statement
        if compiled is None or compiled[0] is not lookup:
            self._statement = compiled = lookup, self._compile(lookup)
        try:
            key = lookup.to_key(rotation.successor.user_id)
        except ValueError:
            return None
        rows = self._users.engine.write_returning(compiled[1], queries.step_of(rotation) | {"user_key": key})
        if not rows:
            return None
        ((claims, *users_claims),) = rows
        return {**orjson.loads(claims), **lookup.read_claims(users_claims)}

    def _compile(self, lookup: Lookup) -> Statement:
        """Build the statement, once for each form of the users' table."""
        engine = self._users.engine
        update = queries.rotate(engine.off_disk_condition()).where(lookup.is_active)
        return engine.compile(queries.returning(update, *lookup.claims))
