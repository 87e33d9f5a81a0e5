"""Which error is which answer. The status table of the service is here and nowhere else."""

from collections.abc import Callable

import falcon
import structlog
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6750.errors import InvalidTokenError

from domain.model.errors import (
    AccessTokenExpiredError,
    InvalidAccessTokenError,
    InvalidClaimsError,
    InvalidDeviceProofError,
    InvalidProofError,
    InvalidRefreshTokenError,
    KeyNotProvenError,
    NuovoError,
    ProofNotFreshError,
    RefreshTokenExpiredError,
    SessionNotFoundError,
    StaleDeviceProofError,
    StoreUnavailableError,
    UserDisabledError,
    UserNotFoundError,
)
from entrypoints.http.dpop_challenges import DPOP_ERRORS, DPoPChallenges
from entrypoints.http.envelope import fail, fail_as_oauth
from entrypoints.http.refresh_cookie import RefreshCookie
from ports.security_log import Happening, SecurityEvent

RETRY_AFTER_SECONDS = "1"
REALM = "nuovo"
_log = structlog.get_logger("nuovo.http")


class HttpError(Exception):
    """A refusal that only makes sense in HTTP; the domain never hears of it."""


class RefreshTokenMissingError(HttpError):
    """Neither header nor cookie holds a refresh token."""


class AccessTokenMissingError(HttpError):
    """No access token in the header."""


class ServiceCredentialMissingError(HttpError):
    """No service credential in the header."""


class InvalidServiceCredentialError(HttpError):
    """A service credential that is not configured."""


class AmbiguousCredentialsError(HttpError):
    """More than one refresh cookie: one of them may have been planted."""


class ScriptedRegistrationError(HttpError):
    """A key that a script would register: browsers register theirs by themselves."""


class PresenceSkippedError(HttpError):
    """A browser that could not prove its key this time, and says so."""


class PlantedCookieError(HttpError):
    """More than one cookie of a name, where any refusal would be the end of a binding: it is put off."""


class CrossSiteRequestError(HttpError):
    """A cookie that another site made the browser send (CSRF)."""


class BodyTooLargeError(HttpError):
    """A request body over the limit."""


class BodyNotJsonError(HttpError):
    """A request body that is not readable as a JSON object."""


class BodyMediaTypeError(HttpError):
    """A request body that does not say it is JSON."""


class InvalidFieldError(HttpError):
    """A field of the body or the query that is missing or wrong. The message names it, never its value."""


_ANSWERS: dict[type[Exception], tuple[int, str]] = {
    RefreshTokenMissingError: (401, "Refresh token missing."),
    InvalidRefreshTokenError: (401, "Invalid refresh token."),
    RefreshTokenExpiredError: (401, "Refresh token has expired."),
    KeyNotProvenError: (401, "Key not proven."),
    InvalidProofError: (401, "Invalid DPoP proof."),
    ProofNotFreshError: (401, "DPoP proof needs a new nonce."),
    UserNotFoundError: (404, "User not found."),
    UserDisabledError: (403, "User disabled."),
    AccessTokenMissingError: (401, "Access token missing."),
    InvalidAccessTokenError: (401, "Invalid access token."),
    AccessTokenExpiredError: (401, "Access token has expired."),
    ServiceCredentialMissingError: (401, "Service credential missing."),
    InvalidServiceCredentialError: (401, "Invalid service credential."),
    SessionNotFoundError: (404, "Session not found."),
    CrossSiteRequestError: (403, "Cross-site request refused."),
    InvalidDeviceProofError: (400, "Invalid device proof."),
    StaleDeviceProofError: (403, "Device proof needed."),
    ScriptedRegistrationError: (403, "Only browsers register keys."),
    PresenceSkippedError: (503, "Service temporarily unavailable."),
    PlantedCookieError: (503, "Service temporarily unavailable."),
    AmbiguousCredentialsError: (400, "Ambiguous credentials."),
    BodyTooLargeError: (413, "Request body too large."),
    BodyNotJsonError: (400, "Request body is not valid JSON."),
    BodyMediaTypeError: (415, "Request body must be application/json."),
    StoreUnavailableError: (503, "Service temporarily unavailable."),
}
OAUTH_PREFIX = "/oauth/"
_OAUTH_ANSWERS: dict[type[Exception], tuple[int, str]] = {
    InvalidRefreshTokenError: (400, InvalidGrantError.error),
    RefreshTokenExpiredError: (400, InvalidGrantError.error),
    UserNotFoundError: (400, InvalidGrantError.error),
    ServiceCredentialMissingError: (401, InvalidClientError.error),
    InvalidServiceCredentialError: (401, InvalidClientError.error),
    **{kind: (400, error) for kind, error in DPOP_ERRORS.items()},
}
"""Below `OAUTH_PREFIX` these are other answers; what else a client did wrong is `invalid_request`."""
_OAUTH_MESSAGES: dict[type[Exception], str] = {
    BodyNotJsonError: "Request body is not a valid form, with each parameter once.",
    BodyMediaTypeError: "Request body must be application/x-www-form-urlencoded.",
}
_OAUTH_TROUBLE = {500: "server_error", 503: "temporarily_unavailable"}
_FRAMEWORK_MESSAGES = {404: "Not found.", 405: "Method not allowed.", 408: "Request timed out."}
_UNAUTHORIZED = 401
_UNAVAILABLE = 503
_BASIC = f'Basic realm="{REALM}"'
_MISSING = (RefreshTokenMissingError, AccessTokenMissingError, ServiceCredentialMissingError)
_OF_ACCESS_TOKENS = (AccessTokenMissingError, InvalidAccessTokenError, AccessTokenExpiredError)


def _challenge(error: type[Exception], message: str) -> str:
    """Return the `WWW-Authenticate` value: it names an error only if a token was sent (RFC 6750, section 3.1)."""
    if error in _MISSING:
        return f'Bearer realm="{REALM}"'
    headers = dict(InvalidTokenError(realm=REALM, description=message).get_headers())
    return str(headers["WWW-Authenticate"])


_CHALLENGES = {
    error: _challenge(error, message) for error, (code, message) in _ANSWERS.items() if code == _UNAUTHORIZED
}


class ErrorHandlers:
    """Turns every exception into an answer of the one envelope."""

    def __init__(
        self, cookie: RefreshCookie, record: Callable[[SecurityEvent], None], challenges: DPoPChallenges
    ) -> None:
        """Take the refresh cookie, which a 401 to a request that was made with it clears, and who is told of events."""
        self._cookie = cookie
        self._record = record
        self._challenges = challenges

    def register(self, app: "falcon.App[falcon.Request, falcon.Response]") -> None:
        """Make `app` answer with these handlers and no others."""
        app.add_error_handler(Exception, self.on_defect)
        app.add_error_handler(falcon.HTTPError, self.on_framework_error)
        app.add_error_handler((NuovoError, HttpError), self.on_refusal)
        app.add_error_handler(OAuth2Error, self.on_oauth_error)

    def on_refusal(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        """Answer a refusal, or a store in trouble, by the table."""
        if isinstance(error, InvalidFieldError):
            fail(resp, 422, str(error))
            return
        if isinstance(error, InvalidClaimsError):
            fail(resp, 422, f"claims: {error}.")
            return
        if isinstance(error, InvalidServiceCredentialError):
            self._record(SecurityEvent(happening=Happening.SERVICE_REFUSED))
        # An adapter may have its own kind of an error.
        kind = next(kind for kind in type(error).__mro__ if kind in _ANSWERS)
        code, message = _ANSWERS[kind]
        code = _fail(req, resp, code, message, kind)
        if code == _UNAUTHORIZED:
            resp.set_header("WWW-Authenticate", _CHALLENGES[kind])
            if _is_oauth(req):
                resp.append_header("WWW-Authenticate", _BASIC)
            # A session whose key was not proven goes on, and its cookie with it.
            if kind not in DPOP_ERRORS and getattr(req.context, "by_cookie", False):
                self._cookie.clear(req, resp)
        self._challenges.add(req, resp, kind, message, of_access_token=kind in _OF_ACCESS_TOKENS)
        if code == _UNAVAILABLE:
            resp.set_header("Retry-After", RETRY_AFTER_SECONDS)
        if isinstance(error, StoreUnavailableError):
            _log.error("store_unavailable", reason=str(error), path=req.uri_template)

    def on_framework_error(
        self, req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, object]
    ) -> None:
        """Answer what Falcon refuses (unknown paths and methods, malformed requests), with its headers."""
        code = falcon.http_status_to_code(error.status)
        for name, value in dict(error.headers or {}).items():
            resp.set_header(name, value)
        _fail(req, resp, code, _FRAMEWORK_MESSAGES.get(code, "Bad request."))

    def on_oauth_error(
        self, req: falcon.Request, resp: falcon.Response, error: OAuth2Error, params: dict[str, object]
    ) -> None:
        """Answer a refusal that only makes sense in OAuth 2.0."""
        fail_as_oauth(resp, error.status_code, error.error, error.description)
        if error.status_code == _UNAUTHORIZED:
            resp.set_header("WWW-Authenticate", _BASIC)

    def on_defect(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        """Answer a defect of this service; its trace goes to the log alone."""
        _log.exception("unexpected_error", path=req.uri_template)
        _fail(req, resp, 500, "An unexpected error occurred")


def _is_oauth(req: falcon.Request) -> bool:
    # Falcon routes a path with any number of slashes before it.
    return f"/{req.path.lstrip('/')}".startswith(OAUTH_PREFIX)


def _fail(
    req: falcon.Request, resp: falcon.Response, code: int, message: str, kind: type[Exception] = Exception
) -> int:
    """Answer in the form that the path asks for, and return the status, which may be another one there."""
    if not _is_oauth(req):
        fail(resp, code, message)
        return code
    code, error = _OAUTH_ANSWERS.get(kind, (code, str(InvalidRequestError.error)))
    fail_as_oauth(resp, code, _OAUTH_TROUBLE.get(code, error), _OAUTH_MESSAGES.get(kind, message))
    return code
