"""What is asked of the sessions' tables, as Peewee queries with slots for values.

`rotate` is the statement that the service lives on.
"""

from typing import Any

from peewee import SQL, Case, Join, Select, Tuple, fn

from domain.model.sessions import EVERYBODY, Rotation
from domain.model.tokens import MAX_SESSION_TTL
from infrastructure.peewee.statement import slot
from infrastructure.peewee.tables import SESSION_COLUMNS, Expression, cut_offs, purges, sessions

_PURGE_BATCH = 500

_COLUMNS: tuple[Expression, ...] = tuple(getattr(sessions, name) for name in SESSION_COLUMNS)
_KEY: Expression = Tuple(sessions.user_id, sessions.session_id)
_ONE = SQL("1")
_IS_OF_USER = sessions.user_id == slot("user_id")
_IS_SESSION = _IS_OF_USER & (sessions.session_id == slot("session_id"))


def _is_cut_off(user_id: Expression, session_id: Expression, started_at: Expression) -> Expression:
    """Tell whether the user's cut-off covers the session, or everybody's. One look at both would take longer."""
    covers = cut_offs.ended_at >= started_at
    of_user = (cut_offs.user_id == user_id) & covers & (cut_offs.spared.is_null() | (cut_offs.spared != session_id))
    of_everybody = (cut_offs.user_id == EVERYBODY) & covers
    return fn.EXISTS(cut_offs.select(_ONE).where(of_user)) | fn.EXISTS(cut_offs.select(_ONE).where(of_everybody))


_IS_CUT_OFF = _is_cut_off(slot("user_id"), slot("session_id"), slot("started_at"))
_MAY_BE_FORGOTTEN = fn.EXISTS(purges.select(_ONE).where(purges.purged_until >= slot("presented_expires_at")))


def rotate(off_disk: Expression | None) -> Expression:
    """Update the row that holds the replaced generation, if the session may take the step: the compare-and-set."""
    conditions = [
        _IS_SESSION,
        sessions.generation == slot("replaces"),
        (sessions.issued_at < slot("young_from")) | (sessions.issued_at >= slot("young_until")),
        sessions.revoked_at.is_null(),
        # APPSEC: once bound, always bound.
        sessions.key_thumbprint.is_null() | (sessions.key_thumbprint == slot("held_key")),
        ~_IS_CUT_OFF,
    ]
    if off_disk is not None:
        conditions.append(off_disk)
    return sessions.update(
        {
            sessions.generation: slot("generation"),
            sessions.parent_generation: slot("parent_generation"),
            sessions.issued_at: slot("issued_at"),
            sessions.expires_at: slot("expires_at"),
            sessions.key_thumbprint: slot("key_thumbprint"),
            sessions.kept_until: larger(sessions.kept_until, slot("kept_until")),
        }
    ).where(*conditions)


def returning(update: Expression, *columns: Expression) -> Expression:
    """Let `update` return the session's claims, then `columns`."""
    return update.returning(sessions.claims, *columns)


def step_of(rotation: Rotation) -> dict[str, Any]:
    """Return the values that `rotate` needs."""
    token, young = rotation.successor, rotation.unless_rotated_in
    return {
        "user_id": token.user_id,
        "session_id": token.session_id,
        "started_at": token.started_at,
        "replaces": rotation.replaces,
        "young_from": young.start,
        "young_until": young.stop,
        "held_key": rotation.held_key,
        "generation": token.generation,
        "parent_generation": rotation.parent_generation,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
        "key_thumbprint": token.key_thumbprint,
        "kept_until": rotation.kept_until,
    }


def insert(*unless: Expression) -> Expression:
    """Add a row if its key is free and none of the conditions holds."""
    row = Select(columns=[slot(name) for name in SESSION_COLUMNS]).where(SQL("1 = 1"), *(~each for each in unless))
    target = [sessions.user_id, sessions.session_id]
    return sessions.insert(row, columns=list(_COLUMNS)).on_conflict(action="nothing", conflict_target=target)


def restore() -> Expression:
    """Add the row of a session that the store has lost, unless it may have been ended."""
    return insert(_IS_CUT_OFF, _MAY_BE_FORGOTTEN)


def get(fence: Expression | None) -> Expression:
    """Read cut-offs, purge mark and row, whichever there are."""
    everybody = cut_offs.alias("everybody")
    source = (
        Join(
            Select(columns=[_ONE.alias("one")]).alias("one"),
            sessions,
            "LEFT JOIN",
            on=_IS_SESSION,
        )
        .join(cut_offs, "LEFT JOIN", on=(cut_offs.user_id == slot("user_id")))
        .join(everybody, "LEFT JOIN", on=(everybody.user_id == EVERYBODY))
        .join(purges, "LEFT JOIN", on=(purges.id == 1))
    )
    known = [cut_offs.ended_at, cut_offs.spared, everybody.ended_at, purges.purged_until]
    query = Select([source], [*known, *_COLUMNS])
    return query if fence is None else query.where(fence)


def end() -> Expression:
    """Revoke a session that is not revoked yet."""
    return sessions.update(
        {
            sessions.revoked_at: slot("at"),
            sessions.revocation_reason: slot("reason"),
            sessions.kept_until: larger(sessions.kept_until, sessions.ends_at),
        }
    ).where(_IS_SESSION & sessions.revoked_at.is_null())


def end_all() -> Expression:
    """Write the user's cut-off; spare a session only if an earlier cut-off has not ended it."""
    latest_start = sessions.select(fn.MAX(sessions.started_at)).where(sessions.user_id == slot("user_id"))
    ended_at = larger(slot("at"), fn.COALESCE(latest_start, slot("at")))
    is_alive = (cut_offs.spared == excluded("spared")) | fn.EXISTS(
        sessions.select(_ONE).where(
            (sessions.user_id == cut_offs.user_id)
            & (sessions.session_id == excluded("spared"))
            & (sessions.started_at > cut_offs.ended_at)
        )
    )
    return cut_offs.insert(
        Select(columns=[slot("user_id"), ended_at, slot("spared")]).where(SQL("1 = 1")),
        columns=[cut_offs.user_id, cut_offs.ended_at, cut_offs.spared],
    ).on_conflict(
        conflict_target=[cut_offs.user_id],
        update={
            cut_offs.ended_at: larger(cut_offs.ended_at, excluded("ended_at")),
            cut_offs.spared: Case(None, [(is_alive, excluded("spared"))], None),
        },
    )


def end_everybody() -> Expression:
    """Write everybody's cut-off."""
    return cut_offs.insert({cut_offs.user_id: EVERYBODY, cut_offs.ended_at: slot("started_by")}).on_conflict(
        conflict_target=[cut_offs.user_id],
        update={cut_offs.ended_at: larger(cut_offs.ended_at, excluded("ended_at"))},
    )


def count_live_of_everybody() -> Expression:
    """Count all live sessions that had started by an instant: this looks through the whole table."""
    return _live(fn.COUNT(_ONE)).where(sessions.started_at <= slot("started_by"))


def count_live() -> Expression:
    """Count the user's live sessions but the spared one."""
    return _live(fn.COUNT(_ONE)).where(_IS_OF_USER & (sessions.session_id != slot("other_than")))


def list_live() -> Expression:
    """Read a page of the user's live sessions, the newest first."""
    return (
        _live(*_COLUMNS)
        .where(
            _IS_OF_USER
            & (Tuple(sessions.started_at, sessions.session_id) < Tuple(slot("after_start"), slot("after_id")))
        )
        .order_by(sessions.started_at.desc(), sessions.session_id.desc())
        .limit(slot("limit"))
    )


def _live(*columns: Expression) -> Expression:
    is_cut_off = _is_cut_off(sessions.user_id, sessions.session_id, sessions.started_at)
    return sessions.select(*columns).where(
        sessions.revoked_at.is_null() & (sessions.expires_at > slot("now")) & ~is_cut_off
    )


def owner_of() -> Expression:
    """Find whose session it is, without knowing the first half of its key."""
    return sessions.select(sessions.user_id).where(sessions.session_id == slot("session_id"))


def mark_purge() -> Expression:
    """Write down how far a purge goes, and never less than before."""
    return purges.insert({purges.id: 1, purges.purged_until: slot("until")}).on_conflict(
        conflict_target=[purges.id],
        update={purges.purged_until: larger(purges.purged_until, excluded("purged_until"))},
    )


def next_keys() -> Expression:
    """Read the keys of the next rows in the order of the table."""
    after = Tuple(slot("after_user"), slot("after_session"))
    return (
        sessions.select(sessions.user_id, sessions.session_id)
        .where(after < _KEY)
        .order_by(sessions.user_id, sessions.session_id)
        .limit(_PURGE_BATCH)
    )


def purge_range() -> Expression:
    """Remove what is to be forgotten between two keys."""
    after, last = Tuple(slot("after_user"), slot("after_session")), Tuple(slot("last_user"), slot("last_session"))
    return sessions.delete().where((after < _KEY) & (last >= _KEY) & (sessions.kept_until <= slot("until")))


def purge_cut_offs() -> Expression:
    """Remove cut-offs whose last session has reached its absolute end."""
    return cut_offs.delete().where(cut_offs.ended_at <= slot("until") - MAX_SESSION_TTL)


def excluded(column: str) -> Expression:
    """Return the value that an insert would have written, in the words that both databases share."""
    return SQL(f'EXCLUDED."{column}"')


def larger(a: Expression, b: Expression) -> Expression:
    """Return the larger of two values: SQLite says MAX, PostgreSQL says GREATEST, both say CASE."""
    return Case(None, [(a > b, a)], b)
