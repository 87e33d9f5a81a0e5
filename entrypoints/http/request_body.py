"""Bodies, read strictly: JSON, and forms where a standard asks for them."""

from typing import Any
from urllib.parse import parse_qsl

import falcon
import orjson

from entrypoints.http.errors import BodyMediaTypeError, BodyNotJsonError, BodyTooLargeError

MAX_BODY_BYTES = 8192
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def check_announced_size(req: falcon.Request) -> None:
    """Raise `BodyTooLargeError` if the request announces more than `MAX_BODY_BYTES`."""
    if (req.content_length or 0) > MAX_BODY_BYTES:
        raise BodyTooLargeError


def read_json_object(req: falcon.Request) -> dict[str, Any]:
    """Return the body's JSON object.

    Raises `BodyMediaTypeError`, `BodyTooLargeError` or `BodyNotJsonError`, or answers 408 if the client is too slow.
    """
    fields = read_json(req)
    if not isinstance(fields, dict):
        raise BodyNotJsonError
    return fields


def read_json(req: falcon.Request) -> Any:
    """Return the body's JSON value. Raises as `read_json_object` does."""
    try:
        return orjson.loads(_read(req, JSON))
    except ValueError:
        raise BodyNotJsonError from None


def read_form(req: falcon.Request) -> dict[str, str]:
    """Return the body's form, in which no field stands twice (RFC 6749, section 3.2). Raises as `read_json_object`."""
    try:
        text = _read(req, FORM).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError:
        raise BodyNotJsonError from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise BodyNotJsonError
    return form


def media_type_of(req: falcon.Request) -> str:
    """Return what the body says that it is, in lower case."""
    return (req.content_type or "").partition(";")[0].strip().lower()


def _read(req: falcon.Request, media_type: str) -> bytes:
    # A body that does not say what it is could come from any site's page without a preflight.
    if media_type_of(req) != media_type:
        raise BodyMediaTypeError
    # A chunked body has no announced length, and the server ends its stream where the body ends.
    chunked = "HTTP_TRANSFER_ENCODING" in req.env
    stream = req.env["wsgi.input"] if chunked else req.bounded_stream
    try:
        body: bytes = stream.read(MAX_BODY_BYTES + 1)
    except (TimeoutError, BlockingIOError):
        raise falcon.HTTPError(falcon.HTTP_408) from None
    except Exception:  # noqa: BLE001  every server has errors of its own for a body that breaks off or is malformed
        raise BodyNotJsonError from None
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLargeError
    return body
