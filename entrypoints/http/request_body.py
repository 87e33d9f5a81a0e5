"""JSON bodies, read strictly."""

from typing import Any

import falcon
import orjson

from entrypoints.http.errors import BodyMediaTypeError, BodyNotJsonError, BodyTooLargeError

MAX_BODY_BYTES = 8192


def check_announced_size(req: falcon.Request) -> None:
    """Raise `BodyTooLargeError` if the request announces more than `MAX_BODY_BYTES`."""
    if (req.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLargeError


def read_json_object(req: falcon.Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises `BodyMediaTypeError`, `BodyTooLargeError` or `BodyNotJsonError`, or answers 408 if the client is too slow.
    """
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    # A body that does not say what it is could come from any site's page without a preflight.
    if media_type != "application/json":
        raise BodyMediaTypeError
    # A chunked body has no announced length, and the server ends its stream where the body ends.
    chunked = "HTTP_TRANSFER_ENCODING" in req.env
    stream = req.env["wsgi.input"] if chunked else req.bounded_stream
    try:
        body = stream.read(MAX_BODY_BYTES + 1)
    except (TimeoutError, BlockingIOError):
        raise falcon.HTTPError(falcon.HTTP_408) from None
    except Exception:  # noqa: BLE001  every server has errors of its own for a body that breaks off or is malformed
        raise BodyNotJsonError from None
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    try:
        fields = orjson.loads(body)
    except ValueError:
        raise BodyNotJsonError from None
    if not isinstance(fields, dict):
        raise BodyNotJsonError
    return fields
