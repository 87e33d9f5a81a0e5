"""The one form that every answer has, and that of an error where OAuth 2.0 fixes another."""

from typing import Any

import falcon
import orjson


def succeed(resp: falcon.Response, data: dict[str, Any], *, code: int = 200) -> None:
    """Answer with `data` in the envelope of a success."""
    resp.status = code
    resp.data = orjson.dumps({"status": "success", "code": code, "data": data})


def fail(resp: falcon.Response, code: int, message: str) -> None:
    """Answer with `message` in the envelope of an error. It never holds anything that the client sent."""
    resp.status = code
    resp.data = orjson.dumps({"status": "error", "code": code, "message": message})


def fail_as_oauth(resp: falcon.Response, code: int, error: str, description: str) -> None:
    """Answer with an error in the form of RFC 6749, section 5.2. It never holds anything that the client sent."""
    resp.status = code
    resp.data = orjson.dumps({"error": error, "error_description": description})
