"""What moving to another database asks of the tables, as Peewee queries with slots for values."""

from peewee import SQL, Case, Select, Tuple, fn

from domain.model.sessions import EVERYBODY
from infrastructure.peewee.session_queries import excluded, larger
from infrastructure.peewee.statement import slot
from infrastructure.peewee.tables import SESSION_COLUMNS, Expression, cut_offs, purges, sessions

PART = 500
_COLUMNS: tuple[Expression, ...] = tuple(getattr(sessions, name) for name in SESSION_COLUMNS)
_STEP = ("generation", "parent_generation", "issued_at", "expires_at")


def next_sessions() -> Expression:
    """Read the next rows in the order of their keys."""
    key = Tuple(sessions.user_id, sessions.session_id)
    return (
        sessions.select(*_COLUMNS)
        .where(Tuple(slot("after_user"), slot("after_session")) < key)
        .order_by(sessions.user_id, sessions.session_id)
        .limit(PART)
    )


def next_cut_offs() -> Expression:
    """Read the next cut-offs in the order of their users."""
    return (
        cut_offs.select(cut_offs.user_id, cut_offs.ended_at, cut_offs.spared)
        .where(cut_offs.user_id > slot("after_user"))
        .order_by(cut_offs.user_id)
        .limit(PART)
    )


def everybody() -> Expression:
    """Read everybody's cut-off."""
    return cut_offs.select(cut_offs.ended_at).where(cut_offs.user_id == EVERYBODY)


def purged_until() -> Expression:
    """Read how far purges went."""
    return purges.select(purges.purged_until)


def adopt() -> Expression:
    """Add a row, or join it with the one that is there."""
    is_further = excluded("generation") > sessions.generation
    joined = {
        getattr(sessions, name): Case(None, [(is_further, excluded(name))], getattr(sessions, name)) for name in _STEP
    }
    ours, theirs = sessions.key_thumbprint, excluded("key_thumbprint")
    joined |= {
        ours: Case(None, [(is_further, fn.COALESCE(theirs, ours))], fn.COALESCE(ours, theirs)),
        sessions.kept_until: larger(sessions.kept_until, excluded("kept_until")),
        sessions.device: Case(None, [(sessions.device == "", excluded("device"))], sessions.device),
        sessions.claims: Case(None, [(sessions.claims == "{}", excluded("claims"))], sessions.claims),
    }
    is_live = sessions.revoked_at.is_null()
    joined |= {
        column: Case(None, [(is_live, excluded(column.name))], column)
        for column in (sessions.revoked_at, sessions.revocation_reason)
    }
    is_forgotten = fn.EXISTS(purges.select(SQL("1")).where(purges.purged_until >= slot("kept_until")))
    row = Select(columns=[slot(name) for name in SESSION_COLUMNS]).where(~is_forgotten)
    return sessions.insert(row, columns=list(_COLUMNS)).on_conflict(
        conflict_target=[sessions.user_id, sessions.session_id], update=joined
    )


def adopt_cut_off() -> Expression:
    """Add a cut-off, or join it with the one that is there."""
    ended_at = excluded("ended_at")
    is_later = ended_at > cut_offs.ended_at
    spared = Case(
        None,
        [
            (cut_offs.spared == excluded("spared"), cut_offs.spared),
            (is_later & _had_not_started(excluded("spared"), at=cut_offs.ended_at), excluded("spared")),
            (~is_later & _had_not_started(cut_offs.spared, at=ended_at), cut_offs.spared),
        ],
        None,
    )
    return cut_offs.insert(
        {cut_offs.user_id: slot("user_id"), cut_offs.ended_at: slot("ended_at"), cut_offs.spared: slot("spared")}
    ).on_conflict(
        conflict_target=[cut_offs.user_id],
        update={cut_offs.ended_at: larger(cut_offs.ended_at, ended_at), cut_offs.spared: spared},
    )


def _had_not_started(session_id: Expression, *, at: Expression) -> Expression:
    return fn.EXISTS(
        sessions.select(SQL("1")).where(
            (sessions.user_id == cut_offs.user_id) & (sessions.session_id == session_id) & (sessions.started_at > at)
        )
    )
