"""`POST /refresh_token`."""

from typing import Any

import falcon

from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.credentials import RefreshTokenCredential
from entrypoints.http.envelope import succeed
from entrypoints.http.key_proofs import KeyProofs
from entrypoints.http.refresh_cookie import RefreshCookie


class RefreshTokenResource:
    """Trades a refresh token for a fresh access token."""

    def __init__(
        self,
        credential: RefreshTokenCredential,
        proofs: KeyProofs,
        cookie: RefreshCookie,
        refresh: RefreshAccessToken,
    ) -> None:
        self._credential = credential
        self._proofs = proofs
        self._cookie = cookie
        self._refresh = refresh

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with an access token; a new refresh token goes back the way the old one came."""
        presented = self._credential.of(req)
        pair = self._refresh(presented.text, self._proofs.of(req))
        data: dict[str, Any] = {"access_token": pair.access_token}
        self._cookie.deliver(pair, resp, data, by_cookie=presented.by_cookie)
        succeed(resp, data)
