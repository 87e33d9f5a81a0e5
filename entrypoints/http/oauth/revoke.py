"""`POST /oauth/revoke` (RFC 7009)."""

import falcon

from domain.model.errors import AccessTokenExpiredError, InvalidAccessTokenError, InvalidRefreshTokenError
from domain.use_cases.service import Service
from entrypoints.http.oauth.form import read_public_client_parameters, required


class RevokeResource:
    """Ends the session of a token, be it a refresh token or an access token."""

    def __init__(self, service: Service, client_id: str) -> None:
        self._service = service
        self._client_id = client_id

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer once the session is over for good; the same for a token that was worth nothing (section 2.2)."""
        form = read_public_client_parameters(req, self._client_id)
        token = required(form, "token")
        attempts = [self._end_of_refresh_token, self._end_of_access_token]
        if form.get("token_type_hint") == "access_token":
            attempts.reverse()
        # The hint only says where to look first (section 2.1).
        any(attempt(token) for attempt in attempts)
        resp.data = b"{}"

    def _end_of_refresh_token(self, token: str) -> bool:
        try:
            self._service.revoke(token)
        except InvalidRefreshTokenError:
            return False
        return True

    def _end_of_access_token(self, token: str) -> bool:
        try:
            self._service.end.own(self._service.authenticate.to_revoke(token))
        except (InvalidAccessTokenError, AccessTokenExpiredError):
            return False
        return True
