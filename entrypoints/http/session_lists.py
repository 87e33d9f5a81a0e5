"""Lists of sessions, in pages."""

from collections.abc import Callable
from typing import Any

import falcon

from domain.model.sessions import Session
from domain.use_cases.list_sessions import ListSessions
from entrypoints.http.envelope import succeed
from entrypoints.http.query import cursor_after
from ports.sessions import Page


def answer_list(
    resp: falcon.Response,
    list_sessions: ListSessions,
    user_id: str,
    page: Page,
    *,
    shown: Callable[[Session], dict[str, Any]],
) -> None:
    """Answer with a page of the user's live sessions, the newest first, and with `next` if there are more."""
    found = list_sessions(user_id, Page(limit=page.limit + 1, after=page.after))
    sessions = found[: page.limit]
    data: dict[str, Any] = {"sessions": [shown(session) for session in sessions]}
    if len(found) > page.limit:
        data["next"] = cursor_after(sessions[-1])
    succeed(resp, data)


def described(session: Session) -> dict[str, Any]:
    """Return what is told of a session, whoever asks."""
    token = session.token
    return {
        "id": token.session_id,
        "device": session.device,
        "started_at": token.started_at,
        "last_seen_at": token.issued_at,
        "expires_at": token.expires_at,
    }
