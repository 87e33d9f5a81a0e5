"""Where a request carries its credential."""

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Iterable
from urllib.parse import unquote_plus

import falcon

from domain.model.actors import Actor, ActorKind
from domain.model.proofs import ProvenKey
from entrypoints.http.authorization import shown_as
from entrypoints.http.cross_site import CrossSiteGuard
from entrypoints.http.errors import (
    AccessTokenMissingError,
    AmbiguousCredentialsError,
    InvalidServiceCredentialError,
    RefreshTokenMissingError,
    ServiceCredentialMissingError,
)
from entrypoints.http.key_proofs import KeyProofs
from entrypoints.http.refresh_cookie import RefreshCookie


class RefreshTokenCredential:
    """Finds the refresh token of a request: the `Authorization` header first, then the cookie."""

    def __init__(self, cookie: RefreshCookie, guard: CrossSiteGuard) -> None:
        """Take the cookie to look for and the guard that decides whether it may be believed."""
        self._cookie = cookie
        self._guard = guard

    def of(self, req: falcon.Request) -> tuple[str, bool]:
        """Return the presented refresh token, and whether the answer goes back by cookie.

        Raises `RefreshTokenMissingError`, `AmbiguousCredentialsError` or `CrossSiteRequestError`.
        """
        if bearer := bearer_of(req):
            return bearer, False
        values = self._cookie.values_in(req)
        if len(values) > 1:
            raise AmbiguousCredentialsError
        if not values or not values[0]:
            raise RefreshTokenMissingError
        self._guard.check(req)
        req.context.by_cookie = True
        return values[0], True


class ServiceCredentials:
    """The secrets with which the application's own services, the login service first, may ask for sessions."""

    def __init__(self, credentials: Iterable[str]) -> None:
        """Take credentials, each a secret or `name:secret`; with none, every request is refused."""
        named = [credential.rpartition(":") for credential in credentials]
        self._known = [(Actor(kind=ActorKind.SERVICE, name=name or None), _digest(secret)) for name, _, secret in named]

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._known)

    def actor_of(self, req: falcon.Request) -> Actor:
        """Return which service asks, by the secret as `Bearer`.

        Raises `ServiceCredentialMissingError` or `InvalidServiceCredentialError`.
        """
        bearer = bearer_of(req)
        if bearer is None:
            raise ServiceCredentialMissingError
        return self._actor_with(bearer)

    def actor_of_client(self, req: falcon.Request) -> Actor:
        """Do as `actor_of`, and also take name and secret as a client's of OAuth 2.0 (RFC 6749, section 2.3.1)."""
        scheme, _, encoded = req.env.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            return self.actor_of(req)
        try:
            name, _, secret = b64decode(encoded.strip(" "), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            raise InvalidServiceCredentialError from None
        # A client encodes both as in a form; secrets that are made as is told here look the same either way.
        actor = self._actor_with(unquote_plus(secret))
        if actor.name is None or actor.name != unquote_plus(name):
            raise InvalidServiceCredentialError
        return actor

    def _actor_with(self, secret: str) -> Actor:
        presented = _digest(secret)
        # APPSEC: constant time, and every secret is compared, so that time tells neither which nor how much of it.
        matches = [actor for actor, digest in self._known if hmac.compare_digest(presented, digest)]
        if not matches:
            raise InvalidServiceCredentialError
        return matches[0]


class AccessTokenCredential:
    """Finds the access token of a request, which only ever comes by header: as `Bearer`, or as `DPoP` with a proof."""

    def __init__(self, proofs: KeyProofs) -> None:
        self._proofs = proofs

    def of(self, req: falcon.Request) -> tuple[str, ProvenKey | None]:
        """Return the presented access token, and the key that is proven if it did not come as a bearer token.

        Raises `AccessTokenMissingError`, `InvalidProofError` or `ProofNotFreshError`.
        """
        bearer = bearer_of(req)
        if bearer is not None:
            # A bad proof is refused everywhere, and a good one makes no bearer token a bound one.
            self._proofs.beside(req, bearer)
            return bearer, None
        shown = self._proofs.with_access_token(req)
        if shown is None:
            raise AccessTokenMissingError
        return shown


def bearer_of(req: falcon.Request) -> str | None:
    """Return what follows `Bearer` in the `Authorization` header (RFC 6750, section 2.1), or `None`."""
    return shown_as("bearer", req)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
