"""Sessions in memory, exactly as the port promises them."""

from collections.abc import Iterator
from dataclasses import replace
from threading import RLock

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.sessions import CutOff, RevocationReason, Rotation, Session
from domain.model.tokens import MAX_SESSION_TTL, RefreshToken
from ports.sessions import Page, Sessions

_PURGE_BATCH = 500
_Key = tuple[str, str]


def key_of(token: RefreshToken) -> _Key:
    return token.user_id, token.session_id


class FakeSessions(Sessions):
    """One lock makes every method atomic."""

    def __init__(self) -> None:
        self.rows: dict[_Key, Session] = {}
        self.cut_offs: dict[str, CutOff] = {}
        self.everybody_cut_off: int | None = None
        self.purged_until: int | None = None
        self.lock = RLock()

    def start(self, session: Session) -> None:
        with self.lock:
            self.rows.setdefault(key_of(session.token), session)

    def rotate(self, rotation: Rotation) -> Claims | None:
        token, key = rotation.successor, key_of(rotation.successor)
        with self.lock:
            row = self.rows.get(key)
            if (row.token.generation if row else None) != rotation.replaces or self._is_cut_off(token):
                return None
            if row is not None and row.token.key_thumbprint not in (None, rotation.held_key):
                return None
            if row is None:
                if self.purged_until is not None and self.purged_until >= rotation.presented.expires_at:
                    return None
                row = Session.recalled(token)
            if row.revoked_at is not None or row.token.issued_at in rotation.unless_rotated_in:
                return None
            row = self.rows[key] = row.rotated(rotation)
            return row.claims

    def get(self, user_id: str, session_id: str) -> Standing:
        with self.lock:
            return Standing(
                session=self.rows.get((user_id, session_id)),
                cut_off=self.cut_offs.get(user_id),
                purged_until=self.purged_until,
                everybody_cut_off=self.everybody_cut_off,
            )

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        with self.lock:
            self.rows.setdefault(key_of(token), Session.recalled(token))
            return self.end(token.user_id, token.session_id, at=at, reason=reason)

    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        with self.lock:
            row = self.rows.get((user_id, session_id))
            if row is None or row.revoked_at is not None:
                return False
            self.rows[user_id, session_id] = row.revoked(at=at, reason=reason)
            return True

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        with self.lock:
            before = self.cut_offs.get(user_id)
            if spare is not None and before is not None and before.spared != spare:
                row = self.rows.get((user_id, spare))
                spare = spare if row is not None and not self._is_cut_off(row.token) else None
            count = sum(row.token.session_id != spare for row in self._live(at, user_id))
            starts = [row.token.started_at for row in self.rows.values() if row.token.user_id == user_id]
            self.cut_offs[user_id] = CutOff(
                ended_at=max(at, before.ended_at if before else at, *starts, at), spared=spare
            )
            return count

    def end_everybody(self, *, started_by: int, at: int) -> int:
        with self.lock:
            count = sum(row.token.started_at <= started_by for row in self._live(at))
            self.everybody_cut_off = max(started_by, self.everybody_cut_off or started_by)
            return count

    def list_live(self, user_id: str, page: Page, *, now: int) -> list[Session]:
        with self.lock:
            live = self._live(now, user_id)
        live = [row for row in live if page.after is None or _place(row) < page.after]
        return sorted(live, key=_place, reverse=True)[: page.limit]

    def owner_of(self, session_id: str) -> str | None:
        with self.lock:
            return next((owner for owner, id_ in self.rows if id_ == session_id), None)

    def purge(self, *, until: int) -> Iterator[int]:
        with self.lock:
            self.purged_until = max(until, self.purged_until or until)
        after = ("", "")
        while batch := self._next_keys(after):
            after = batch[-1]
            yield self._purge_batch(batch, until)
        with self.lock:
            for user_id, cut_off in list(self.cut_offs.items()):
                if cut_off.ended_at <= until - MAX_SESSION_TTL:
                    del self.cut_offs[user_id]
            if self.everybody_cut_off is not None and self.everybody_cut_off <= until - MAX_SESSION_TTL:
                self.everybody_cut_off = None

    def lose_writes(self, session: Session) -> None:
        """Put back an earlier row, as a restored backup would."""
        with self.lock:
            self.rows[key_of(session.token)] = replace(session)

    def _live(self, now: int, user_id: str | None = None) -> list[Session]:
        return [
            row
            for row in self.rows.values()
            if user_id in (row.token.user_id, None)
            and row.revoked_at is None
            and row.token.expires_at > now
            and not self._is_cut_off(row.token)
        ]

    def _is_cut_off(self, token: RefreshToken) -> bool:
        if self.everybody_cut_off is not None and token.started_at <= self.everybody_cut_off:
            return True
        cut_off = self.cut_offs.get(token.user_id)
        return cut_off is not None and cut_off.covers(token.session_id, token.started_at)

    def _next_keys(self, after: _Key) -> list[_Key]:
        with self.lock:
            return sorted(key for key in self.rows if key > after)[:_PURGE_BATCH]

    def _purge_batch(self, batch: list[_Key], until: int) -> int:
        with self.lock:
            gone = [key for key in batch if key in self.rows and self.rows[key].kept_until <= until]
            for key in gone:
                del self.rows[key]
            return len(gone)


def _place(session: Session) -> tuple[int, str]:
    return session.token.started_at, session.token.session_id
