"""The answers of the specification, byte for byte, as they come over the wire by header and by cookie."""

import time
from collections.abc import Callable

import pytest

from domain.model.tokens import RefreshToken
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.e2e.client import Answer, Client
from tests.e2e.server import USER, Nuovo

MISSING = b'{"status":"error","code":401,"message":"Refresh token missing."}'
INVALID = b'{"status":"error","code":401,"message":"Invalid refresh token."}'
EXPIRED = b'{"status":"error","code":401,"message":"Refresh token has expired."}'
NOT_FOUND = b'{"status":"error","code":404,"message":"User not found."}'
CLEARED_COOKIE = "__Host-refresh_token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0"

Present = Callable[[Client, str], Answer]
transports = pytest.mark.parametrize("present", [Client.refresh, Client.refresh_by_cookie], ids=["header", "cookie"])


def signed_by(nuovo: Nuovo, *, user_id: str = USER, issued_at: int = 1_700_000_000, life: int = 3600) -> str:
    """Return a refresh token that the service has signed, of any user and any time."""
    codec = AuthlibTokenCodec(
        KeyRing(nuovo.environment["NUOVO_SECRET_KEY"]), issuer="nuovo", audience="api", client_id="frontend"
    )
    return codec.write_refresh_token(
        RefreshToken(
            session_id="AAAAAAAAAAAAAAAAAAAAAA",
            user_id=user_id,
            generation=1,
            started_at=issued_at,
            ends_at=issued_at + life,
            issued_at=issued_at,
            expires_at=issued_at + life,
        )
    )


def test_success_without_rotation_is_the_specification_s(kind: str, serve: Callable[..., Nuovo]) -> None:
    nuovo = serve(kind, NUOVO_ROTATION="false")
    with Client(nuovo.url) as client:
        first = client.sign_in(nuovo.service_credential, USER)
        answer = client.refresh(first.refresh_token)
    expected = f'{{"status":"success","code":200,"data":{{"access_token":"{answer.access_token}"}}}}'
    assert (answer.status, answer.body) == (200, expected.encode())


def test_success_with_rotation_adds_the_next_refresh_token(nuovo: Nuovo, client: Client) -> None:
    first = client.sign_in(nuovo.service_credential, USER)
    answer = client.refresh(first.refresh_token)
    expected = (
        f'{{"status":"success","code":200,"data":{{"access_token":"{answer.access_token}",'
        f'"refresh_token":"{answer.refresh_token}"}}}}'
    )
    assert (answer.status, answer.body) == (200, expected.encode())
    assert answer.refresh_token != first.refresh_token
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_success_by_cookie_keeps_the_refresh_token_out_of_the_body(nuovo: Nuovo, client: Client) -> None:
    first = client.sign_in(nuovo.service_credential, USER, transport="cookie")
    answer = client.refresh_by_cookie(first.refresh_token)
    expected = f'{{"status":"success","code":200,"data":{{"access_token":"{answer.access_token}"}}}}'
    assert (answer.status, answer.body) == (200, expected.encode())
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; Secure; SameSite=Strict")


def test_missing(client: Client) -> None:
    answer = client.refresh(None)
    assert (answer.status, answer.body) == (401, MISSING)
    assert answer.headers["www-authenticate"] == 'Bearer realm="nuovo"'


@transports
def test_invalid(nuovo: Nuovo, client: Client, present: Present) -> None:
    """One that another service signed, and one of the wrong type."""
    pair = client.sign_in(nuovo.service_credential, USER)
    forged = f"{pair.refresh_token.rpartition('.')[0]}.{pair.access_token.rpartition('.')[2]}"
    for token in (forged, pair.access_token):
        answer = present(client, token)
        assert (answer.status, answer.body) == (401, INVALID)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert ("set-cookie" in answer.headers) == (present is Client.refresh_by_cookie)


@transports
def test_expired(nuovo: Nuovo, client: Client, present: Present) -> None:
    answer = present(client, signed_by(nuovo))
    assert (answer.status, answer.body) == (401, EXPIRED)
    if present is Client.refresh_by_cookie:
        assert answer.headers["set-cookie"].startswith(CLEARED_COOKIE)


@transports
def test_user_not_found(nuovo: Nuovo, client: Client, present: Present) -> None:
    """A refusal other than 401 leaves the cookie alone: the token itself may be good."""
    answer = present(client, signed_by(nuovo, user_id="nobody", issued_at=int(time.time())))
    assert (answer.status, answer.body) == (404, NOT_FOUND)
    assert "set-cookie" not in answer.headers
