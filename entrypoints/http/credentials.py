"""Where a request carries its credential."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import falcon

from domain.model.actors import Actor, ActorKind
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.errors import (
    AccessTokenMissingError,
    AmbiguousCredentialsError,
    InvalidServiceCredentialError,
    RefreshTokenMissingError,
    ServiceCredentialMissingError,
)
from entrypoints.http.refresh_cookie import RefreshCookie


@dataclass(frozen=True, slots=True)
class PresentedRefreshToken:
    """A refresh token as it came, and whether the answer goes back by cookie."""

    text: str
    by_cookie: bool


class RefreshTokenCredential:
    """Finds the refresh token of a request: the `Authorization` header first, then the cookie."""

    def __init__(self, cookie: RefreshCookie, guard: CrossSiteGuard) -> None:
        """Take the cookie to look for and the guard that decides whether it may be believed."""
        self._cookie = cookie
        self._guard = guard

    def of(self, req: falcon.Request) -> PresentedRefreshToken:
        """Return the presented refresh token.

        Raises `RefreshTokenMissingError`, `AmbiguousCredentialsError` or `CrossSiteRequestError`.
        """
        if bearer := bearer_of(req):
            return PresentedRefreshToken(bearer, by_cookie=False)
        values = self._cookie.values_in(req)
        if len(values) > 1:
            raise AmbiguousCredentialsError
        if not values or not values[0]:
            raise RefreshTokenMissingError
        self._guard.check(req)
        req.context.by_cookie = True
        return PresentedRefreshToken(values[0], by_cookie=True)


class ServiceCredentials:
    """The secrets with which the application's own services, the login service first, may ask for sessions."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the secrets; with none, every request is refused."""
        self._digests = [_digest(secret) for secret in secrets]

    def actor_of(self, req: falcon.Request) -> Actor:
        """Return which service asks, or raise `ServiceCredentialMissingError` or `InvalidServiceCredentialError`."""
        bearer = bearer_of(req)
        if bearer is None:
            raise ServiceCredentialMissingError
        presented = _digest(bearer)
        # APPSEC: constant time, and every secret is compared, so that time tells neither which nor how much of it.
        matches = [hmac.compare_digest(presented, digest) for digest in self._digests]
        if not any(matches):
            raise InvalidServiceCredentialError
        return Actor(kind=ActorKind.SERVICE)


def access_token_of(req: falcon.Request) -> str:
    """Return the presented access token, which only ever comes by header, or raise `AccessTokenMissingError`."""
    bearer = bearer_of(req)
    if bearer is None:
        raise AccessTokenMissingError
    return bearer


def bearer_of(req: falcon.Request) -> str | None:
    """Return what follows `Bearer` in the `Authorization` header (RFC 6750, section 2.1), or `None`."""
    scheme, _, token = req.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") or None if scheme.lower() == "bearer" else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
