"""Sessions in one table: a row each, one conditional statement per refresh."""

from collections.abc import Iterator
from contextlib import suppress

import orjson

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.errors import StoreUnavailableError
from domain.model.sessions import CutOff, RevocationReason, Rotation, Session
from domain.model.tokens import RefreshToken
from infrastructure.peewee import session_queries as queries
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.tables import row_of, session_of
from ports.sessions import Page, Sessions

_NEWER_THAN_ALL = (2**62, "")


class PeeweeSessions(Sessions):
    """Sessions in SQLite or PostgreSQL. Every query is compiled here, once."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine
        compile_ = engine.compile
        self._insert = compile_(queries.insert())
        self._rotate = compile_(queries.returning(queries.rotate(engine.off_disk_condition())))
        self._restore = compile_(queries.restore())
        fence = engine.fence()
        self._get = compile_(queries.get(fence))
        # APPSEC: where a standby confirms rotations, it confirms looks, too: they decide about tokens as well.
        self._look = engine.select if fence is None else engine.write_returning
        self._end = compile_(queries.end())
        self._end_all = compile_(queries.end_all())
        self._count_live = compile_(queries.count_live())
        self._end_everybody = compile_(queries.end_everybody())
        self._count_live_of_everybody = compile_(queries.count_live_of_everybody())
        self._list_live = compile_(queries.list_live())
        self._owner_of = compile_(queries.owner_of())
        self._mark_purge = compile_(queries.mark_purge())
        self._next_keys = compile_(queries.next_keys())
        self._purge_range = compile_(queries.purge_range())
        self._purge_cut_offs = compile_(queries.purge_cut_offs())

    def start(self, session: Session) -> None:
        """Insert the row and wait for the disk."""
        self._engine.write_to_disk(self._insert, row_of(session))

    def rotate(self, rotation: Rotation) -> Claims | None:
        """Update the one row that holds the replaced generation; insert a row only where there is none."""
        if rotation.replaces is None:
            restored = Session.recalled(rotation.successor).rotated(rotation)
            values = row_of(restored) | {"presented_expires_at": rotation.presented.expires_at}
            return restored.claims if self._engine.write(self._restore, values) else None
        rows = self._engine.write_returning(self._rotate, queries.step_of(rotation))
        return orjson.loads(rows[0][0]) if rows else None

    def get(self, user_id: str, session_id: str) -> Standing:
        """Read the row, the user's cut-off and everybody's, and the purge mark in one query."""
        key = {"user_id": user_id, "session_id": session_id}
        ((ended_at, spared, everybody_cut_off, purged_until, *row),) = self._look(self._get, key)
        return Standing(
            session=None if row[0] is None else session_of(row),
            cut_off=None if ended_at is None else CutOff(ended_at=ended_at, spared=spared),
            purged_until=purged_until,
            everybody_cut_off=everybody_cut_off,
        )

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """Mark the row revoked, or leave a revoked row where there is none, and wait for the disk."""
        if self.end(token.user_id, token.session_id, at=at, reason=reason):
            return True
        tombstone = Session.recalled(token).revoked(at=at, reason=reason)
        if self._engine.write_to_disk(self._insert, row_of(tombstone)):
            return True
        # There is a row by now: revoked before, or brought back a moment ago by a token that healed it.
        return self.end(token.user_id, token.session_id, at=at, reason=reason)

    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        """Mark the row revoked and wait for the disk."""
        values = {"user_id": user_id, "session_id": session_id, "at": at, "reason": reason.value}
        return self._engine.write_to_disk(self._end, values) == 1

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        """Move the user's cut-off forward, past every session that the store knows, and wait for the disk."""
        live = {"user_id": user_id, "now": at, "other_than": spare or ""}
        ((count,),) = self._engine.select(self._count_live, live)
        self._engine.write_to_disk(self._end_all, {"user_id": user_id, "at": at, "spared": spare})
        return int(count)

    def end_everybody(self, *, started_by: int, at: int) -> int | None:
        """Move everybody's cut-off forward and wait for the disk."""
        values, count = {"started_by": started_by, "now": at}, None
        with suppress(StoreUnavailableError):  # the ending matters, and has no table to look through
            ((count,),) = self._engine.select(self._count_live_of_everybody, values)
        self._engine.write_to_disk(self._end_everybody, values)
        return count

    def list_live(self, user_id: str, page: Page, *, now: int) -> list[Session]:
        """Read the user's rows by their key."""
        started_at, session_id = page.after or _NEWER_THAN_ALL
        values = {
            "user_id": user_id,
            "now": now,
            "after_start": started_at,
            "after_id": session_id,
            "limit": page.limit,
        }
        return [session_of(row) for row in self._engine.select(self._list_live, values)]

    def owner_of(self, session_id: str) -> str | None:
        """Look through the table: the key begins with the user."""
        rows = self._engine.select(self._owner_of, {"session_id": session_id})
        return rows[0][0] if rows else None

    def purge(self, *, until: int) -> Iterator[int]:
        """Walk the table by its key, a few hundred rows at a time, so that no lock is held for long."""
        # The mark is on disk before the first row goes: what is forgotten must never count as new.
        self._engine.write_to_disk(self._mark_purge, {"until": until})
        after = {"after_user": "", "after_session": ""}
        while keys := self._engine.select(self._next_keys, after):
            last_user, last_session = keys[-1]
            last = {"last_user": last_user, "last_session": last_session}
            yield self._engine.write(self._purge_range, {**after, **last, "until": until})
            after = {"after_user": last_user, "after_session": last_session}
        self._engine.write(self._purge_cut_offs, {"until": until})
