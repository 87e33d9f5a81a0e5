"""`/health/live` and `/health/ready`: for whatever starts, stops and balances the service."""

from collections.abc import Callable

import falcon

from entrypoints.http.envelope import succeed


class LiveResource:
    """The process answers. Says nothing about the database: restarting would not help that."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200."""
        succeed(resp, {"status": "live"})


class ReadyResource:
    """The process can do its work: the database answers and no migration is pending."""

    def __init__(self, check: Callable[[], None]) -> None:
        """Take a check that raises `StoreUnavailableError`."""
        self._check = check

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200, or 503 while requests would fail."""
        self._check()
        succeed(resp, {"status": "ready"})
