"""Sessions in one table: a row each, one conditional statement per refresh."""

from collections.abc import Iterator
from typing import Any

from peewee import SQL, Case, Join, Select, fn

from domain.model.decisions import Standing
from domain.model.sessions import (
    MAX_SESSION_TTL,
    Mark,
    RevocationReason,
    Rotation,
    Session,
)
from domain.model.tokens import RefreshToken
from infrastructure.peewee.database import Engine
from infrastructure.peewee.statement import Statement, slot
from infrastructure.peewee.tables import Expression, cut_offs, purges, sessions
from infrastructure.peewee.users import Lookup, PeeweeUsers
from ports.sessions import Sessions
from ports.users import Users

_PURGE_BATCH = 500
_COLUMNS: tuple[Expression, ...] = tuple(getattr(sessions, name) for name in sessions._columns)  # noqa: SLF001


class PeeweeSessions(Sessions):
    """Sessions in SQLite or PostgreSQL. Every query is compiled here, once."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine
        compile_ = engine.compile
        self._insert = compile_(_insert(_row_slots()))
        self._advance = compile_(_advance(engine.off_disk_condition()))
        self._advance_if_active: tuple[Lookup, Statement] | None = None
        self._restore = compile_(_insert(_row_slots(), unless=(_IS_CUT_OFF, _MAY_BE_FORGOTTEN)))
        self._get = compile_(_get())
        self._revoke = compile_(_revoke(sessions.id == slot("id")))
        self._revoke_own = compile_(_revoke((sessions.id == slot("id")) & (sessions.user_id == slot("owner"))))
        self._end_all = compile_(_end_all())
        self._list_live = compile_(_list_live())
        self._mark_purge = compile_(_mark_purge())
        self._next_ids = compile_(
            sessions.select(sessions.id).where(sessions.id > slot("after")).order_by(sessions.id).limit(_PURGE_BATCH)
        )
        self._purge_range = compile_(
            sessions.delete().where(
                (sessions.id > slot("after")) & (sessions.id <= slot("last")) & (sessions.kept_until <= slot("until"))
            )
        )
        self._purge_cut_offs = compile_(cut_offs.delete().where(cut_offs.ended_at <= slot("until") - MAX_SESSION_TTL))

    def start(self, session: Session) -> None:
        """Insert the row and wait for the disk."""
        self._engine.write_to_disk(self._insert, _row(session))

    def advance(self, rotation: Rotation) -> bool:
        """Update the one row that holds the replaced generation; insert a row only where there is none."""
        if rotation.replaces is None:
            session = Session.recalled(rotation.token()).rotated(rotation)
            values = _row(session) | {"parent_expires_at": rotation.parent_expires_at}
            return self._engine.write(self._restore, values) == 1
        return self._engine.write(self._advance, _step(rotation)) == 1

    def advance_if_active(self, rotation: Rotation, users: Users) -> bool:
        """Update the row in a statement that sees the user too, if the users are in the same database."""
        lookup = users.lookup_within(self._engine) if isinstance(users, PeeweeUsers) else None
        if lookup is None or rotation.replaces is None:
            return super().advance_if_active(rotation, users)
        if self._advance_if_active is None or self._advance_if_active[0] is not lookup:
            query = _advance(self._engine.off_disk_condition()).where(lookup.is_active)
            self._advance_if_active = lookup, self._engine.compile(query)
        try:
            key = lookup.to_key(rotation.user_id)
        except ValueError:
            return False
        return self._engine.write(self._advance_if_active[1], _step(rotation) | {"user_key": key}) == 1

    def get(self, session_id: str, user_id: str) -> Standing:
        """Read the row, the user's cut-off and the purge mark in one query."""
        ((cut_off, purged_until, *row),) = self._engine.select(self._get, {"id": session_id, "user_id": user_id})
        return Standing(session=None if row[0] is None else _session(row), cut_off=cut_off, purged_until=purged_until)

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """Mark the row revoked, or leave a revoked row where there is none, and wait for the disk."""
        revocation = {"id": token.session_id, "at": at, "reason": reason.value}
        if self._engine.write_to_disk(self._revoke, revocation):
            return True
        tombstone = Session.recalled(token).revoked(at=at, reason=reason)
        if self._engine.write_to_disk(self._insert, _row(tombstone)):
            return True
        # There is a row by now: revoked before, or brought back a moment ago by a token that healed it.
        return bool(self._engine.write_to_disk(self._revoke, revocation))

    def revoke_by_id(self, session_id: str, *, owner: str | None, at: int, reason: RevocationReason) -> bool:
        """Mark the row revoked and wait for the disk."""
        statement = self._revoke if owner is None else self._revoke_own
        values = {"id": session_id, "owner": owner, "at": at, "reason": reason.value}
        return self._engine.write_to_disk(statement, values) == 1

    def end_all(self, user_id: str, *, at: int) -> None:
        """Move the user's cut-off forward, past every session that the store knows, and wait for the disk."""
        self._engine.write_to_disk(self._end_all, {"user_id": user_id, "at": at})

    def list_live(self, user_id: str, *, now: int) -> list[Session]:
        """Read the user's rows by their index."""
        return [_session(row) for row in self._engine.select(self._list_live, {"user_id": user_id, "now": now})]

    def purge(self, *, until: int) -> Iterator[int]:
        """Walk the table by its key, a few hundred rows at a time, so that no lock is held for long."""
        # The mark is on disk before the first row goes: what is forgotten must never count as new.
        self._engine.write_to_disk(self._mark_purge, {"until": until})
        after = ""
        while ids := self._engine.select(self._next_ids, {"after": after}):
            last = ids[-1][0]
            yield self._engine.write(self._purge_range, {"after": after, "last": last, "until": until})
            after = last
        self._engine.write(self._purge_cut_offs, {"until": until})


_IS_CUT_OFF = fn.EXISTS(
    cut_offs.select(SQL("1")).where((cut_offs.user_id == slot("user_id")) & (cut_offs.ended_at >= slot("started_at")))
)
_MAY_BE_FORGOTTEN = fn.EXISTS(purges.select(SQL("1")).where(purges.purged_until >= slot("parent_expires_at")))


def _row_slots() -> list[Expression]:
    return [slot(name) for name in sessions._columns]  # noqa: SLF001


def _insert(row: list[Expression], unless: tuple[Expression, ...] = ()) -> Expression:
    """Add a row if its key is free and none of the conditions holds."""
    source = Select(columns=row).where(SQL("1 = 1"), *(~condition for condition in unless))
    return sessions.insert(source, columns=list(_COLUMNS)).on_conflict(action="nothing", conflict_target=[sessions.id])


def _advance(off_disk: Expression | None) -> Expression:
    """Return the compare-and-set. The marks move as in `Session.rotated`."""
    mark_is_due = (
        sessions.newer_mark_at.is_null()
        | (sessions.newer_mark_at < slot("mark_before"))
        | (sessions.newer_mark_at > slot("mark_after"))
    )

    def if_due(then: Expression, otherwise: Expression) -> Expression:
        return Case(None, [(mark_is_due, then)], otherwise)

    conditions = [
        sessions.id == slot("id"),
        sessions.generation == slot("replaces"),
        sessions.revoked_at.is_null(),
        ~_IS_CUT_OFF,
    ]
    if off_disk is not None:
        conditions.append(off_disk)
    return sessions.update(
        {
            sessions.generation: slot("generation"),
            sessions.parent_generation: slot("parent_generation"),
            sessions.rotated_at: slot("rotated_at"),
            sessions.expires_at: slot("expires_at"),
            sessions.kept_until: _larger(sessions.kept_until, slot("kept_until")),
            sessions.lost_generations: sessions.lost_generations + slot("lost_generations"),
            sessions.older_mark_generation: if_due(sessions.newer_mark_generation, sessions.older_mark_generation),
            sessions.older_mark_at: if_due(sessions.newer_mark_at, sessions.older_mark_at),
            sessions.newer_mark_generation: if_due(slot("parent_generation"), sessions.newer_mark_generation),
            sessions.newer_mark_at: if_due(slot("rotated_at"), sessions.newer_mark_at),
        }
    ).where(*conditions)


def _get() -> Expression:
    one = Select(columns=[SQL("1").alias("one")]).alias("one")
    source = (
        Join(one, sessions, "LEFT JOIN", on=(sessions.id == slot("id")))
        .join(cut_offs, "LEFT JOIN", on=(cut_offs.user_id == slot("user_id")))
        .join(purges, "LEFT JOIN", on=(purges.id == 1))
    )
    return Select([source], [cut_offs.ended_at, purges.purged_until, *_COLUMNS])


def _revoke(which: Expression) -> Expression:
    return sessions.update(
        {
            sessions.revoked_at: slot("at"),
            sessions.revocation_reason: slot("reason"),
            sessions.kept_until: _larger(sessions.kept_until, sessions.ends_at),
        }
    ).where(which & sessions.revoked_at.is_null())


def _end_all() -> Expression:
    latest_start = sessions.select(fn.MAX(sessions.started_at)).where(sessions.user_id == slot("user_id"))
    ended_at = _larger(slot("at"), fn.COALESCE(latest_start, slot("at")))
    return cut_offs.insert(
        Select(columns=[slot("user_id"), ended_at]).where(SQL("1 = 1")),
        columns=[cut_offs.user_id, cut_offs.ended_at],
    ).on_conflict(
        conflict_target=[cut_offs.user_id],
        update={cut_offs.ended_at: _larger(cut_offs.ended_at, _excluded("ended_at"))},
    )


def _list_live() -> Expression:
    is_cut_off = fn.EXISTS(
        cut_offs.select(SQL("1")).where(
            (cut_offs.user_id == sessions.user_id) & (cut_offs.ended_at >= sessions.started_at)
        )
    )
    return (
        sessions.select(*_COLUMNS)
        .where(
            (sessions.user_id == slot("user_id"))
            & sessions.revoked_at.is_null()
            & (sessions.expires_at > slot("now"))
            & ~is_cut_off
        )
        .order_by(sessions.rotated_at.desc(), sessions.id)
    )


def _mark_purge() -> Expression:
    return purges.insert({purges.id: 1, purges.purged_until: slot("until")}).on_conflict(
        conflict_target=[purges.id],
        update={purges.purged_until: _larger(purges.purged_until, _excluded("purged_until"))},
    )


def _excluded(column: str) -> Expression:
    """Return the value that an insert would have written, in the words that both databases share."""
    return SQL(f'EXCLUDED."{column}"')


def _larger(a: Expression, b: Expression) -> Expression:
    """Return the larger of two values: SQLite says MAX, PostgreSQL says GREATEST, both say CASE."""
    return Case(None, [(a > b, a)], b)


def _step(rotation: Rotation) -> dict[str, Any]:
    return {
        "id": rotation.session_id,
        "user_id": rotation.user_id,
        "replaces": rotation.replaces,
        "generation": rotation.generation,
        "parent_generation": rotation.parent_generation,
        "started_at": rotation.started_at,
        "rotated_at": rotation.rotated_at,
        "expires_at": rotation.expires_at,
        "kept_until": rotation.kept_until,
        "lost_generations": rotation.lost_generations,
        "mark_before": rotation.rotated_at - rotation.mark_spacing,
        "mark_after": rotation.rotated_at + rotation.mark_spacing,
    }


def _row(session: Session) -> dict[str, Any]:
    newer, older, reason = session.newer_mark, session.older_mark, session.revocation_reason
    return {
        "id": session.id,
        "user_id": session.user_id,
        "device": session.device,
        "generation": session.generation,
        "parent_generation": session.parent_generation,
        "started_at": session.started_at,
        "ends_at": session.ends_at,
        "rotated_at": session.rotated_at,
        "expires_at": session.expires_at,
        "kept_until": session.kept_until,
        "newer_mark_generation": newer and newer.generation,
        "newer_mark_at": newer and newer.superseded_at,
        "older_mark_generation": older and older.generation,
        "older_mark_at": older and older.superseded_at,
        "lost_generations": session.lost_generations,
        "revoked_at": session.revoked_at,
        "revocation_reason": reason and reason.value,
    }


def _session(row: Any) -> Session:
    (
        id_,
        user_id,
        device,
        generation,
        parent_generation,
        started_at,
        ends_at,
        rotated_at,
        expires_at,
        kept_until,
        newer_generation,
        newer_at,
        older_generation,
        older_at,
        lost_generations,
        revoked_at,
        reason,
    ) = row
    return Session(
        id=id_,
        user_id=user_id,
        device=device,
        generation=generation,
        parent_generation=parent_generation,
        started_at=started_at,
        ends_at=ends_at,
        rotated_at=rotated_at,
        expires_at=expires_at,
        kept_until=kept_until,
        newer_mark=None if newer_at is None else Mark(generation=newer_generation, superseded_at=newer_at),
        older_mark=None if older_at is None else Mark(generation=older_generation, superseded_at=older_at),
        lost_generations=lost_generations,
        revoked_at=revoked_at,
        revocation_reason=None if reason is None else RevocationReason(reason),
    )
