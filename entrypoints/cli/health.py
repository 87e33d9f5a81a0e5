"""`nuovo health`: for whatever watches a service and has no HTTP client at hand, such as a container."""

import socket
from contextlib import closing
from http.client import HTTPConnection, HTTPException

import click

_PATIENCE = 8
"""Seconds: more than a database that swallows everything makes an answer wait, which is what one wants to be told."""


@click.command()
@click.option("--at", default="127.0.0.1:8000", show_default=True, metavar="ADDRESS", help="HOST:PORT or unix:PATH.")
@click.option(
    "--live", is_flag=True, help="Ask only whether the process answers, not whether it could refresh a token."
)
def health(at: str, *, live: bool) -> None:
    """Ask a running service for its health; end with status 0 if it is fine, else with 1."""
    path = f"/health/{'live' if live else 'ready'}"
    try:
        with closing(_Connection(at)) as connection:
            connection.request("GET", path)
            status = connection.getresponse().status
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(f"Nobody answers at {at}: {type(error).__name__}.") from None
    if status != 200:  # noqa: PLR2004  OK
        raise click.ClickException(f"{at} answers {status}. Its log says why.")
    click.echo(f"{at} is {'live' if live else 'ready'}.")


class _Connection(HTTPConnection):
    """A connection by TCP, or by a Unix socket."""

    def __init__(self, at: str) -> None:
        self._path = at.removeprefix("unix:") if at.startswith("unix:") else None
        super().__init__("localhost" if self._path else at, timeout=_PATIENCE)

    def connect(self) -> None:
        """Open the socket."""
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_PATIENCE)
        self.sock.connect(self._path)
