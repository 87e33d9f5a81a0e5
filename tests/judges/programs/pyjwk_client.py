"""PyJWT's `PyJWKClient`, as its documentation shows it."""

import os

import jwt
from jwt import PyJWKClient

issuer, audience, token = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "ACCESS_TOKEN"))
jwks_client = PyJWKClient(f"{issuer}/.well-known/jwks.json")
signing_key = jwks_client.get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    signing_key,
    audience=audience,
    issuer=issuer,
    options={"verify_exp": True, "require": ["exp", "iat", "iss", "aud", "sub", "jti", "client_id"]},
    algorithms=["ES256"],
)
assert claims["sub"] == "ada"
assert claims["role"] == "admin"
assert [key.key_id for key in jwks_client.get_signing_keys()] == [signing_key.key_id]
print("done")
