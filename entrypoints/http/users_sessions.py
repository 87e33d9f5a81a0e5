"""Sessions, for the login service and others of the application's own: begun, seen and ended with their credential.

Seeing and ending does not ask whether the user exists or is active: whoever was locked or removed may have sessions.
"""

from urllib.parse import quote, unquote

import falcon

from domain.model.users import is_user_id
from domain.use_cases.service import Service
from entrypoints.http.credentials import ServiceCredentials
from entrypoints.http.envelope import succeed
from entrypoints.http.query import read_page, read_query, read_spared
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.request_body import read_json_object
from entrypoints.http.session_lists import answer_list, described
from entrypoints.http.session_request import NOT_A_USER_ID, KeyTerms, read_session_request

_PREFIX, _SESSIONS = "users/", "sessions"


class SignInResource:
    """The session that begins when the login service knows who somebody is."""

    def __init__(self, service: Service, services: ServiceCredentials, cookie: RefreshCookie, keys: KeyTerms) -> None:
        self._service = service
        self._services = services
        self._cookie = cookie
        self._keys = keys

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start a session. With the cookie transport, the login service passes `Set-Cookie` on to the browser."""
        actor = self._services.actor_of(req)
        read_query(req)
        asked = read_session_request(read_json_object(req), self._keys)
        pair = self._service.start(asked.user_id, asked.terms, by=actor)
        data = {"session_id": pair.session_id, "access_token": pair.access_token}
        self._cookie.deliver(pair, resp, data, by_cookie=asked.by_cookie)
        succeed(resp, data, code=201)


class UsersSessionsResource:
    """All sessions of a user whom the caller names."""

    def __init__(self, service: Service, services: ServiceCredentials) -> None:
        self._service = service
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        """List those that are live, the newest first."""
        self._services.actor_of(req)
        answer_list(resp, self._service.list_sessions, _named(user_id), read_page(req), shown=described)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        """End all, or all but the one that `except` names: a changed password, a lock, a lost laptop."""
        actor = self._services.actor_of(req)
        count = self._service.end_all(_named(user_id), by=actor, spare=read_spared(req))
        succeed(resp, {"ended": count})


class UsersSessionResource:
    """One session of a user whom the caller names."""

    def __init__(self, service: Service, services: ServiceCredentials) -> None:
        self._service = service
        self._services = services

    def on_delete(self, req: falcon.Request, resp: falcon.Response, user_id: str, session_id: str) -> None:
        """End it. A session of another user and no session at all look the same."""
        actor = self._services.actor_of(req)
        read_query(req)
        self._service.end(_named(user_id), session_id, by=actor)
        succeed(resp, {"ended": 1})


def keep_user_in_one_segment(req: falcon.Request) -> None:
    """Let the path `/users/{user_id}/sessions…` have one segment for the user, whatever characters it is made of.

    Servers hand over the path decoded, so that a slash of the user's looks like the path's own. Read from the right it
    can be told apart: no session is called `sessions`.
    """
    if not req.path.lstrip("/").startswith(_PREFIX):
        return
    try:
        # Strictly, where Falcon would put replacement characters: two spellings must not be one user.
        path = req.env["PATH_INFO"].encode("latin-1").decode("utf-8").lstrip("/")
    except ValueError:
        raise falcon.HTTPNotFound from None
    segments = path.removeprefix(_PREFIX).split("/")
    length = next((length for length in (1, 2) if segments[-length:][0] == _SESSIONS), None)
    if length is not None:
        user_id = quote("/".join(segments[:-length]), safe="")
        req.path = "/" + _PREFIX + "/".join([user_id, *segments[-length:]])


def _named(segment: str) -> str:
    user_id = unquote(segment)
    if not is_user_id(user_id):
        raise NOT_A_USER_ID
    return user_id
