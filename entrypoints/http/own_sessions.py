"""Sessions, for their user: seen and ended with an access token."""

import falcon

from domain.model.actors import THE_USER
from domain.use_cases.service import Service
from entrypoints.http.credentials import AccessTokenCredential
from entrypoints.http.envelope import succeed
from entrypoints.http.errors import InvalidFieldError
from entrypoints.http.query import read_page, read_query
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.session_lists import answer_list, described

_CURRENT = "current"


class OwnSessionsResource:
    """All sessions of the user who asks."""

    def __init__(self, service: Service, credential: AccessTokenCredential, cookie: RefreshCookie) -> None:
        self._service = service
        self._credential = credential
        self._cookie = cookie

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """List those that are live, the newest first."""
        caller = self._service.authenticate(*self._credential.of(req))
        answer_list(
            resp,
            self._service.list_sessions,
            caller.user_id,
            read_page(req),
            shown=lambda session: {**described(session), "current": session.token.session_id == caller.session_id},
        )

    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End all, this one included; or all the others."""
        caller = self._service.authenticate(*self._credential.of(req))
        spared = read_query(req, "except").get("except")
        if spared not in (None, _CURRENT):
            raise InvalidFieldError(f'except: must be "{_CURRENT}".')
        count = self._service.end_all(caller.user_id, by=THE_USER, spare=caller.session_id if spared else None)
        if not spared:
            self._cookie.clear_if_sent(req, resp)
        succeed(resp, {"message": f"All {'other ' if spared else ''}sessions ended.", "ended": count})


class OwnSessionResource:
    """One session of the user who asks."""

    def __init__(self, service: Service, credential: AccessTokenCredential, cookie: RefreshCookie) -> None:
        self._service = service
        self._credential = credential
        self._cookie = cookie

    def on_delete(self, req: falcon.Request, resp: falcon.Response, session_id: str) -> None:
        """End it. Somebody else's session and no session at all look the same."""
        caller = self._service.authenticate(*self._credential.of(req))
        read_query(req)
        if session_id == caller.session_id:
            self._service.end.own(caller)
            self._cookie.clear_if_sent(req, resp)
        else:
            self._service.end(caller.user_id, session_id, by=THE_USER)
        succeed(resp, {"message": "Session ended."})
