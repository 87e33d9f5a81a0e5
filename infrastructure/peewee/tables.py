"""The tables as queries see them. Their columns' types are in `migrations/`.

A session's columns are the fields of `Session` and of its token: they stand nowhere else.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeAlias

import orjson
from peewee import Table

from domain.model.sessions import RevocationReason, Session
from domain.model.tokens import RefreshToken

Expression: TypeAlias = Any
"""A part of a query. Peewee's overload every operator, which no type says."""

_TOKEN = tuple(field.name for field in fields(RefreshToken))
_OWN = tuple(field.name for field in fields(Session) if field.name != "token")
SESSION_COLUMNS = _TOKEN + _OWN

sessions: Expression = Table("nuovo_sessions", SESSION_COLUMNS)
cut_offs: Expression = Table("nuovo_cut_offs", ("user_id", "ended_at", "spared"))
purges: Expression = Table("nuovo_purges", ("id", "purged_until"))
"""One row, of `id` 1: everything that ended before `purged_until` may have been forgotten."""
users: Expression = Table("nuovo_users", ("id", "active"))


def row_of(session: Session) -> dict[str, Any]:
    """Return a session's values by column."""
    row = {name: getattr(session.token, name) for name in _TOKEN} | {name: getattr(session, name) for name in _OWN}
    row["claims"] = orjson.dumps(session.claims).decode()
    return row


def session_of(row: Sequence[Any]) -> Session:
    """Return the session in a row of `SESSION_COLUMNS`."""
    values = dict(zip(SESSION_COLUMNS, row, strict=True))
    values["remember"] = bool(values["remember"])
    values["claims"] = orjson.loads(values["claims"])
    reason = values["revocation_reason"]
    values["revocation_reason"] = None if reason is None else RevocationReason(reason)
    token = RefreshToken(**{name: values.pop(name) for name in _TOKEN})
    return Session(token=token, **values)
