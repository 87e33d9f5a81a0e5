"""Moving from and to sessions in memory, exactly as the port promises it."""

from collections.abc import Iterator

from domain.model.errors import UnknownPlaceError
from domain.model.sessions import EVERYBODY, CutOff, Session
from ports.transfer import Part, Transfer
from tests.fakes.sessions import FakeSessions, key_of

_PART = 3


class FakeTransfer(Transfer):
    """First all sessions, then all cut-offs, everybody's last; a place is how often a kind of row and its key."""

    def __init__(self, sessions: FakeSessions) -> None:
        self._store = sessions

    def export(self, after: str = "") -> Iterator[Part]:
        kind, _, key = after.partition(" ")
        if kind not in ("", "sessions", "cut-offs", "everybody"):
            raise UnknownPlaceError
        if kind == "everybody":
            return
        if kind != "cut-offs":
            session_id, _, user_id = key.partition(" ")
            yield from self._sessions_after((user_id, session_id))
            key = ""
        yield from self._cut_offs_after(key)
        if (ended_at := self._store.everybody_cut_off) is not None:
            yield Part(place="everybody", cut_offs={EVERYBODY: CutOff(ended_at=ended_at)})

    def adopt(self, session: Session) -> None:
        store = self._store
        with store.lock:
            if store.purged_until is not None and store.purged_until >= session.kept_until:
                return
            row = store.rows.get(key_of(session.token))
            store.rows[key_of(session.token)] = session if row is None else row.joined(session)

    def adopt_cut_off(self, user_id: str, cut_off: CutOff) -> None:
        store = self._store
        if user_id == EVERYBODY:
            store.end_everybody(started_by=cut_off.ended_at, at=cut_off.ended_at)
            return
        with store.lock:
            ours = store.cut_offs.get(user_id)
            if ours is None:
                store.cut_offs[user_id] = cut_off
                return
            later, earlier = (cut_off, ours) if cut_off.ended_at > ours.ended_at else (ours, cut_off)
            spared = later.spared
            if spared is not None and spared != earlier.spared:
                row = store.rows.get((user_id, spared))
                spared = spared if row is not None and not earlier.covers(spared, row.token.started_at) else None
            store.cut_offs[user_id] = CutOff(ended_at=later.ended_at, spared=spared)

    def adopt_purge(self, until: int) -> None:
        with self._store.lock:
            self._store.purged_until = max(until, self._store.purged_until or until)

    def _sessions_after(self, key: tuple[str, str]) -> Iterator[Part]:
        store = self._store
        while True:
            with store.lock:
                keys = sorted(each for each in store.rows if each > key)[:_PART]
                found = [store.rows[each] for each in keys]
                mark = store.purged_until
            if not keys:
                return
            key = keys[-1]
            yield Part(place=f"sessions {key[1]} {key[0]}", sessions=found, purged_until=mark)

    def _cut_offs_after(self, user_id: str) -> Iterator[Part]:
        store = self._store
        while True:
            with store.lock:
                users = sorted(each for each in store.cut_offs if each > user_id)[:_PART]
                found = {each: store.cut_offs[each] for each in users}
            if not users:
                return
            user_id = users[-1]
            yield Part(place=f"cut-offs {user_id}", cut_offs=found)
