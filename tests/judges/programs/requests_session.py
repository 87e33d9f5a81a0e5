"""requests-oauthlib: its third way to refresh, by itself, with a token updater."""

import os

from oauthlib.oauth2 import InvalidGrantError
from requests_oauthlib import OAuth2Session

issuer = os.environ["ISSUER"]
refresh_url = f"{issuer}/oauth/token"
saved = []

client = OAuth2Session(
    "frontend",
    token={
        "access_token": os.environ["ACCESS_TOKEN"],
        "refresh_token": os.environ["REFRESH_TOKEN"],
        "token_type": "Bearer",
        "expires_in": -30,
    },
    auto_refresh_url=refresh_url,
    auto_refresh_kwargs={"client_id": "frontend"},
    token_updater=saved.append,
)
answer = client.get(f"{issuer}/sessions")
assert answer.status_code == 200, answer.text
assert len(saved) == 1
assert saved[0]["refresh_token"] != os.environ["REFRESH_TOKEN"]

token = client.refresh_token(refresh_url, client_id="frontend")
assert token["refresh_token"] != saved[0]["refresh_token"]
answer = client.post(f"{issuer}/oauth/revoke", data={"token": token["refresh_token"]}, withhold_token=True)
assert answer.status_code == 200, answer.text
try:
    client.refresh_token(refresh_url, client_id="frontend")
except InvalidGrantError:
    print("done")
