"""The cookie by which a browser shows that its device has proven its key a moment ago."""

from collections.abc import Callable

import falcon

from domain.model.proofs import Presence, ProvenKey
from entrypoints.http.errors import AmbiguousCredentialsError
from entrypoints.http.refresh_cookie import HiddenCookie


class PresenceCookie:
    """Reads presence, and gives it."""

    def __init__(self, cookie: HiddenCookie, read: Callable[[str], ProvenKey | None]) -> None:
        """Take the cookie, and what knows this service's own presences."""
        self._cookie = cookie
        self._read = read

    @property
    def name(self) -> str:
        """What the cookie is called."""
        return self._cookie.name

    @property
    def attributes(self) -> str:
        """All that is said of the cookie but how long it lasts, as browsers compare it."""
        return self._cookie.attributes.removeprefix("; ")

    def of(self, req: falcon.Request) -> ProvenKey | None:
        """Return the key that is shown to have been proven, or `None`. Raises `AmbiguousCredentialsError`."""
        values = self._cookie.values_in(req)
        if len(values) > 1:
            raise AmbiguousCredentialsError
        return self._read(values[0]) if values else None

    def give(self, resp: falcon.Response, presence: Presence) -> None:
        """Send it; the browser asks for the next one when it is gone."""
        self._cookie.set(resp, presence.text, max_age=presence.expires_in)
