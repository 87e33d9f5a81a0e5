"""`POST /oauth/token` (RFC 6749, section 6)."""

from typing import Any

import falcon
import orjson
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidScopeError, UnsupportedGrantTypeError

from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.key_proofs import KeyProofs
from entrypoints.http.oauth.form import read_public_client_parameters, required

_GRANT = "refresh_token"


class TokenResource:
    """Trades a refresh token for a fresh access token."""

    def __init__(self, refresh: RefreshAccessToken, proofs: KeyProofs, client_id: str) -> None:
        self._refresh = refresh
        self._proofs = proofs
        self._client_id = client_id

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with new tokens (section 5.1). Without a new refresh token, the one presented stays in use."""
        form = read_public_client_parameters(req, self._client_id)
        if required(form, "grant_type") != _GRANT:
            # Not Authlib's class of this name: its words repeat what the client sent.
            raise OAuth2Error(f"The only grant type is {_GRANT}.", error=UnsupportedGrantTypeError.error)
        presented = required(form, "refresh_token")
        if "scope" in form:
            raise InvalidScopeError("There are no scopes here.")
        # No cookie counts here, nor what one would prove.
        pair = self._refresh(presented, self._proofs.by_header(req))
        answer: dict[str, Any] = {
            "access_token": pair.access_token,
            "token_type": "DPoP" if pair.access_token_is_bound else "Bearer",
            "expires_in": pair.access_token_expires_in,
        }
        if pair.refresh_token is not None:
            answer["refresh_token"] = pair.refresh_token
        resp.data = orjson.dumps(answer)
