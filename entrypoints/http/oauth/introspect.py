"""`POST /oauth/introspect` (RFC 7662)."""

from typing import Any

import falcon
import orjson

from domain.model.tokens import AccessToken, RefreshToken
from domain.use_cases.introspect_token import IntrospectToken
from entrypoints.http.credentials import ServiceCredentials
from entrypoints.http.oauth.form import read_parameters, required
from entrypoints.http.oauth.server import AuthorizationServer


class IntrospectResource:
    """Tells a service what a token is worth at this moment."""

    def __init__(self, introspect: IntrospectToken, services: ServiceCredentials, server: AuthorizationServer) -> None:
        self._introspect = introspect
        self._services = services
        self._server = server

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with what the token says, or only that it is not active: not why (section 2.2)."""
        self._services.actor_of_client(req)
        token = self._introspect(required(read_parameters(req), "token"))
        resp.data = orjson.dumps({"active": False} if token is None else self._described(token))

    def _described(self, token: AccessToken | RefreshToken) -> dict[str, Any]:
        claims: dict[str, Any] = {
            "active": True,
            "iss": self._server.issuer,
            "sub": token.user_id,
            "client_id": self._server.client_id,
            "sid": token.session_id,
            "jti": token.id,
            "iat": token.issued_at,
            "exp": token.expires_at,
        }
        if token.key_thumbprint is not None:
            claims["cnf"] = {"jkt": token.key_thumbprint}  # RFC 9449, section 6.2
        if isinstance(token, RefreshToken):
            return {**claims, "aud": self._server.issuer, "type": "refresh", "auth_time": token.started_at}
        token_type = "Bearer" if token.key_thumbprint is None else "DPoP"
        # The service's own words come last: no claim of the application's can pass for one of them.
        return {**token.claims, **claims, "aud": self._server.audience, "type": "access", "token_type": token_type}
