"""What a browser is served beside the API: the client module, and in a demonstration the page to try it on.

The page comes with a sign-in that asks for no password. It exists in `nuovo serve --demo` alone, over a throw-away
database, for one user, and only under a name of this machine.
"""

from importlib.resources import files
from ipaddress import ip_address

import falcon

from domain.model.actors import THE_USER
from domain.use_cases.start_session import SessionTerms, StartSession
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.envelope import fail, succeed
from entrypoints.http.errors import InvalidFieldError
from entrypoints.http.pages import JAVASCRIPT, STYLESHEET, answer_page
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.request_body import read_json_object

_CLIENT_MAX_AGE = 3600
_DEVICES = {"cookie": "Browser", "header": "Experiment"}
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

# APPSEC: what a device or an error is called cannot become markup, let alone a script.
_NO_MARKUP_FROM_TEXT = "; require-trusted-types-for 'script'; trusted-types 'none'"


class ClientResource:
    """`/client.js`: the JavaScript client, an ES module without dependencies; and `/client.d.ts`, its types."""

    def __init__(self) -> None:
        self._module, self._types = _static("client.js"), _static("client.d.ts")

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the module."""
        resp.content_type, resp.data = JAVASCRIPT, self._module
        resp.cache_control = ["public", f"max-age={_CLIENT_MAX_AGE}"]

    def on_get_types(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with what TypeScript is to know of the module. No browser asks for it."""
        resp.content_type, resp.data = falcon.MEDIA_TEXT, self._types
        resp.cache_control = ["public", f"max-age={_CLIENT_MAX_AGE}"]


class DemoResource:
    """`/demo`: a page on which a person can watch a session, and with the suffix `asset` the files that it loads."""

    def __init__(self) -> None:
        self._page = _static("demo.html")
        self._assets = {
            "demo.css": (STYLESHEET, _static("demo.css")),
            "demo.js": (JAVASCRIPT, _static("demo.js")),
        }

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the page."""
        answer_page(resp, self._page, stricter=_NO_MARKUP_FROM_TEXT)

    def on_get_asset(self, _req: falcon.Request, resp: falcon.Response, asset: str) -> None:
        """Answer with a file that the page loads. Any other name is an unknown path."""
        if asset not in self._assets:
            raise falcon.HTTPNotFound
        resp.content_type, resp.data = self._assets[asset]
        resp.cache_control = ["no-cache"]


class DemoSignInResource:
    """`POST /demo/sign_in`: what a login service does after it has checked a password, without the password."""

    def __init__(self, user_id: str, start: StartSession, cookie: RefreshCookie) -> None:
        """Take the only user who can be signed in here."""
        self._user_id = user_id
        self._start = start
        self._cookie = cookie
        self._guard = CrossSiteGuard(())

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start a session for the page itself: by cookie, or by header for the page's experiment with old tokens."""
        # APPSEC: from this machine alone, whatever name is asked for; under a name of it alone, so that no foreign name
        # that was made to lead here (DNS rebinding) is signed in; and for this page alone.
        if not _is_this_machine(req.env.get("REMOTE_ADDR", "")) or not _is_loopback(req.env.get("HTTP_HOST", "")):
            fail(resp, 403, "The demo signs in on localhost only.")
            return
        self._guard.check(req)
        fields = read_json_object(req)
        transport = fields.get("transport")
        if not isinstance(transport, str) or transport not in _DEVICES or len(fields) > 1:
            raise InvalidFieldError('transport: must be "header" or "cookie", and is the only field.')
        pair = self._start(self._user_id, SessionTerms(device=_DEVICES[transport]), by=THE_USER)
        data = {
            "session_id": pair.session_id,
            "access_token": pair.access_token,
            "replay_grace": self._start.policy.replay_grace,
        }
        self._cookie.deliver(pair, resp, data, by_cookie=transport == "cookie")
        succeed(resp, data, code=201)


def _is_this_machine(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _is_loopback(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal():
        name = host
    name = name.lower()
    return name in _LOOPBACK_NAMES or name.endswith(".localhost")


def _static(name: str) -> bytes:
    return files("entrypoints.http").joinpath("static", name).read_bytes()
