"""Sessions in tables, as something to move from and to."""

from collections.abc import Iterator

from domain.model.errors import UnknownPlaceError
from domain.model.sessions import EVERYBODY, CutOff, Session
from infrastructure.peewee import session_queries
from infrastructure.peewee import transfer_queries as queries
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.tables import row_of, session_of
from ports.transfer import Part, Transfer

_SESSIONS, _CUT_OFFS, _EVERYBODY = "sessions", "cut-offs", "everybody"


class PeeweeTransfer(Transfer):
    """First all sessions, then all cut-offs, everybody's last. A place is a kind of row and its key."""

    def __init__(self, engine: Engine) -> None:
        """Take an engine; nothing is connected yet."""
        self._engine = engine
        self._next_sessions = engine.compile(queries.next_sessions())
        self._next_cut_offs = engine.compile(queries.next_cut_offs())
        self._everybody = engine.compile(queries.everybody())
        self._purged_until = engine.compile(queries.purged_until())
        self._adopt = engine.compile(queries.adopt())
        self._adopt_cut_off = engine.compile(queries.adopt_cut_off())
        self._adopt_purge = engine.compile(session_queries.mark_purge())

    def export(self, after: str = "") -> Iterator[Part]:
        """Walk through both tables by their keys."""
        kind, _, key = after.partition(" ")
        if kind not in ("", _SESSIONS, _CUT_OFFS, _EVERYBODY):
            raise UnknownPlaceError
        if kind == _EVERYBODY:
            return
        if kind != _CUT_OFFS:
            session_id, _, user_id = key.partition(" ")
            yield from self._sessions_after(user_id, session_id)
            key = ""
        yield from self._cut_offs_after(key)
        for (ended_at,) in self._engine.select(self._everybody, {}):
            yield Part(place=_EVERYBODY, cut_offs={EVERYBODY: CutOff(ended_at=ended_at)})

    def adopt(self, session: Session) -> None:
        """Insert the row, or join it with the one that is there, and wait for the disk."""
        self._engine.write_to_disk(self._adopt, row_of(session))

    def adopt_cut_off(self, user_id: str, cut_off: CutOff) -> None:
        """Insert the cut-off, or join it with the one that is there, and wait for the disk."""
        values = {"user_id": user_id, "ended_at": cut_off.ended_at, "spared": cut_off.spared}
        self._engine.write_to_disk(self._adopt_cut_off, values)

    def adopt_purge(self, until: int) -> None:
        """Write the mark, and wait for the disk."""
        self._engine.write_to_disk(self._adopt_purge, {"until": until})

    def _sessions_after(self, user_id: str, session_id: str) -> Iterator[Part]:
        while True:
            mark = next(iter(self._engine.select(self._purged_until, {})), (None,))[0]
            after = {"after_user": user_id, "after_session": session_id}
            found = [session_of(row) for row in self._engine.select(self._next_sessions, after)]
            if not found:
                return
            user_id, session_id = found[-1].token.user_id, found[-1].token.session_id
            yield Part(place=f"{_SESSIONS} {session_id} {user_id}", sessions=found, purged_until=mark)

    def _cut_offs_after(self, user_id: str) -> Iterator[Part]:
        while found := self._engine.select(self._next_cut_offs, {"after_user": user_id}):
            user_id = found[-1][0]
            cut_offs = {owner: CutOff(ended_at=ended_at, spared=spared) for owner, ended_at, spared in found}
            yield Part(place=f"{_CUT_OFFS} {user_id}", cut_offs=cut_offs)
