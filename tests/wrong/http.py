"""Parts of the HTTP entry point as they are often written: each lacks one care that the real one takes."""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import falcon

from domain.model.errors import InvalidProofError, StoreUnavailableError
from domain.model.proofs import ProvenKey
from entrypoints.http.credentials import AccessTokenCredential
from entrypoints.http.cross_site import Cors, CrossSiteGuard, _is_this_host
from entrypoints.http.dpop_challenges import DPoPChallenges
from entrypoints.http.envelope import fail_as_oauth
from entrypoints.http.errors import CrossSiteRequestError, ErrorHandlers
from entrypoints.http.key_proofs import KeyProofs, bound_access_token_of
from entrypoints.http.oauth.form import read_public_client_parameters
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.request_body import read_form


class NoGuard(CrossSiteGuard):
    def check(self, req: falcon.Request) -> None:
        pass


class BelievesSiblings(CrossSiteGuard):
    """Takes every host of the same registrable domain for its own."""

    def check(self, req: falcon.Request) -> None:
        if req.get_header("Sec-Fetch-Site") != "same-site":
            super().check(req)


class BelievesNone(CrossSiteGuard):
    """Takes `none` for the user's own doing, as guards of pages do; a POST has no address bar."""

    def check(self, req: falcon.Request) -> None:
        if req.get_header("Sec-Fetch-Site") != "none":
            super().check(req)


class BelievesSilence(CrossSiteGuard):
    """Lets pass what says nothing of where it comes from."""

    def check(self, req: falcon.Request) -> None:
        if req.get_header("Sec-Fetch-Site") or req.get_header("Origin"):
            super().check(req)


class ComparesTheBeginning(CrossSiteGuard):
    def check(self, req: falcon.Request) -> None:
        if not (req.get_header("Origin") or "").startswith(tuple(self._allowed)):
            super().check(req)


class ComparesTheEnd(CrossSiteGuard):
    def check(self, req: falcon.Request) -> None:
        if not (req.get_header("Origin") or "").endswith(tuple(origin.split("://")[1] for origin in self._allowed)):
            super().check(req)


class ForgetsThePort(CrossSiteGuard):
    def check(self, req: falcon.Request) -> None:
        origin = re.sub(r":\d+$", "", req.get_header("Origin") or "")
        if req.get_header("Sec-Fetch-Site") or not _is_this_host(origin, req.host):
            super().check(req)


class BelievesOriginAlone(CrossSiteGuard):
    """Does not ask what the browser itself says of the site."""

    def check(self, req: falcon.Request) -> None:
        origin = req.get_header("Origin") or ""
        if origin not in self._allowed and not _is_this_host(origin, req.host):
            raise CrossSiteRequestError


GUARDS: list[type[CrossSiteGuard]] = [
    NoGuard,
    BelievesSiblings,
    BelievesNone,
    BelievesSilence,
    ComparesTheBeginning,
    ComparesTheEnd,
    ForgetsThePort,
    BelievesOriginAlone,
]


class TakesTheFirstCookie(RefreshCookie):
    def values_in(self, req: falcon.Request) -> list[str]:
        return super().values_in(req)[:1]


class ReadsCookiesWithFalcon(RefreshCookie):
    """Falcon strips characters from names that browsers keep."""

    def values_in(self, req: falcon.Request) -> list[str]:
        return req.get_cookie_values(self.name) or []


class ClearsWithFalcon(RefreshCookie):
    """Falcon's way lacks `Secure`, so that browsers keep a `__Host-` cookie."""

    def clear(self, resp: falcon.Response) -> None:
        resp.unset_cookie(self.name, path=self.path)


class ReflectsOrigins(Cors):
    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        self._allowed = frozenset({req.get_header("Origin") or ""})
        super().process_response(req, resp, resource, req_succeeded)


class LooksForOriginsInside(Cors):
    """`in` on a text where a set was meant."""

    def __init__(self, allowed_origins: Collection[str]) -> None:
        super().__init__(allowed_origins)
        self._allowed = ",".join(allowed_origins)  # type: ignore[assignment]  # the mistake


class ForgetsErrors(Cors):
    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        if req_succeeded:
            super().process_response(req, resp, resource, req_succeeded)


class ForgetsVary(Cors):
    """As Falcon's own middleware."""

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        super().process_response(req, resp, resource, req_succeeded)
        resp.delete_header("Vary")


class ClearsOnEveryRefusal(ErrorHandlers):
    """Logs everybody out of their browsers whenever the database is away."""

    def on_refusal(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        super().on_refusal(req, resp, error, params)
        if getattr(req.context, "by_cookie", False):
            self._cookie.clear(resp)


class TellsWhatWentWrong(ErrorHandlers):
    def on_defect(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        super().on_defect(req, resp, error, params)
        resp.text, resp.data = str(error), None


class RepeatsThePath(ErrorHandlers):
    def on_framework_error(
        self, req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, object]
    ) -> None:
        super().on_framework_error(req, resp, error, params)
        resp.set_header("Content-Location", req.path)


class MakesTroubleAGrant(ErrorHandlers):
    """Takes a database that is away for a token that is not good: clients throw their tokens away."""

    def on_refusal(
        self, req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, object]
    ) -> None:
        super().on_refusal(req, resp, error, params)
        if isinstance(error, StoreUnavailableError):
            fail_as_oauth(resp, 400, "invalid_grant", "Invalid refresh token.")


def reads_known_parameters(req: falcon.Request, *known: str) -> dict[str, str]:
    """Leave out what it does not know, so that `expect=current` is `DELETE` of everything."""
    return {name: str(req.params[name]) for name in known if name in req.params}


def reads_cookies_too(req: falcon.Request, client_id: str) -> dict[str, str]:
    """Find the refresh token of an OAuth request in its cookie as well."""
    form = read_public_client_parameters(req, client_id)
    for token in req.get_cookie_values("__Host-refresh_token") or []:
        form.setdefault("refresh_token", token)
    return form


def reads_the_address_too(req: falcon.Request, client_id: str) -> dict[str, str]:
    """Take parameters from the query, as many frameworks' `values` do."""
    return {**{name: str(value) for name, value in req.params.items()}, **read_form(req)}


class IgnoresBadProofs(KeyProofs):
    """Takes a proof that is wrong for one that is missing."""

    def by_header(self, req: falcon.Request) -> ProvenKey | None:
        with suppress(InvalidProofError):
            return super().by_header(req)
        return None


class ForgetsTheAccessToken(KeyProofs):
    """Takes a proof for whichever access token."""

    def beside(self, req: falcon.Request, access_token: str) -> ProvenKey | None:
        return self.by_header(req)


class LooksForTheHeaderAlone(KeyProofs):
    """Lets a bound access token pass without a proof if it says that it is bound."""

    def with_access_token(self, req: falcon.Request) -> tuple[str, ProvenKey] | None:
        token = bound_access_token_of(req)
        return None if token is None else (token, self.beside(req, token) or ProvenKey(thumbprint="k" * 43))


class ProvesBearerTokens(AccessTokenCredential):
    """Lets a bound access token be shown as a bearer token."""

    def of(self, req: falcon.Request) -> tuple[str, ProvenKey | None]:
        token, key = super().of(req)
        return token, key or self._proofs.beside(req, token)


class KeepsNoncesToItself(DPoPChallenges):
    """Tells clients that they need a nonce, and not which."""

    def add(self, req: falcon.Request, resp: falcon.Response, kind: type[Exception], *rest: Any, **named: Any) -> None:
        super().add(req, resp, kind, *rest, **named)
        resp.delete_header("DPoP-Nonce")


class ChallengesForBearers(DPoPChallenges):
    """Never says which scheme it wants."""

    def add(self, req: falcon.Request, resp: falcon.Response, kind: type[Exception], *rest: Any, **named: Any) -> None:
        before = resp.get_header("WWW-Authenticate")
        super().add(req, resp, kind, *rest, **named)
        if before is not None:
            resp.set_header("WWW-Authenticate", before)
