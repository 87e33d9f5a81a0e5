"""What the `Authorization` header shows."""

import falcon


def shown_as(scheme: str, req: falcon.Request) -> str | None:
    """Return what follows `scheme`, given in lower case, in the `Authorization` header of `req`, or `None`."""
    named, _, token = req.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip(" ") or None if named.lower() == scheme else None
