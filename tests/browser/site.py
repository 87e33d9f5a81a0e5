"""An application's origin, as a reverse proxy gives it: its pages, its login and its API, with Nuovo beside them."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from tests.e2e.client import Client
from tests.e2e.server import USER, Nuovo

APP = """\
<!doctype html><title>App</title><link rel="icon" href="data:,">
<script type="module">
  import { createSession } from "/client.js";
  window.createSession = createSession;
  window.session = createSession();
  window.events = [];
  session.addEventListener("ended", ({ detail }) => events.push(`ended: ${detail.reason}`));
  session.addEventListener("refreshed", ({ detail }) => events.push(`refreshed: ${detail.source}`));
</script>
"""
BLANK = '<!doctype html><title>Blank</title><link rel="icon" href="data:,">'
_TYPES = {"js": "text/javascript", "css": "text/css"}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the browser sent it, and how it was answered (0: it was not)."""

    method: str
    path: str
    headers: "Message[str, str]"
    status: int

    @property
    def has_cookie(self) -> bool:
        return "__Host-refresh_token=" in self.headers.get("Cookie", "")


@dataclass
class Site:
    """One origin on the loopback. `pages` may be changed while it runs; what is no page and no login is Nuovo's."""

    nuovo: Nuovo | None = None
    pages: dict[str, str] = field(default_factory=lambda: {"/": APP, "/blank": BLANK})
    requests: list[Request] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    """Paths: the next answer to each is thrown away after Nuovo has given it, and the connection is cut."""
    refused: set[str] = field(default_factory=set)
    """Access tokens that the API takes for expired."""
    away: set[str] = field(default_factory=set)
    """Paths that are answered as a gateway answers while Nuovo is not there."""
    instead: dict[str, int] = field(default_factory=dict)
    """Paths, and the status with which something in front of Nuovo answers them."""
    gates: dict[str, threading.Event] = field(default_factory=dict)
    """Paths whose requests wait for an event before Nuovo gets them."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.site = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        for gate in self.gates.values():
            gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        """The origin under which browsers keep `__Host-` cookies without TLS."""
        return f"http://localhost:{self.port}"

    def url_on(self, host: str) -> str:
        """Return the same server as an origin of another host: another site, to browsers."""
        return f"http://{host}:{self.port}"

    def answers(self, path: str) -> list[int]:
        """Return the statuses of all requests for `path`, in the order of their answers."""
        return [request.status for request in list(self.requests) if request.path == path]


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: a connection for each request, so that cutting one off is nobody else's affair."""

    @property
    def site(self) -> Site:
        site: Site = self.server.site  # type: ignore[attr-defined]
        return site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path in self.site.pages:
            kind = _TYPES.get(path.rpartition(".")[2], "text/html")
            self._answer(200, {"Content-Type": f"{kind}; charset=utf-8"}, self.site.pages[path].encode())
        elif path == "/login":
            self._sign_in()
        elif path == "/api/me":
            self._api()
        else:
            self._forward(path, body)

    do_POST = do_DELETE = do_OPTIONS = do_GET  # noqa: N815  named by the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: requests are in `Site.requests`."""

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._remember(status)
        self.send_response(status)
        for name, value in headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _remember(self, status: int) -> None:
        path = urlsplit(self.path).path
        self.site.requests.append(Request(method=self.command, path=path, headers=self.headers, status=status))

    def _sign_in(self) -> None:
        """Do what a login service does once it knows the user: have a session started, pass the cookie on."""
        nuovo = self.site.nuovo
        assert nuovo is not None
        with Client(nuovo.url) as client:
            answer = client.sign_in(nuovo.service_credential, USER, device="Browser", transport="cookie")
        assert answer.status == 201, answer
        body = json.dumps({"access_token": answer.access_token}).encode()
        self._answer(200, {"Content-Type": "application/json", "Set-Cookie": answer.headers["set-cookie"]}, body)

    def _api(self) -> None:
        """Do what an API does: answer whoever brings a good access token."""
        nuovo = self.site.nuovo
        assert nuovo is not None
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        with Client(nuovo.url) as client:
            status = 401 if token in self.site.refused else client.get("/sessions", token).status
        body = json.dumps({"user": USER} if status == 200 else {"message": "No."}).encode()
        self._answer(status, {"Content-Type": "application/json"}, body)

    def _forward(self, path: str, body: bytes) -> None:
        nuovo, gate = self.site.nuovo, self.site.gates.get(path)
        if nuovo is None or path in self.site.away or path in self.site.instead:
            status = self.site.instead.get(path, 404 if nuovo is None else 502)
            self._answer(status, {"Content-Type": "text/html"}, b"<h1>Sorry</h1>")
            return
        if gate is not None:
            gate.wait(30)
        connection = HTTPConnection(urlsplit(nuovo.url).netloc, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if path in self.site.dropped:
            self.site.dropped.remove(path)
            self._remember(0)
            return
        headers: dict[str, str] = {}
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                headers[name] = f"{headers[name]}\n{value}" if name in headers else value
        self._answer(answer.status, headers, content)
