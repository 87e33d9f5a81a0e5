"""The Falcon application: routes, middleware, error handlers. Pure: nothing happens at import."""

import re
from collections.abc import Callable, Collection

import falcon
from structlog.contextvars import bind_contextvars, unbind_contextvars

from domain.model.tokens import new_id
from domain.use_cases.service import Service
from entrypoints.http.addresses import ClientAddresses
from entrypoints.http.client import ClientResource, DemoResource, DemoSignInResource
from entrypoints.http.credentials import RefreshTokenCredential, ServiceCredentials
from entrypoints.http.cross_site import Cors, CrossSiteGuard
from entrypoints.http.documentation import DocsResource, OpenApiResource
from entrypoints.http.errors import ErrorHandlers
from entrypoints.http.health import LiveResource, ReadyResource
from entrypoints.http.metrics import Metrics, MetricsResource, RequestTimes
from entrypoints.http.refresh_cookie import RefreshCookie
from entrypoints.http.refresh_token import RefreshTokenResource
from entrypoints.http.request_body import check_announced_size
from entrypoints.http.revoke_token import RevokeTokenResource
from entrypoints.http.sessions import SessionResource, SessionsResource

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def create_app(
    service: Service,
    *,
    check_ready: Callable[[], None],
    cookie: RefreshCookie,
    service_credentials: Collection[str] = (),
    allowed_origins: Collection[str] = (),
    trusted_proxies: Collection[str] = (),
    metrics: Metrics | None = None,
    metrics_credentials: Collection[str] = (),
    demo_user: str | None = None,
) -> "falcon.App[falcon.Request, falcon.Response]":
    """Return the WSGI application over `service`. `check_ready` raises `StoreUnavailableError` while it cannot work.

    `allowed_origins` are those of other hosts whose pages may use the cookie and read answers, `trusted_proxies` those
    who are believed about whom they forward for.
    With `demo_user`, anybody on this machine is signed in as that user at `/demo`.
    """
    app = falcon.App(middleware=[] if metrics is None else RequestTimes(metrics.observe_request))
    app.add_middleware(_EveryRequest(ClientAddresses(trusted_proxies)))
    if allowed_origins:
        app.add_middleware(Cors(allowed_origins))
    ErrorHandlers(cookie, service.record).register(app)

    credential = RefreshTokenCredential(cookie, CrossSiteGuard(allowed_origins))
    app.add_route("/refresh_token", RefreshTokenResource(credential, cookie, service.refresh))
    app.add_route("/revoke_token", RevokeTokenResource(credential, cookie, service.revoke))
    app.add_route("/sessions", SessionsResource(service, ServiceCredentials(service_credentials), cookie))
    app.add_route("/sessions/{session_id}", SessionResource(service, cookie))
    app.add_route("/health/live", LiveResource())
    app.add_route("/health/ready", ReadyResource(check_ready))
    if metrics is not None:
        app.add_route("/metrics", MetricsResource(ServiceCredentials(metrics_credentials), metrics))
    app.add_route("/openapi.json", OpenApiResource())
    docs = DocsResource()
    app.add_route("/docs", docs)
    app.add_route("/docs/{asset}", docs, suffix="asset")
    app.add_route("/client.js", ClientResource())
    if demo_user is not None:
        demo = DemoResource()
        app.add_route("/demo", demo)
        app.add_route("/demo/{asset}", demo, suffix="asset")
        app.add_route("/demo/sign_in", DemoSignInResource(demo_user, service.start, cookie))
    return app


class _EveryRequest:
    """What holds for every request, whatever it asks for."""

    def __init__(self, addresses: ClientAddresses) -> None:
        self._addresses = addresses

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Give the logs the client's address and an identifier: the caller's own, if it is harmless, or a new one."""
        given = req.env.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
        bind_contextvars(request_id=request_id, client=self._addresses.of(req))
        resp.set_header("X-Request-ID", request_id)
        check_announced_size(req)

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Keep answers out of caches, unless a resource says otherwise, and forget whose request this thread had."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
            resp.set_header("Pragma", "no-cache")
        if req.method == "OPTIONS" and req_succeeded:
            resp.status = 204
        unbind_contextvars("request_id", "client")
