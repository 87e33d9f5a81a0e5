"""`GET /metrics`, for Prometheus, and what measures every request."""

from collections.abc import Callable
from time import perf_counter
from typing import Protocol

import falcon

from entrypoints.http.credentials import ServiceCredentials


class Metrics(Protocol):
    """What is counted, and how it is told. The resource and the middleware know no more of it."""

    content_type: str

    def exposition(self) -> bytes:
        """Return everything that has been counted."""

    def observe_requests(self, route: str, method: str, status: int) -> Callable[[float], None]:
        """Return what notes how long such an answer took, in seconds."""


class MetricsResource:
    """Tells what was counted to whoever has a credential for it, as Prometheus' `authorization` sends one."""

    def __init__(self, credentials: ServiceCredentials, metrics: Metrics) -> None:
        self._credentials = credentials
        self._metrics = metrics

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with all metrics of this instance."""
        self._credentials.actor_of(req)
        resp.content_type = self._metrics.content_type
        resp.data = self._metrics.exposition()


class RequestTimes:
    """Middleware that comes before all others."""

    def __init__(self, observe: Callable[[str, str, int], Callable[[float], None]]) -> None:
        """Take what returns, for route template, method and status, what is told the seconds of each such request."""
        self._observe = observe
        self._known: dict[tuple[str | None, str, object], Callable[[float], None]] = {}

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start the clock."""
        req.context.begun = perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Stop it."""
        seconds = perf_counter() - req.context.begun
        observe = self._known.get((req.uri_template, req.method, resp.status))
        if observe is None:
            observe = self._meet(req, resp)
        observe(seconds)

    def _meet(self, req: falcon.Request, resp: falcon.Response) -> Callable[[float], None]:
        """Return it for an answer of a kind that was not seen before.

        A path that no route knows and a method that HTTP does not know are the client's words: they are not kept.
        """
        is_known = req.method in falcon.HTTP_METHODS
        observe = self._observe(req.uri_template or "", req.method if is_known else "", resp.status_code)
        if is_known:
            self._known[req.uri_template, req.method, resp.status] = observe
        return observe
