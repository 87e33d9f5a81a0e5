"""Documents that anybody may read and keep for a while, in a form that a standard fixes."""

import hashlib
from collections.abc import Mapping

import falcon
import orjson

MAX_AGE = 300
"""Seconds for which a reader need not ask again. Whoever changes a key waits so long before the new one signs."""


class PublishedResource:
    """One JSON document that does not change while the process lives."""

    def __init__(self, document: Mapping[str, object]) -> None:
        self._body = orjson.dumps(document)
        self._etag = falcon.ETag(hashlib.sha256(self._body).hexdigest()[:32])

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with the document, or with 304 if the reader has it."""
        resp.etag = self._etag
        resp.cache_control = ["public", f"max-age={MAX_AGE}"]
        # Weakly compared, and `*` matches whatever there is (RFC 9110, section 13.1.2).
        if any(etag in ("*", self._etag) for etag in req.if_none_match or ()):
            resp.status = falcon.HTTP_304
            return
        resp.data = self._body
