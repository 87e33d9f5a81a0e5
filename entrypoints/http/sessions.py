"""`/sessions`: begun by the login service, seen and ended by their user."""

from typing import Any

import falcon

from domain.model.actors import THE_USER
from domain.model.sessions import MAX_DEVICE_LENGTH, Session
from domain.model.users import MAX_USER_ID_LENGTH, is_text, is_user_id
from domain.use_cases.service import Service
from domain.use_cases.start_session import SessionTerms
from entrypoints.http.credentials import ServiceCredentials, access_token_of
from entrypoints.http.envelope import succeed
from entrypoints.http.errors import InvalidFieldError
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.request_body import read_json_object
from ports.sessions import Page

_PAGE = 100
_FIELDS = {"user_id", "device", "transport"}


class SessionsResource:
    """All sessions of a user: `POST` for the login service, `GET` and `DELETE` for the user."""

    def __init__(self, service: Service, services: ServiceCredentials, cookie: RefreshCookie) -> None:
        self._service = service
        self._services = services
        self._cookie = cookie

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start a session. With the cookie transport, the login service passes `Set-Cookie` on to the browser."""
        actor = self._services.actor_of(req)
        user_id, device, transport = _fields_of(read_json_object(req))
        pair = self._service.start(user_id, SessionTerms(device=device), by=actor)
        data = {"session_id": pair.session_id, "access_token": pair.access_token}
        self._cookie.deliver(pair, resp, data, by_cookie=transport == "cookie")
        succeed(resp, data, code=201)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List the user's live sessions, the newest first."""
        caller = self._service.authenticate(access_token_of(req))
        live = self._service.list_sessions(caller.user_id, Page(limit=_PAGE))
        sessions = [_shown(session, caller.session_id) for session in live]
        succeed(resp, {"sessions": sessions})

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End all of the user's sessions, this one included."""
        caller = self._service.authenticate(access_token_of(req))
        self._service.end_all(caller.user_id, by=THE_USER)
        self._cookie.clear_if_sent(req, resp)
        succeed(resp, {"message": "All sessions ended."})


class SessionResource:
    """One session of the user who asks."""

    def __init__(self, service: Service, cookie: RefreshCookie) -> None:
        self._service = service
        self._cookie = cookie

    def on_delete(self, req: falcon.Request, resp: falcon.Response, session_id: str) -> None:
        """End it. Somebody else's session and no session at all look the same."""
        caller = self._service.authenticate(access_token_of(req))
        if session_id == caller.session_id:
            self._service.end.own(caller)
            self._cookie.clear_if_sent(req, resp)
        else:
            self._service.end(caller.user_id, session_id, by=THE_USER)
        succeed(resp, {"message": "Session ended."})


def _shown(session: Session, current_id: str) -> dict[str, Any]:
    token = session.token
    return {
        "id": token.session_id,
        "device": session.device,
        "started_at": token.started_at,
        "last_seen_at": token.issued_at,
        "expires_at": token.expires_at,
        "current": token.session_id == current_id,
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
