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

    def observe_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note how long an answer took."""


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

    def __init__(self, observe: Callable[[str, str, int, float], None]) -> None:
        """Take what is told route template, method, status and seconds of each request."""
        self._observe = observe

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Start the clock."""
        req.context.begun = perf_counter()

    def process_response(
        self, req: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Stop it. A path that no route knows and a method that HTTP does not know are the client's words: not kept."""
        seconds = perf_counter() - req.context.begun
        method = req.method if req.method in falcon.HTTP_METHODS else ""
        self._observe(req.uri_template or "", method, resp.status_code, seconds)
