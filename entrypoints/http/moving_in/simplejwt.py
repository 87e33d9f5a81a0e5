"""The refresh endpoint of djangorestframework-simplejwt (5.5): `{"refresh"}` becomes `{"access", "refresh"}`."""

from typing import Any

import falcon
import orjson

from domain.model.errors import (
    InvalidRefreshTokenError,
    KeyNotProvenError,
    RefreshTokenExpiredError,
    UserNotFoundError,
)
from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.errors import BodyNotJsonError
from entrypoints.http.request_body import FORM, media_type_of, read_form, read_json

_CHALLENGE = 'Bearer realm="api"'
_REFUSALS: dict[type[Exception], dict[str, str]] = {
    InvalidRefreshTokenError: {"detail": "Token is invalid", "code": "token_not_valid"},
    RefreshTokenExpiredError: {"detail": "Token is expired", "code": "token_not_valid"},
    KeyNotProvenError: {"detail": "Key not proven.", "code": "token_not_valid"},
    UserNotFoundError: {"detail": "No active account found for the given token.", "code": "no_active_account"},
}
"""What clients go by is the status and `code`."""
_PROBLEMS: dict[type[Any], str] = {
    type(...): "This field is required.",
    type(None): "This field may not be null.",
    str: "This field may not be blank.",
}


class _InvalidBodyError(Exception):
    """A body that the library's serializer refuses, and what it says of it."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.body = body


class SimplejwtRefreshResource:
    """`TokenRefreshView`."""

    def __init__(self, refresh: RefreshAccessToken) -> None:
        """Take what refreshes: with one that never rotates, answers are those of `ROTATE_REFRESH_TOKENS` false."""
        self._refresh = refresh

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with new tokens, or as the library refuses."""
        try:
            pair = self._refresh(_presented(req))
        except _InvalidBodyError as error:
            _answer(resp, 400, error.body)
            return
        except tuple(_REFUSALS) as error:
            resp.set_header("WWW-Authenticate", _CHALLENGE)
            _answer(resp, 401, _REFUSALS[type(error)])
            return
        tokens = {"access": pair.access_token, "refresh": pair.refresh_token}
        _answer(resp, 200, {name: token for name, token in tokens.items() if token is not None})


def _presented(req: falcon.Request) -> str:
    """Return the field `refresh`, or raise `_InvalidBodyError`."""
    try:
        fields = read_form(req) if media_type_of(req) == FORM else read_json(req)
    except BodyNotJsonError:
        raise _InvalidBodyError({"detail": "JSON parse error"}) from None
    if not isinstance(fields, dict):
        raise _InvalidBodyError({"non_field_errors": ["Invalid data. Expected a dictionary."]})
    value = fields.get("refresh", ...)
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise _InvalidBodyError({"refresh": [_PROBLEMS.get(type(value), "Not a valid string.")]})


def _answer(resp: falcon.Response, code: int, body: dict[str, Any]) -> None:
    resp.status = code
    resp.data = orjson.dumps(body)
