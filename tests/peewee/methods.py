"""Every method of every port that Peewee implements, ready to be called on any database."""

from collections.abc import Callable

from domain.model.sessions import RevocationReason
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.builders import WHOLE_LIST, first_token, new_session, next_rotation, restoring_rotation
from tests.fakes.clock import START

Method = Callable[[Engine], object]

SESSION = new_session()
TOKEN = SESSION.token
UNSTORED = first_token(TOKEN.user_id)
_LOGOUT = RevocationReason.LOGOUT


def rotations_of(engine: Engine) -> PeeweeRotations:
    """Return the step of a refresh where the built-in users and the sessions share a database."""
    users = PeeweeUsers(engine, UsersTable())
    return PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, PeeweeSessions(engine)))


READS: dict[str, Method] = {
    "sessions.get": lambda engine: PeeweeSessions(engine).get(TOKEN.user_id, TOKEN.session_id),
    "sessions.list_live": lambda engine: PeeweeSessions(engine).list_live(TOKEN.user_id, WHOLE_LIST, now=START),
    "sessions.owner_of": lambda engine: PeeweeSessions(engine).owner_of(TOKEN.session_id),
    "users.find": lambda engine: PeeweeUsers(engine, UsersTable()).find(TOKEN.user_id),
    "directory.list": lambda engine: PeeweeUserDirectory(engine).list(),
}
WRITES: dict[str, Method] = {
    "sessions.start": lambda engine: PeeweeSessions(engine).start(SESSION),
    "sessions.rotate": lambda engine: PeeweeSessions(engine).rotate(next_rotation(SESSION)),
    "sessions.rotate nothing": lambda engine: PeeweeSessions(engine).rotate(restoring_rotation(UNSTORED)),
    "rotations.rotate": lambda engine: rotations_of(engine).rotate(next_rotation(SESSION)),
    "sessions.end": lambda engine: PeeweeSessions(engine).end(
        UNSTORED.user_id, UNSTORED.session_id, at=START, reason=_LOGOUT
    ),
    "sessions.revoke": lambda engine: PeeweeSessions(engine).revoke(TOKEN, at=START, reason=_LOGOUT),
    "sessions.end_all": lambda engine: PeeweeSessions(engine).end_all(TOKEN.user_id, at=START),
    "sessions.purge": lambda engine: list(PeeweeSessions(engine).purge(until=START)),
    "directory.put": lambda engine: PeeweeUserDirectory(engine).put(User(id=TOKEN.user_id)),
    "directory.remove": lambda engine: PeeweeUserDirectory(engine).remove(TOKEN.user_id),
}
METHODS = READS | WRITES


def call_all(engine: Engine) -> None:
    for method in METHODS.values():
        method(engine)
