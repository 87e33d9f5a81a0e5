"""`POST /revoke_token`."""

import falcon

from domain.use_cases.revoke_token import RevokeToken
from entrypoints.http.credentials import RefreshTokenCredential
from entrypoints.http.envelope import succeed
from entrypoints.http.refresh_cookie import RefreshCookie


class RevokeTokenResource:
    """Logs out: ends the session of a refresh token, on this device."""

    def __init__(self, credential: RefreshTokenCredential, cookie: RefreshCookie, revoke: RevokeToken) -> None:
        self._credential = credential
        self._cookie = cookie
        self._revoke = revoke

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer once the session is over for good; a cookie goes with it."""
        presented, by_cookie = self._credential.of(req)
        self._revoke(presented)
        if by_cookie:
            self._cookie.clear(req, resp)
        succeed(resp, {"message": "Refresh token revoked."})
