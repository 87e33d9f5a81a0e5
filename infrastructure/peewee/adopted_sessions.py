"""How many sessions came from another system, for operators: this looks through the whole table."""

from dataclasses import dataclass, replace

import orjson

from infrastructure.peewee import session_queries as queries
from infrastructure.peewee.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """Live sessions of one scheme: how many there are, and when the last of the tokens that they began with expires."""

    scheme: str
    count: int
    expires_at: int


class AdoptedSessions:
    """Knows them by the claims that they began with, so that no column and no index is kept for them."""

    def __init__(self, engine: Engine) -> None:
        """Take the sessions' engine; nothing is connected yet."""
        self._engine = engine
        self._list = engine.compile(queries.list_adopted())

    def live(self, *, now: int) -> list[Adopted]:
        """Count them, some hundred rows at a time. Raises `StoreUnavailableError`."""
        found: dict[str, Adopted] = {}
        after_user, after_session = "", ""
        while rows := self._engine.select(
            self._list, {"now": now, "after_user": after_user, "after_session": after_session}
        ):
            for after_user, after_session, claims in rows:  # noqa: B007  the last ones count
                began_with = orjson.loads(claims)
                scheme, expires_at = began_with["iss"], began_with["exp"]
                known = found.setdefault(scheme, Adopted(scheme=scheme, count=0, expires_at=expires_at))
                found[scheme] = replace(known, count=known.count + 1, expires_at=max(known.expires_at, expires_at))
        return list(found.values())
