"""The Falcon application: routes, middleware, error handlers. Pure: nothing happens at import."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import falcon

from domain.model.tokens import new_id
from domain.use_cases.service import Service
from entrypoints.http.addresses import ClientAddresses
from entrypoints.http.client import ClientResource, DemoResource, DemoSignInResource
from entrypoints.http.credentials import AccessTokenCredential, RefreshTokenCredential, ServiceCredentials
from entrypoints.http.cross_site import Cors, CrossSiteGuard
from entrypoints.http.device_binding import (
    REFRESH,
    REGISTER,
    BindingOffers,
    ProvePresenceResource,
    RegisterDeviceResource,
)
from entrypoints.http.documentation import DocsResource, OpenApiResource
from entrypoints.http.dpop_challenges import DPoPChallenges, renew_nonce
from entrypoints.http.errors import ErrorHandlers
from entrypoints.http.health import LiveResource, ReadyResource
from entrypoints.http.key_proofs import KeyProofs
from entrypoints.http.metrics import Metrics, MetricsResource, RequestTimes
from entrypoints.http.oauth import server as paths
from entrypoints.http.oauth.introspect import IntrospectResource
from entrypoints.http.oauth.revoke import RevokeResource
from entrypoints.http.oauth.server import AuthorizationServer
from entrypoints.http.oauth.token import TokenResource
from entrypoints.http.own_sessions import OwnSessionResource, OwnSessionsResource
from entrypoints.http.presence import PresenceCookie
from entrypoints.http.published import PublishedResource
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.refresh_token import RefreshTokenResource
from entrypoints.http.request_body import check_announced_size
from entrypoints.http.revoke_token import RevokeTokenResource
from entrypoints.http.session_request import KeyTerms
from entrypoints.http.users_sessions import (
    SignInResource,
    UsersSessionResource,
    UsersSessionsResource,
    keep_user_in_one_segment,
)
from ports.dpop import DPoP
from ports.security_log import OCCASION

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def create_app(
    service: Service,
    *,
    check_ready: Callable[[], None],
    cookie: RefreshCookie,
    service_credentials: Collection[str] = (),
    allowed_origins: Collection[str] = (),
    server: AuthorizationServer | None = None,
    public_keys: Mapping[str, object] | None = None,
    trusted_proxies: Collection[str] = (),
    metrics: Metrics | None = None,
    metrics_credentials: Collection[str] = (),
    demo_user: str | None = None,
    old_endpoints: Mapping[str, object] | None = None,
    dpop: DPoP | None = None,
    public_path: str = "",
) -> "falcon.App[falcon.Request, falcon.Response]":
    """Return the WSGI application over `service`. `check_ready` raises `StoreUnavailableError` while it cannot work.

    `service_credentials` are secrets or `name:secret`; `allowed_origins` are those of other hosts whose pages may use
    the cookie and read answers; `public_keys` is the JWK Set that access tokens are verified with; `trusted_proxies`
    are those who are believed about whom they forward for.
    With `demo_user`, anybody on this machine is signed in as that user at `/demo`.
    `old_endpoints`, by path, answer in the words of a library that an application moves in from.
    With `dpop` clients may prove that they hold a key. `public_path` is the path below which browsers find all this.
    """
    app = falcon.App(middleware=[] if metrics is None else RequestTimes(metrics.observe_requests))
    app.add_middleware(_EveryRequest(ClientAddresses(trusted_proxies)))
    if allowed_origins:
        app.add_middleware(Cors(allowed_origins))
    policy = service.start.policy
    challenges = DPoPChallenges(dpop, access_tokens_are_bound=policy.bound_access_tokens)
    ErrorHandlers(cookie, service.record, challenges).register(app)

    presence = PresenceCookie(cookie.presence, service.bind.devices.present)
    proofs = KeyProofs(dpop, service.record, presence.of)
    credential = RefreshTokenCredential(cookie, CrossSiteGuard(allowed_origins))
    offers = BindingOffers(service.bind, cookie, public_path=public_path)
    app.add_route("/refresh_token", RefreshTokenResource(credential, proofs, offers, cookie, service.refresh))
    app.add_route("/revoke_token", RevokeTokenResource(credential, cookie, service.revoke))
    for path, resource in ((REGISTER, RegisterDeviceResource), (REFRESH, ProvePresenceResource)):
        app.add_route(
            path,
            resource(service.bind, cookie, presence, public_path=public_path, allowed_origins=allowed_origins),
        )
    services = ServiceCredentials(service_credentials)
    sign_in = SignInResource(service, services, cookie, KeyTerms.of(policy, speaks_dpop=dpop is not None))
    own_credential = AccessTokenCredential(proofs)
    own = OwnSessionsResource(service, own_credential, cookie)
    app.add_route("/sessions", _SessionsOfBoth(sign_in, own))
    app.add_route("/sessions/{session_id}", OwnSessionResource(service, own_credential, cookie))
    app.add_route("/users/{user_id}/sessions", UsersSessionsResource(service, services))
    app.add_route("/users/{user_id}/sessions/{session_id}", UsersSessionResource(service, services))
    _add_oauth(
        app,
        service,
        services,
        proofs,
        server=server or AuthorizationServer(),
        public_keys=public_keys or {"keys": []},
        dpop_algorithms=() if dpop is None else dpop.algorithms,
    )
    app.add_route("/health/live", LiveResource())
    app.add_route("/health/ready", ReadyResource(check_ready))
    if metrics is not None:
        app.add_route("/metrics", MetricsResource(ServiceCredentials(metrics_credentials), metrics))
    app.add_route("/openapi.json", OpenApiResource())
    docs = DocsResource()
    app.add_route("/docs", docs)
    app.add_route("/docs/{asset}", docs, suffix="asset")
    client = ClientResource()
    app.add_route("/client.js", client)
    app.add_route("/client.d.ts", client, suffix="types")
    for path, endpoint in (old_endpoints or {}).items():
        app.add_route(path, endpoint)
    if demo_user is not None:
        demo = DemoResource()
        app.add_route("/demo", demo)
        app.add_route("/demo/{asset}", demo, suffix="asset")
        app.add_route("/demo/sign_in", DemoSignInResource(demo_user, service.start, cookie))
    return app


def _add_oauth(
    app: "falcon.App[falcon.Request, falcon.Response]",
    service: Service,
    services: ServiceCredentials,
    proofs: KeyProofs,
    *,
    server: AuthorizationServer,
    public_keys: Mapping[str, object],
    dpop_algorithms: Sequence[str],
) -> None:
    app.add_route(paths.TOKEN, TokenResource(service.refresh, proofs, server.client_id))
    app.add_route(paths.REVOKE, RevokeResource(service, server.client_id))
    app.add_route(paths.INTROSPECT, IntrospectResource(service.introspect, services, server))
    app.add_route(paths.JWKS, PublishedResource(public_keys))
    metadata = server.metadata(
        has_keys=bool(public_keys["keys"]), has_services=bool(services), dpop_algorithms=dpop_algorithms
    )
    if metadata is not None:
        app.add_route(paths.METADATA, PublishedResource(metadata))


class _SessionsOfBoth:
    """`/sessions`, one path for two audiences: begun by the login service, seen and ended by their user."""

    def __init__(self, sign_in: SignInResource, own: OwnSessionsResource) -> None:
        self.on_post, self.on_get, self.on_delete = sign_in.on_post, own.on_get, own.on_delete


class _EveryRequest:
    """What holds for every request, whatever it asks for."""

    def __init__(self, addresses: ClientAddresses) -> None:
        self._addresses = addresses

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give the logs the client's address and an identifier: the caller's own, if it is harmless, or a new one."""
        given = req.env.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        OCCASION.set({"request_id": request_id, "client": self._addresses.of(req)})
        resp.set_header("X-Request-ID", request_id)
        check_announced_size(req)
        keep_user_in_one_segment(req)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Keep answers out of caches, unless a resource says otherwise, and forget whose request this thread had."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        renew_nonce(req, resp)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
            resp.set_header("Pragma", "no-cache")
        if req.method == "OPTIONS" and req_succeeded:
            resp.status = 204
        OCCASION.set({})
