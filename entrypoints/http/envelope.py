"""The one form that every answer has."""

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
