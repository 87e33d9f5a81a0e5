"""By which names the service speaks OAuth 2.0, and what it offers of it."""

from collections.abc import Sequence
from dataclasses import dataclass

TOKEN, REVOKE, INTROSPECT = "/oauth/token", "/oauth/revoke", "/oauth/introspect"
JWKS = "/.well-known/jwks.json"
METADATA = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """The names that access tokens carry. All clients are one: a public one, whose credential is its refresh token."""

    issuer: str = "nuovo"
    audience: str = "api"
    client_id: str = "frontend"
    base: str | None = None
    """The URL below which clients find the endpoints; `None` if the issuer is no URL (RFC 8414, section 2)."""

    def metadata(
        self, *, has_keys: bool, has_services: bool, dpop_algorithms: Sequence[str] = ()
    ) -> dict[str, object] | None:
        """Return the document of RFC 8414, which names what there is and no more; `None` if the issuer is no URL."""
        base = self.base
        if base is None:
            return None
        document: dict[str, object] = {
            "issuer": self.issuer,
            "token_endpoint": base + TOKEN,
            "response_types_supported": [],
            "grant_types_supported": ["refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint": base + REVOKE,
            "revocation_endpoint_auth_methods_supported": ["none"],
            "service_documentation": f"{base}/docs",
        }
        if has_keys:
            document["jwks_uri"] = base + JWKS
        if has_services:
            document["introspection_endpoint"] = base + INTROSPECT
            document["introspection_endpoint_auth_methods_supported"] = ["client_secret_basic", "Bearer"]
        if dpop_algorithms:
            document["dpop_signing_alg_values_supported"] = list(dpop_algorithms)  # RFC 9449, section 5.1
        return document
