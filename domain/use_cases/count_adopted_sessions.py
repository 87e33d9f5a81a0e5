"""Tell how far a move from another system has come."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.model.adoption import origin_of
from domain.model.sessions import EVERYBODY, CutOff, Session
from ports.transfer import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Live sessions of one scheme: how many there are, and when the last of the tokens that they began with expires."""

    scheme: str
    count: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountAdoptedSessions:
    """Look through all sessions for those that another system's tokens have become. It takes its time."""

    transfer: Transfer

    def __call__(self, *, now: int) -> list[Adopted]:
        """Return one for each scheme of which a session is live. Raises `StoreUnavailableError`."""
        cut_offs = {user: cut_off for part in self.transfer.export() for user, cut_off in part.cut_offs.items()}
        found: dict[str, Adopted] = {}
        for session in self._all():
            origin = origin_of(session.claims)
            if origin is None or not _is_live(session, cut_offs, now):
                continue
            scheme, expires_at = origin
            known = found.get(scheme) or Adopted(scheme=scheme, count=0, expires_at=expires_at)
            found[scheme] = replace(known, count=known.count + 1, expires_at=max(known.expires_at, expires_at))
        return list(found.values())

    def _all(self) -> Iterator[Session]:
        for part in self.transfer.export():
            yield from part.sessions


def _is_live(session: Session, cut_offs: dict[str, CutOff], now: int) -> bool:
    token = session.token
    if session.revoked_at is not None or token.expires_at <= now:
        return False
    of_them = (cut_offs[user] for user in (token.user_id, EVERYBODY) if user in cut_offs)
    return not any(cut_off.covers(token.session_id, token.started_at) for cut_off in of_them)
