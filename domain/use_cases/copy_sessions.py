"""Move to another store without logging anybody out."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.model.errors import UnknownPlaceError
from ports.clock import Clock
from ports.transfer import Part, Transfer

_OVERLAP = 600
"""Seconds that servers' clocks may differ from each other, and a call may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How far a copy has got: how many sessions and cut-offs it took, in which round, and where to go on."""

    sessions: int
    cut_offs: int
    is_second_round: bool
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySessions:
    """Copy all sessions and endings from one store to another, while either or both serve.

    The first round copies everything, and may be interrupted and continued. The second is quick: it copies once more
    what was ended at any time and what has changed since the first round began. What changes even later heals by the
    tokens that clients hold, but for endings and new sessions: so copy again when the last server has moved.
    """

    source: Transfer
    target: Transfer
    clock: Clock

    def __call__(self, after: str = "") -> Iterator[Copied]:
        """Yield how far it has got, from the start or from a place yielded earlier. Raises `UnknownPlaceError`."""
        begun, _, place = after.partition(" ") if after else (str(self.clock.now()), "", "")
        if not begun.isdecimal():
            raise UnknownPlaceError
        since = int(begun) - _OVERLAP
        purged_until = -1
        for part in self.source.export(place):
            if part.purged_until is not None and part.purged_until > purged_until:
                purged_until = part.purged_until
                self.target.adopt_purge(purged_until)
            yield self._adopt(part, since=None, place=f"{begun} {part.place}")
        for part in self.source.export():
            yield self._adopt(part, since=since, place=f"{begun} {part.place}")

    def _adopt(self, part: Part, *, since: int | None, place: str) -> Copied:
        sessions = [
            session
            for session in part.sessions
            if since is None or session.revoked_at is not None or session.token.issued_at >= since
        ]
        for session in sessions:
            self.target.adopt(session)
        for user_id, cut_off in part.cut_offs.items():
            self.target.adopt_cut_off(user_id, cut_off)
        return Copied(
            sessions=len(sessions), cut_offs=len(part.cut_offs), is_second_round=since is not None, place=place
        )
