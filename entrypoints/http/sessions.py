"""`/sessions`: begun by the login service, seen and ended by their user."""

from typing import Any

import falcon

from domain.model.sessions import MAX_DEVICE_LENGTH, Session
from domain.model.users import MAX_USER_ID_LENGTH, is_text, is_user_id
from domain.use_cases.authenticate_access_token import AuthenticateAccessToken
from domain.use_cases.end_all_sessions import EndAllSessions
from domain.use_cases.end_session import EndSession
from domain.use_cases.list_sessions import ListSessions
from domain.use_cases.start_session import StartSession
from entrypoints.http.credentials import ServiceCredentials, access_token_of
from entrypoints.http.envelope import succeed
from entrypoints.http.errors import InvalidFieldError
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.request_body import read_json_object

_FIELDS = {"user_id", "device", "transport"}


class SessionsResource:
    """All sessions of a user: `POST` for the login service, `GET` and `DELETE` for the user."""

    def __init__(
        self,
        *,
        services: ServiceCredentials,
        cookie: RefreshCookie,
        start: StartSession,
        authenticate: AuthenticateAccessToken,
        list_sessions: ListSessions,
        end_all: EndAllSessions,
    ) -> None:
        self._services = services
        self._cookie = cookie
        self._start = start
        self._authenticate = authenticate
        self._list = list_sessions
        self._end_all = end_all

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start a session. With the cookie transport, the login service passes `Set-Cookie` on to the browser."""
        self._services.check(req)
        user_id, device, transport = _fields_of(read_json_object(req))
        pair = self._start(user_id, device)
        data = {"session_id": pair.session_id, "access_token": pair.access_token}
        self._cookie.deliver(pair, resp, data, by_cookie=transport == "cookie")
        succeed(resp, data, code=201)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List the user's live sessions, the last used first."""
        caller = self._authenticate(access_token_of(req))
        sessions = [_shown(session, caller.session_id) for session in self._list(caller.user_id)]
        succeed(resp, {"sessions": sessions})

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End all of the user's sessions, this one included."""
        caller = self._authenticate(access_token_of(req))
        self._end_all(caller.user_id)
        self._cookie.clear_if_sent(req, resp)
        succeed(resp, {"message": "All sessions ended."})


class SessionResource:
    """One session of the user who asks."""

    def __init__(self, *, cookie: RefreshCookie, authenticate: AuthenticateAccessToken, end: EndSession) -> None:
        self._cookie = cookie
        self._authenticate = authenticate
        self._end = end

    def on_delete(self, req: falcon.Request, resp: falcon.Response, session_id: str) -> None:
        """End it. Somebody else's session and no session at all look the same."""
        caller = self._authenticate(access_token_of(req))
        self._end(session_id, owner=caller.user_id)
        if session_id == caller.session_id:
            self._cookie.clear_if_sent(req, resp)
        succeed(resp, {"message": "Session ended."})


def _shown(session: Session, current_id: str) -> dict[str, Any]:
    return {
        "id": session.id,
        "device": session.device,
        "started_at": session.started_at,
        "last_seen_at": session.rotated_at,
        "expires_at": session.expires_at,
        "current": session.id == current_id,
    }


def _fields_of(body: dict[str, Any]) -> tuple[str, str, str]:
    """Return user, device and transport, or raise `InvalidFieldError`."""
    user_id, device, transport = body.get("user_id"), body.get("device", ""), body.get("transport", "header")
    if not is_user_id(user_id):
        raise InvalidFieldError(
            f"user_id: must be a string of 1 to {MAX_USER_ID_LENGTH} characters, none of them a control character."
        )
    if not is_text(device, MAX_DEVICE_LENGTH):
        raise InvalidFieldError(
            f"device: must be a string of at most {MAX_DEVICE_LENGTH} characters, none of them a control character."
        )
    if transport not in ("header", "cookie"):
        raise InvalidFieldError('transport: must be "header" or "cookie".')
    if body.keys() - _FIELDS:
        raise InvalidFieldError("The only fields are user_id, device and transport.")
    return user_id, device, transport
