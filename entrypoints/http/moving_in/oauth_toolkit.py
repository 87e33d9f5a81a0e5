"""The endpoints of django-oauth-toolkit (3) that tokens of this service need: refresh grant, and introspection."""

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

import falcon
import orjson

from domain.model.errors import (
    AccessTokenExpiredError,
    InvalidAccessTokenError,
    InvalidRefreshTokenError,
    KeyNotProvenError,
    RefreshTokenExpiredError,
    UserNotFoundError,
)
from domain.use_cases.authenticate_access_token import AuthenticateAccessToken
from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.credentials import ServiceCredentials
from entrypoints.http.moving_in.access_claims import claims_of
from entrypoints.http.request_body import read_form
from ports.oauth_clients import OAuthClients

_REFUSALS = (InvalidRefreshTokenError, RefreshTokenExpiredError, UserNotFoundError)


class OAuthTokenResource:
    """`TokenView`, for `grant_type=refresh_token` (RFC 6749, section 6)."""

    def __init__(self, refresh: RefreshAccessToken, clients: OAuthClients, *, other_grants: str | None) -> None:
        """Take the named location of nginx where the old application answers all other grants, if there is one."""
        self._refresh = refresh
        self._clients = clients
        self._other_grants = other_grants

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with new tokens (section 5.1), or with an error (section 5.2)."""
        form = read_form(req)
        if form.get("grant_type") != "refresh_token":
            if self._other_grants is not None:
                resp.set_header("X-Accel-Redirect", self._other_grants)
            _answer(resp, 400, {"error": "unsupported_grant_type"})
            return
        presented = form.get("refresh_token")
        if not presented:
            _answer(resp, 400, {"error": "invalid_request", "error_description": "Missing refresh token parameter."})
            return
        client_id, secret = _client_of(req, form)
        if client_id is None or not self._clients.authenticate(client_id, secret):
            resp.set_header("WWW-Authenticate", 'Bearer error="invalid_client"')
            _answer(resp, 401, {"error": "invalid_client"})
            return
        try:
            pair = self._refresh(presented) if self._clients.may_present(client_id, presented) else None
        except KeyNotProvenError:
            _answer(resp, 400, {"error": "invalid_grant", "error_description": "Key not proven."})
            return
        except _REFUSALS:
            pair = None
        if pair is None:
            _answer(resp, 400, {"error": "invalid_grant"})
            return
        scope = claims_of(pair.access_token).get("scope", "")
        body = {
            "access_token": pair.access_token,
            "expires_in": pair.access_token_expires_in,
            "token_type": "Bearer",
            "scope": scope,
            "refresh_token": pair.refresh_token or presented,
        }
        _answer(resp, 200, body)


class OAuthIntrospectionResource:
    """What `RESOURCE_SERVER_INTROSPECTION_URL` asks for (RFC 7662): whose access token it is, by the user's name.

    No audience is named, because the toolkit takes one for the only address that the token is good for.
    """

    def __init__(
        self, services: ServiceCredentials, authenticate: AuthenticateAccessToken, name_of: Callable[[str], str | None]
    ) -> None:
        """Take who may ask (`RESOURCE_SERVER_AUTH_TOKEN`), and what a user is called in the application."""
        self._services = services
        self._authenticate = authenticate
        self._name_of = name_of

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with what the token says while its session lives; of any other that it is not active."""
        self._services.actor_of(req)
        try:
            token = self._authenticate(read_form(req).get("token", ""))
        except (InvalidAccessTokenError, AccessTokenExpiredError):
            _answer(resp, 200, {"active": False})
            return
        name = self._name_of(token.user_id)
        if name is None:
            _answer(resp, 200, {"active": False})
            return
        scope = token.claims.get("scope", "")
        _answer(resp, 200, {"active": True, "username": name, "scope": scope, "exp": token.expires_at})


def _client_of(req: falcon.Request, form: dict[str, str]) -> tuple[str | None, str | None]:
    """Return the client and its secret, from the header if there is one (RFC 6749, section 2.3.1)."""
    scheme, _, given = req.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme == "Basic":
        try:
            client_id, colon, secret = b64decode(given, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return None, None
        return (unquote_plus(client_id), unquote_plus(secret)) if colon else (None, None)
    return form.get("client_id"), form.get("client_secret") or None


def _answer(resp: falcon.Response, code: int, body: dict[str, Any]) -> None:
    resp.status = code
    resp.data = orjson.dumps(body)
