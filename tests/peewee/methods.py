"""Every method of every port that Peewee implements, ready to be called on any database."""

from collections.abc import Callable

from domain.model.sessions import RevocationReason
from domain.model.users import User
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from tests.builders import new_session, next_step, restoring_step
from tests.fakes.clock import START

Method = Callable[[Engine], object]

SESSION = new_session()
UNSTORED = new_session(SESSION.user_id)
_LOGOUT = RevocationReason.LOGOUT

READS: dict[str, Method] = {
    "sessions.get": lambda engine: PeeweeSessions(engine).get(SESSION.id, SESSION.user_id),
    "sessions.list_live": lambda engine: PeeweeSessions(engine).list_live(SESSION.user_id, now=START),
    "users.find": lambda engine: PeeweeUsers(engine, UsersTable()).find(SESSION.user_id),
    "directory.list": lambda engine: PeeweeUserDirectory(engine).list(),
}
WRITES: dict[str, Method] = {
    "sessions.start": lambda engine: PeeweeSessions(engine).start(SESSION),
    "sessions.advance": lambda engine: PeeweeSessions(engine).advance(next_step(SESSION)),
    "sessions.advance_if_active": lambda engine: PeeweeSessions(engine).advance_if_active(
        next_step(SESSION), PeeweeUsers(engine, UsersTable())
    ),
    "sessions.advance from nothing": lambda engine: PeeweeSessions(engine).advance(
        restoring_step(UNSTORED.current_token())
    ),
    "sessions.revoke_by_id": lambda engine: PeeweeSessions(engine).revoke_by_id(
        UNSTORED.id, owner=UNSTORED.user_id, at=START, reason=_LOGOUT
    ),
    "sessions.revoke": lambda engine: PeeweeSessions(engine).revoke(SESSION.current_token(), at=START, reason=_LOGOUT),
    "sessions.end_all": lambda engine: PeeweeSessions(engine).end_all(SESSION.user_id, at=START),
    "sessions.purge": lambda engine: list(PeeweeSessions(engine).purge(until=START)),
    "directory.put": lambda engine: PeeweeUserDirectory(engine).put(User(id=SESSION.user_id)),
    "directory.remove": lambda engine: PeeweeUserDirectory(engine).remove(SESSION.user_id),
}
METHODS = READS | WRITES


def call_all(engine: Engine) -> None:
    for method in METHODS.values():
        method(engine)
