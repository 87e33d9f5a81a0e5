"""Sessions in memory, exactly as the port promises them."""

from collections.abc import Iterator
from dataclasses import replace
from threading import RLock

from domain.model.decisions import Standing
from domain.model.sessions import MAX_SESSION_TTL, RevocationReason, Rotation, Session
from domain.model.tokens import RefreshToken
from ports.sessions import Sessions

_PURGE_BATCH = 500


class FakeSessions(Sessions):
    """One lock makes every method atomic."""

    def __init__(self) -> None:
        self.rows: dict[str, Session] = {}
        self.cut_offs: dict[str, int] = {}
        self.purged_until: int | None = None
        self.lock = RLock()

    def start(self, session: Session) -> None:
        with self.lock:
            self.rows.setdefault(session.id, session)

    def advance(self, rotation: Rotation) -> bool:
        with self.lock:
            row = self.rows.get(rotation.session_id)
            if (row.generation if row else None) != rotation.replaces:
                return False
            if self.cut_offs.get(rotation.user_id, -1) >= rotation.started_at:
                return False
            if row is None:
                if self.purged_until is not None and self.purged_until >= rotation.parent_expires_at:
                    return False
                row = Session.recalled(rotation.token())
            if row.revoked_at is not None:
                return False
            self.rows[row.id] = row.rotated(rotation)
            return True

    def get(self, session_id: str, user_id: str) -> Standing:
        with self.lock:
            return Standing(
                session=self.rows.get(session_id),
                cut_off=self.cut_offs.get(user_id),
                purged_until=self.purged_until,
            )

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        with self.lock:
            self.rows.setdefault(token.session_id, Session.recalled(token))
            return self.revoke_by_id(token.session_id, owner=None, at=at, reason=reason)

    def revoke_by_id(self, session_id: str, *, owner: str | None, at: int, reason: RevocationReason) -> bool:
        with self.lock:
            row = self.rows.get(session_id)
            if row is None or row.revoked_at is not None or owner not in (None, row.user_id):
                return False
            self.rows[session_id] = row.revoked(at=at, reason=reason)
            return True

    def end_all(self, user_id: str, *, at: int) -> None:
        with self.lock:
            starts = [row.started_at for row in self.rows.values() if row.user_id == user_id]
            self.cut_offs[user_id] = max(at, self.cut_offs.get(user_id, at), *starts, at)

    def list_live(self, user_id: str, *, now: int) -> list[Session]:
        with self.lock:
            live = [
                row
                for row in self.rows.values()
                if row.user_id == user_id
                and row.revoked_at is None
                and row.expires_at > now
                and row.started_at > self.cut_offs.get(user_id, -1)
            ]
        return sorted(live, key=lambda row: (-row.rotated_at, row.id))

    def purge(self, *, until: int) -> Iterator[int]:
        with self.lock:
            self.purged_until = max(until, self.purged_until or until)
        after = ""
        while batch := self._next_ids(after):
            after = batch[-1]
            yield self._purge_batch(batch, until)
        with self.lock:
            for user_id, ended_at in list(self.cut_offs.items()):
                if ended_at <= until - MAX_SESSION_TTL:
                    del self.cut_offs[user_id]

    def _next_ids(self, after: str) -> list[str]:
        with self.lock:
            return sorted(id_ for id_ in self.rows if id_ > after)[:_PURGE_BATCH]

    def _purge_batch(self, batch: list[str], until: int) -> int:
        with self.lock:
            gone = [id_ for id_ in batch if id_ in self.rows and self.rows[id_].kept_until <= until]
            for id_ in gone:
                del self.rows[id_]
            return len(gone)

    def lose_writes(self, session: Session) -> None:
        """Put back an earlier row, as a restored backup would."""
        with self.lock:
            self.rows[session.id] = replace(session)
