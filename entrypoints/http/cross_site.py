"""Who may make a browser send the refresh cookie, and who may read the answer."""

from collections.abc import Collection

import falcon

from entrypoints.http.errors import CrossSiteRequestError

_ALLOWED_METHODS = "GET, POST, DELETE"
_ALLOWED_HEADERS = "Authorization, Content-Type, DPoP, X-Request-ID"
_EXPOSED_HEADERS = "Date, DPoP-Nonce, Retry-After, WWW-Authenticate, X-Request-ID"
_PREFLIGHT_MAX_AGE = "600"


class CrossSiteGuard:
    """Refuses requests that another site made the browser send with its cookies (CSRF).

    Browsers say where a request comes from, and scripts cannot forge it: `Sec-Fetch-Site` (Fetch Metadata), or
    `Origin` where that is missing. What says neither is refused.
    """

    def __init__(self, allowed_origins: Collection[str]) -> None:
        """Take the origins of other hosts whose pages may use the cookie."""
        self._allowed = frozenset(allowed_origins)

    def check(self, req: falcon.Request) -> None:
        """Raise `CrossSiteRequestError` unless `req` comes from this site or an allowed origin."""
        site = req.get_header("Sec-Fetch-Site")
        if site == "same-origin":
            return
        origin = req.get_header("Origin")
        if origin is not None and origin in self._allowed and site in (None, "same-site", "cross-site"):
            return
        if origin is not None and site is None and _is_this_host(origin, req.env.get("HTTP_HOST", "")):
            return
        raise CrossSiteRequestError


class Cors:
    """Lets pages of the listed origins read answers (CORS protocol, Fetch standard); off while none is listed."""

    def __init__(self, allowed_origins: Collection[str]) -> None:
        """Take the origins, each exactly as a browser sends it."""
        self._allowed = frozenset(allowed_origins)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Add the headers to every answer, errors included: otherwise a page cannot read why it was refused."""
        resp.append_header("Vary", "Origin")
        origin = req.get_header("Origin")
        if origin is None or origin not in self._allowed:
            return
        resp.set_header("Access-Control-Allow-Origin", origin)
        resp.set_header("Access-Control-Allow-Credentials", "true")
        if req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method"):
            resp.set_header("Access-Control-Allow-Methods", _ALLOWED_METHODS)
            resp.set_header("Access-Control-Allow-Headers", _ALLOWED_HEADERS)
            resp.set_header("Access-Control-Max-Age", _PREFLIGHT_MAX_AGE)
        else:
            resp.set_header("Access-Control-Expose-Headers", _EXPOSED_HEADERS)


def _is_this_host(origin: str, host: str) -> bool:
    """Tell whether `origin` names the host that the browser asked for. The scheme is the proxy's affair."""
    scheme, _, netloc = origin.partition("://")
    default_port = {"http": ":80", "https": ":443"}.get(scheme)
    if default_port is None or not host:
        return False
    return netloc.removesuffix(default_port).lower() == host.removesuffix(default_port).lower()
