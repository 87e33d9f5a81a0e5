"""`nuovo health`, which needs no settings: it asks a service that runs."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Nuovo, Opener


@contextmanager
def answering(listener: socket.socket, status: int) -> Iterator[list[bytes]]:
    """Answer one request with a status, and remember its first line."""
    asked: list[bytes] = []

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(4096).splitlines()[0])
            connection.sendall(b"HTTP/1.1 %d Whatever\r\nContent-Length: 0\r\n\r\n" % status)

    thread = threading.Thread(target=answer)
    thread.start()
    yield asked
    thread.join(10)


@pytest.fixture(params=["tcp", "unix"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Return a socket that listens, and how the command line names it."""
    if request.param == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            yield tcp, f"127.0.0.1:{tcp.getsockname()[1]}"
    else:
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(str(tmp_path / "s"))
            unix.listen()
            yield unix, f"unix:{tmp_path}/s"


@pytest.mark.parametrize(("arguments", "path"), [((), b"/health/ready"), (("--live",), b"/health/live")])
def test_in_good_health(
    nuovo: Nuovo, opener: Opener, listener: tuple[socket.socket, str], arguments: tuple[str, ...], path: bytes
) -> None:
    opener.problems = ["no settings are needed"]
    taken, at = listener
    with answering(taken, 200) as asked:
        result = nuovo("health", "--at", at, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{at} is {'live' if arguments else 'ready'}.\n"
    assert asked == [b"GET %s HTTP/1.1" % path]


def test_not_ready(nuovo: Nuovo, listener: tuple[socket.socket, str]) -> None:
    taken, at = listener
    with answering(taken, 503):
        result = nuovo("health", "--at", at)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {at} answers 503. Its log says why.\n"


Address = Callable[[Path], str]


@pytest.mark.parametrize(
    "address",
    [
        lambda _: "127.0.0.1:1",
        lambda _: "127.0.0.1:port",
        lambda _: "127.0.0.1:99999",
        lambda folder: f"unix:{folder}/none",
        lambda _: "",
    ],
    ids=["refused", "no port", "no such port", "no socket", "empty"],
)
def test_nobody_there(nuovo: Nuovo, tmp_path: Path, address: Address) -> None:
    result = nuovo("health", "--at", address(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Nobody answers at ")
