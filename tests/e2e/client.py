"""A small HTTP client on one connection that is kept alive. It never repeats a request by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

REFRESH_COOKIE = "__Host-refresh_token"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came over the wire; `headers` are in lower case, repeated ones joined by a line break."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """What a success holds."""
        data: dict[str, Any] = orjson.loads(self.body)["data"]
        return data

    @property
    def access_token(self) -> str:
        return str(self.data["access_token"])

    @property
    def refresh_token(self) -> str:
        """The next refresh token, from the body or from the cookie, whichever way it came."""
        return self.cookies.get(REFRESH_COOKIE) or str(self.data["refresh_token"])

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that are set, by name. One that is cleared has no value."""
        pairs = (line.partition(";")[0].partition("=") for line in self.headers.get("set-cookie", "").splitlines())
        return {name: value for name, _, value in pairs}


class Client:
    """Requests to one server, one after the other. A failed one raises, and the next opens a new connection."""

    def __init__(self, url: str, *, timeout: float = 30) -> None:
        self._address = urlsplit(url).netloc
        self._connection = HTTPConnection(self._address, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send a request and read its whole answer."""
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            answer = self._connection.getresponse()
            content = answer.read()
        except BaseException:
            self.close()
            raise
        collected: dict[str, str] = {}
        for name, value in answer.getheaders():
            known = collected.get(name.lower())
            collected[name.lower()] = value if known is None else f"{known}\n{value}"
        return Answer(status=answer.status, headers=collected, body=content)

    def get(self, path: str, bearer: str | None = None) -> Answer:
        return self.request("GET", path, headers=_authorization(bearer))

    def delete(self, path: str, bearer: str) -> Answer:
        return self.request("DELETE", path, headers=_authorization(bearer))

    def refresh(self, refresh_token: str | None) -> Answer:
        """Present a refresh token by header, as anything but a browser does."""
        return self.request("POST", "/refresh_token", headers=_authorization(refresh_token))

    def refresh_by_cookie(self, refresh_token: str) -> Answer:
        """Present a refresh token by cookie, as a browser does for a page of the same origin."""
        headers = {"Cookie": f"{REFRESH_COOKIE}={refresh_token}", **SAME_ORIGIN}
        return self.request("POST", "/refresh_token", headers=headers)

    def log_out(self, refresh_token: str) -> Answer:
        return self.request("POST", "/revoke_token", headers=_authorization(refresh_token))

    def sign_in(self, service_credential: str, user_id: str, **fields: Any) -> Answer:
        """Start a session, as a login service does."""
        return self.request(
            "POST",
            "/sessions",
            headers={"Content-Type": "application/json", **_authorization(service_credential)},
            body=orjson.dumps({"user_id": user_id, **fields}),
        )


def _authorization(bearer: str | None) -> dict[str, str]:
    return {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
