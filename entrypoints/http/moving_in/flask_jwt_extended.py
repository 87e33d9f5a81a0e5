"""The refresh endpoint of applications with Flask-JWT-Extended (4.7), by header and by cookie.

The library writes the refusals. What an answer looks like is up to each application: here it is as in the library's
documentation, `access_token` in the body, or with cookies all of them as `set_access_cookies` and
`set_refresh_cookies` set them.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import falcon
import orjson

from domain.model.errors import (
    InvalidRefreshTokenError,
    KeyNotProvenError,
    RefreshTokenExpiredError,
    RefusalCause,
    UserNotFoundError,
)
from domain.model.tokens import TokenPair
from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.errors import AmbiguousCredentialsError
from entrypoints.http.moving_in.access_claims import claims_of
from entrypoints.http.refresh_cookie import RefreshCookie

_YEAR = 31_540_000
"""Seconds, as the library has it."""
_NOT_AUTHENTIC = (
    RefusalCause.MALFORMED,
    RefusalCause.UNKNOWN_KEY,
    RefusalCause.BAD_SIGNATURE,
    RefusalCause.BAD_CLAIMS,
)


class _RefusedError(Exception):
    """A request that the library refuses before it looks at the token."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaskCookies:
    """The cookies of `JWT_TOKEN_LOCATION = ["cookies"]`. They are always `Secure`, whatever `JWT_COOKIE_SECURE` was."""

    refresh: RefreshCookie
    access_name: str = "access_token_cookie"
    access_path: str = "/"
    access_csrf_name: str = "csrf_access_token"
    refresh_csrf_name: str = "csrf_refresh_token"
    csrf_header: str = "X-CSRF-TOKEN"
    csrf_protect: bool = True
    lasting: bool = False
    """`JWT_SESSION_COOKIE` false."""

    def deliver(self, pair: TokenPair, resp: falcon.Response) -> None:
        """Set what the pair has."""
        max_age = f"; Max-Age={_YEAR}" if self.lasting else ""
        scope = f"{self._domain}; Secure; SameSite={self.refresh.same_site}{max_age}"

        def set_cookie(text: str) -> None:
            resp.append_header("Set-Cookie", text + scope)

        set_cookie(f"{self.access_name}={pair.access_token}; Path={self.access_path}; HttpOnly")
        if self.csrf_protect:
            set_cookie(f"{self.access_csrf_name}={claims_of(pair.access_token).get('csrf', '')}; Path=/")
        if pair.refresh_token is not None:
            set_cookie(f"{self.refresh.name}={pair.refresh_token}; Path={self.refresh.path}; HttpOnly")
            if self.csrf_protect:
                set_cookie(f"{self.refresh_csrf_name}={csrf_value(pair.refresh_token)}; Path=/")

    @property
    def _domain(self) -> str:
        return f"; Domain={self.refresh.domain}" if self.refresh.domain else ""


class FlaskJwtExtendedRefreshResource:
    """An endpoint with `@jwt_required(refresh=True)`."""

    def __init__(
        self,
        *,
        by_header: RefreshAccessToken,
        by_cookie: RefreshAccessToken,
        locations: Sequence[str],
        cookies: FlaskCookies,
        guard: CrossSiteGuard,
        csrf_value_of: Callable[[str], str | None],
    ) -> None:
        """Take what refreshes in each transport, where tokens are looked for, and what an old token's CSRF value is."""
        self._by_header = by_header
        self._by_cookie = by_cookie
        self._locations = locations
        self._cookies = cookies
        self._guard = guard
        self._csrf_value_of = csrf_value_of

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with new tokens the way the old one came, or as the library refuses."""
        try:
            presented, came_by_cookie = self._presented(req)
            pair = (self._by_cookie if came_by_cookie else self._by_header)(presented)
        except _RefusedError as refused:
            _answer(resp, refused.code, {"msg": refused.message})
        except RefreshTokenExpiredError:
            _answer(resp, 401, {"msg": "Token has expired"})
        except InvalidRefreshTokenError as error:
            if error.cause in _NOT_AUTHENTIC:
                _answer(resp, 422, {"msg": "Signature verification failed"})
            else:
                _answer(resp, 401, {"msg": "Token has been revoked"})
        except KeyNotProvenError:
            _answer(resp, 401, {"msg": "Key not proven"})
        except UserNotFoundError:
            _answer(resp, 401, {"msg": "Error loading the user"})
        else:
            self._deliver(pair, resp, by_cookie=came_by_cookie)

    def _deliver(self, pair: TokenPair, resp: falcon.Response, *, by_cookie: bool) -> None:
        if by_cookie:
            # APPSEC: what a script must not see is never in a body as well.
            self._cookies.deliver(pair, resp)
            _answer(resp, 200, {"refresh": True})
            return
        tokens = {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
        _answer(resp, 200, {name: token for name, token in tokens.items() if token is not None})

    def _presented(self, req: falcon.Request) -> tuple[str, bool]:
        """Return the token, and whether it came by cookie; raise `_RefusedError` in the library's words."""
        missing = []
        for location in self._locations:
            try:
                return self._from_header(req) if location == "headers" else self._from_cookie(req)
            except LookupError as error:
                missing.append(str(error.args[0]))
        if len(missing) == 1:
            raise _RefusedError(401, missing[0])
        raise _RefusedError(401, f"Missing JWT in {' or '.join(self._locations)} ({'; '.join(missing)})")

    def _from_header(self, req: falcon.Request) -> tuple[str, bool]:
        parts = req.env.get("HTTP_AUTHORIZATION", "").strip().strip(",").split()
        if not parts:
            raise LookupError("Missing Authorization Header")
        if parts[0] != "Bearer":
            raise LookupError("Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'")
        if len(parts) != 2:  # noqa: PLR2004  the type and the token
            raise _RefusedError(422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'")
        return parts[1], False

    def _from_cookie(self, req: falcon.Request) -> tuple[str, bool]:
        values = self._cookies.refresh.values_in(req)
        if len(values) > 1:
            raise AmbiguousCredentialsError
        if not values or not values[0]:
            raise LookupError(f'Missing cookie "{self._cookies.refresh.name}"')
        if self._cookies.csrf_protect:
            self._check_csrf(values[0], req.get_header(self._cookies.csrf_header))
        else:
            self._guard.check(req)
        return values[0], True

    def _check_csrf(self, presented: str, repeated: str | None) -> None:
        """Refuse a cookie whose double submit (the value in a header) is missing or another token's."""
        if not repeated:
            raise _RefusedError(401, "Missing CSRF token")
        # APPSEC: the value is bound to the token: a cookie that a subdomain has planted beside it is not asked.
        for expected in (csrf_value(presented), self._csrf_value_of(presented)):
            if expected is not None and hmac.compare_digest(_bytes(repeated), _bytes(expected)):
                return
        raise _RefusedError(401, "CSRF double submit tokens do not match")


def csrf_value(refresh_token: str) -> str:
    """Return what a browser repeats beside one of this service's own refresh tokens.

    APPSEC: it is bound to the token, so no planted cookie has a value that fits, and tells nothing of it.
    """
    digest = sha256(b"nuovo csrf:" + _bytes(refresh_token)).digest()
    return urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _answer(resp: falcon.Response, code: int, body: dict[str, Any]) -> None:
    resp.status = code
    resp.data = orjson.dumps(body)
