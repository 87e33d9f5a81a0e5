"""Requests as a server hands them to the application, with nothing checked, stripped or mended on the way."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias

import falcon
from falcon.testing import StartResponseMock, create_environ

App: TypeAlias = falcon.App[falcon.Request, falcon.Response]


@dataclass(frozen=True)
class Answer:
    """An answer as it leaves the application."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for given, value in self.headers if given.lower() == name.lower()]


def ask(app: App, method: str, path: str, body: bytes = b"", **environ: Any) -> Answer:
    """Send a request with further WSGI variables, and check that the answer could be written on a wire."""
    started = StartResponseMock()
    request = create_environ(path="/", method=method) | {"PATH_INFO": path, "wsgi.input": BytesIO(body)} | environ
    content = b"".join(app(request, started))
    assert started.status is not None
    for name, value in started.headers or []:
        value.encode("latin-1")
        assert not {"\r", "\n", "\0"} & set(name + value), (name, value)
    return Answer(int(started.status.split()[0]), list(started.headers or []), content)


def on_the_wire(text: str) -> str:
    """Return `text` as a server hands on a header that holds it: bytes, read as Latin-1 (PEP 3333)."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")
