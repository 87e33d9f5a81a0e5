"""`POST /refresh_token`."""

from typing import Any

import falcon

from domain.model.errors import KeyNotProvenError
from domain.use_cases.refresh_access_token import RefreshAccessToken
from entrypoints.http.credentials import RefreshTokenCredential
from entrypoints.http.device_binding import BindingOffers
from entrypoints.http.envelope import succeed
from entrypoints.http.key_proofs import KeyProofs
from entrypoints.http.refresh_cookie import RefreshCookie


class RefreshTokenResource:
    """Trades a refresh token for a fresh access token."""

    def __init__(
        self,
        credential: RefreshTokenCredential,
        proofs: KeyProofs,
        offers: BindingOffers,
        cookie: RefreshCookie,
        refresh: RefreshAccessToken,
    ) -> None:
        self._credential = credential
        self._proofs = proofs
        self._offers = offers
        self._cookie = cookie
        self._refresh = refresh

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer with an access token; a new refresh token goes back the way the old one came."""
        presented, by_cookie = self._credential.of(req)
        proven = self._proofs.of(req)
        if by_cookie and proven is None:
            self._offers.check_skipped(req, presented)
        try:
            pair = self._refresh(presented, proven)
        except KeyNotProvenError as error:
            if by_cookie and error.may_bind:
                self._offers.make(req, resp, error.session_id)
            raise
        if by_cookie and pair.may_bind:
            self._offers.make(req, resp, pair.session_id)
        data: dict[str, Any] = {"access_token": pair.access_token}
        self._cookie.deliver(pair, resp, data, by_cookie=by_cookie)
        succeed(resp, data)
