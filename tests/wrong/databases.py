"""Databases whose SQL lacks one condition each, changed in the very statements that run.

A condition that is not found in its statement is an error, so that none goes untried when a statement is written anew.
"""

from collections.abc import Callable
from dataclasses import replace

from peewee import SQL

from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.lookup import Lookup
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.statement import Statement
from infrastructure.peewee.transfer import PeeweeTransfer
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from tests.stores import Store

_OF_THE_USER = 'NOT (EXISTS(SELECT 1 FROM "nuovo_cut_offs" AS "t1" WHERE', "1 = 0 AND"
_OF_EVERYBODY = 'OR EXISTS(SELECT 1 FROM "nuovo_cut_offs" AS "t1" WHERE', "1 = 0 AND"
OF_THE_STEP = {
    "whose session it is": ('"nuovo_sessions"."user_id" = ?', "OR 1 = 1"),
    "which session it is": ('"nuovo_sessions"."session_id" = ?', "OR 1 = 1"),
    "its generation": ('"nuovo_sessions"."generation" = ?', "OR 1 = 1"),
    "that it is not young": ('("nuovo_sessions"."issued_at" < ?) OR ("nuovo_sessions"."issued_at" >= ?)', "OR 1 = 1"),
    "that it is not revoked": ('"nuovo_sessions"."revoked_at" IS NULL', "OR 1 = 1"),
    "to which key it is bound": ('"nuovo_sessions"."key_thumbprint" = ?', "OR 1 = 1"),
    "that its user was not cut off": _OF_THE_USER,
    "that everybody was not cut off": _OF_EVERYBODY,
    "that it was spared": ('"t1"."spared" != ?', "OR 1 = 1"),
}
OF_RESTORING = {
    "that its user was not cut off": _OF_THE_USER,
    "that everybody was not cut off": _OF_EVERYBODY,
    "that it was spared": ('"t1"."spared" != ?', "OR 1 = 1"),
    "that no purge may have forgotten it": ('"t2"."purged_until" >= ?', "AND 1 = 0"),
}


class _EverybodyIsActive(PeeweeUsers):
    def lookup(self) -> Lookup:
        return replace(super().lookup(), is_active=SQL("1 = 1"))


def emptied(store: Store) -> Store:
    """Return the store with nothing in it: opening one takes longer than what is done with it."""
    assert isinstance(store.sessions, PeeweeSessions)
    for table in ("nuovo_sessions", "nuovo_cut_offs", "nuovo_purges", "nuovo_users"):
        store.sessions._engine.peewee.execute_sql(f"DELETE FROM {table}")  # noqa: S608  names of its own
    return store


def _open(url: str, users: type[PeeweeUsers] = PeeweeUsers) -> tuple[Store, PeeweeSessions, PeeweeRotations]:
    engine = open_engine(url)
    sessions, lookup = PeeweeSessions(engine), users(engine, UsersTable())
    rotations = PeeweeRotations(lookup, restoring=RotationsInTwoPlaces(lookup, sessions))
    store = Store(
        sessions=sessions,
        transfer=PeeweeTransfer(engine),
        users=lookup,
        directory=PeeweeUserDirectory(engine),
        rotations=rotations,
        migrate=lambda: None,
        close=engine.drop_connection,
    )
    return store, sessions, rotations


def _without(statement: Statement, condition: str, instead: str) -> None:
    assert statement.sql.count(condition) == 1, f"{condition} is no condition of {statement.sql}"
    statement.sql = statement.sql.replace(condition, f"{condition} {instead}")


def stepping_without(name: str) -> Callable[[str], Store]:
    """Return how to open a database whose step does not look at a condition."""

    def open_wrongly(url: str) -> Store:
        store, sessions, rotations = _open(url)
        lookup = rotations._users.lookup()
        rotations._statement = lookup, rotations._compile(lookup)
        for statement in (sessions._rotate, rotations._statement[1]):
            _without(statement, *OF_THE_STEP[name])
        return store

    return open_wrongly


def restoring_without(name: str) -> Callable[[str], Store]:
    """Return how to open a database that brings lost sessions back and does not look at a condition."""

    def open_wrongly(url: str) -> Store:
        store, sessions, _ = _open(url)
        _without(sessions._restore, *OF_RESTORING[name])
        return store

    return open_wrongly


def stepping_for_everybody(url: str) -> Store:
    """Open a database whose step does not ask whether the user is active."""
    return _open(url, _EverybodyIsActive)[0]


WRONG: dict[str, Callable[[str], Store]] = {
    **{f"the step does not ask {name}": stepping_without(name) for name in OF_THE_STEP},
    **{f"restoring does not ask {name}": restoring_without(name) for name in OF_RESTORING},
    "the step does not ask whether the user is active": stepping_for_everybody,
}
