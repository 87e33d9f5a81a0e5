"""Authlib's `OAuth2Session`: refresh, by hand and by itself, introspection and revocation."""

import os

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

issuer = os.environ["ISSUER"]
token_endpoint = f"{issuer}/oauth/token"
saved = []


def save_token(token, refresh_token=None, access_token=None):
    saved.append(token)


session = OAuth2Session(
    "frontend",
    token={"access_token": os.environ["ACCESS_TOKEN"], "refresh_token": os.environ["REFRESH_TOKEN"], "expires_at": 1},
    token_endpoint=token_endpoint,
    update_token=save_token,
)
# The token has expired, it believes: it gets another before it asks, and saves it.
answer = session.get(f"{issuer}/sessions")
assert answer.status_code == 200, answer.text
assert len(saved) == 1
assert saved[0]["access_token"] != os.environ["ACCESS_TOKEN"]
assert saved[0]["refresh_token"] != os.environ["REFRESH_TOKEN"]
assert saved[0]["expires_at"] > 1

token = session.refresh_token(token_endpoint)
assert token["refresh_token"] != saved[0]["refresh_token"]
assert token["token_type"] == "Bearer"

service = OAuth2Session(os.environ["SERVICE"], os.environ["SERVICE_SECRET"])
told = service.introspect_token(f"{issuer}/oauth/introspect", token=token["access_token"]).json()
assert told["active"] is True
assert told["sub"] == "ada"

answer = session.revoke_token(f"{issuer}/oauth/revoke", token=token["refresh_token"], token_type_hint="refresh_token")
assert answer.status_code == 200, answer.text
assert service.introspect_token(f"{issuer}/oauth/introspect", token=token["access_token"]).json() == {"active": False}
try:
    session.refresh_token(token_endpoint, refresh_token=token["refresh_token"])
except OAuthError as error:
    assert error.error == "invalid_grant", error
else:
    raise AssertionError("a revoked token was taken")
print("done")
