"""The cookies that carry a refresh token, and what is shown beside it, out of the reach of scripts."""

from dataclasses import dataclass
from typing import Any

import falcon

from domain.model.tokens import TokenPair

PRESENCE = "__Host-presence"
"""Shows that the device has proven its key a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenCookie:
    """Name and attributes of a cookie (RFC 6265bis). It is always `HttpOnly` and `Secure`.

    The `__Host-` prefix makes browsers refuse the cookie from anyone but this host: it needs `path` to be `/` and no
    `domain`.
    """

    name: str
    path: str = "/"
    domain: str | None = None
    same_site: str = "Strict"

    def values_in(self, req: falcon.Request) -> list[str]:
        """Return the values of all cookies of this name, in the order of the header."""
        # APPSEC: the raw header is split here because Falcon strips characters from names that browsers keep, so that
        # a planted cookie whose name begins with a no-break space would pass for the real one.
        header = req.env.get("HTTP_COOKIE", "")
        if self.name not in header:
            return []
        pairs = (pair.strip(" \t").partition("=") for pair in header.split(";"))
        return [value for name, equals, value in pairs if equals and name == self.name]

    def set(self, resp: falcon.Response, value: str, *, max_age: int | None) -> None:
        """Send `value`; the browser keeps it for `max_age` seconds, or for `None` until it is closed."""
        lasting = "" if max_age is None else f"; Max-Age={max_age}"
        resp.append_header("Set-Cookie", f"{self.name}={value}{lasting}{self.attributes}")

    def expire(self, resp: falcon.Response) -> None:
        """Make the browser forget the cookie, which it does only if every attribute is repeated."""
        resp.append_header(
            "Set-Cookie",
            f"{self.name}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0{self.attributes}",
        )

    @property
    def attributes(self) -> str:
        """All that is said of the cookie but how long it lasts."""
        domain = f"; Domain={self.domain}" if self.domain else ""
        return f"{domain}; Path={self.path}; HttpOnly; Secure; SameSite={self.same_site}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshCookie(HiddenCookie):
    """The cookie of the refresh token, and what goes with it when it goes."""

    name: str = "__Host-refresh_token"

    @property
    def presence(self) -> HiddenCookie:
        """The cookie that is shown with this one if the session is bound to its device."""
        return HiddenCookie(name=PRESENCE, same_site=self.same_site)

    def deliver(self, pair: TokenPair, resp: falcon.Response, data: dict[str, Any], *, by_cookie: bool) -> None:
        """Send the pair's refresh token, if it has one, by the cookie alone or in `data` alone."""
        if pair.refresh_token is None or pair.refresh_token_expires_in is None:
            return
        # APPSEC: what a script must not see is never in a body as well.
        if by_cookie:
            self.set(resp, pair.refresh_token, max_age=pair.refresh_token_expires_in if pair.remember else None)
        else:
            data["refresh_token"] = pair.refresh_token

    def clear(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Make the browser forget the cookie, and the presence of its device if it has shown one."""
        self.expire(resp)
        if PRESENCE in req.env.get("HTTP_COOKIE", ""):
            self.presence.expire(resp)

    def clear_if_sent(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Clear the cookie if the request carried it."""
        if self.values_in(req):
            self.clear(req, resp)
