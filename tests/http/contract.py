"""What the service promises its callers: bodies byte for byte, and the attributes of its cookie."""

from dataclasses import replace

from domain.model.errors import StoreUnavailableError
from domain.model.tokens import TokenPair
from tests.fakes.service import FakeService

HOST = "nuovo.example.org"
ALLOWED_ORIGIN = "https://app.example.com"
COOKIE = "__Host-refresh_token"
CLEARED_COOKIE = (
    f"{COOKIE}=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict"
)
SERVICE_CREDENTIAL = "6u2OkPuwYFbGZLM-Lr5rUE4gJVtEOcA0ehgxlXBfXqY"


def failure(code: int, message: str) -> bytes:
    """Return the body of an error, to the letter."""
    return b'{"status":"error","code":%d,"message":"%s"}' % (code, message.encode())


MISSING = failure(401, "Refresh token missing.")
INVALID = failure(401, "Invalid refresh token.")
EXPIRED = failure(401, "Refresh token has expired.")
USER_NOT_FOUND = failure(404, "User not found.")
CROSS_SITE = failure(403, "Cross-site request refused.")
AMBIGUOUS = failure(400, "Ambiguous credentials.")
UNAVAILABLE = failure(503, "Service temporarily unavailable.")
DEFECT = failure(500, "An unexpected error occurred")
NOT_FOUND = failure(404, "Not found.")
METHOD_NOT_ALLOWED = failure(405, "Method not allowed.")
ACCESS_MISSING = failure(401, "Access token missing.")
ACCESS_INVALID = failure(401, "Invalid access token.")
ACCESS_EXPIRED = failure(401, "Access token has expired.")


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a request with `token`."""
    return {"Authorization": f"Bearer {token}"}


def by_cookie(token: str) -> dict[str, str]:
    """Return the headers of a request that a page of this host made a browser send."""
    return {"Cookie": f"{COOKIE}={token}", "Sec-Fetch-Site": "same-origin"}


def refresh_token_of(pair: TokenPair) -> str:
    """Return the pair's refresh token, which a sign-in always has."""
    assert pair.refresh_token is not None
    return pair.refresh_token


def with_refresh(pair: TokenPair) -> dict[str, str]:
    return bearer(refresh_token_of(pair))


def with_cookie(pair: TokenPair) -> dict[str, str]:
    return by_cookie(refresh_token_of(pair))


def with_access(pair: TokenPair) -> dict[str, str]:
    return bearer(pair.access_token)


def as_service(_pair: TokenPair) -> dict[str, str]:
    return bearer(SERVICE_CREDENTIAL)


def without_rotation(service: FakeService) -> None:
    """Switch rotation off for applications that are made from now on."""
    service.policy = replace(service.policy, rotation=False)


def not_ready() -> None:
    """Answer for a database that is away."""
    raise StoreUnavailableError("away")
