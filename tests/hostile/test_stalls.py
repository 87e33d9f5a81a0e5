"""A client that stops in the middle holds up nobody, however it dresses up what is missing or leaves answers unread.

The worker gathers a request before it is answered. Each case is a request that looks complete to a careless look at
what has arrived, while the parser would wait for more.
"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from tests.e2e.client import Client
from tests.e2e.server import Nuovo

STALLED_CLIENTS = 6
"""Three times as many as the service has threads."""
PATIENCE = 4.0
"""Seconds for an honest answer: many times what it takes, and less than any wait for a client that stalls."""

_REFRESH = b"POST /refresh_token HTTP/1.1\r\nHost: x\r\n"
_SESSIONS = (
    b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer CREDENTIAL\r\n"
)
_CAPITALS = (
    b"POST /sessions HTTP/1.1\r\nHOST: x\r\nCONTENT-TYPE: application/json\r\nAUTHORIZATION: Bearer CREDENTIAL\r\n"
)
_NEXT = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
_PAGE = "/docs/swagger-ui-bundle.js"
_UNREAD_PAGE = f"GET {_PAGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
_UNREAD_REFUSAL = _REFRESH + b"\r\n"
UNREAD_REQUESTS = 5_000
FILES = 64
"""How many a worker may have open: some forty connections."""
_BUFFER = 64 * 1024

CASES = {
    "no end of the head": (_REFRESH, b""),
    "no body": (_SESSIONS + b"Content-Length: 20\r\n\r\n", b""),
    "no body, announced in capitals": (_CAPITALS + b"CONTENT-LENGTH: 20\r\n\r\n", b""),
    "half a body": (_SESSIONS + b"Content-Length: 20\r\n\r\n{", b""),
    "no chunk": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    "no chunk, announced in capitals": (_CAPITALS + b"TRANSFER-ENCODING: chunked\r\n\r\n", b""),
    "a chunk that looks like the last": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n", b""),
    "small chunks without an end": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 3000, b""),
    "a chunk size of many digits": (
        _SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20 + b"5\r\n",
        b"",
    ),
    "a last chunk of many digits": (
        _SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20 + b"\r\nX: y\r\n",
        b"",
    ),
    "an unread body, then a request": (_REFRESH + b"CONTENT-LENGTH: 200\r\n\r\n", _NEXT),
    "a large unread body, then a request": (_REFRESH + b"Content-Length: 100000\r\n\r\n", _NEXT),
    "an unread chunk, then a request": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n", _NEXT),
    "a body unread because the path is unknown": (
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n",
        _NEXT,
    ),
}


@pytest.fixture(scope="module", params=[1, 2], ids=["the loop answers", "threads answer"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nuovo]:
    """Return a running service of each kind."""
    folder = tmp_path_factory.mktemp("served")
    with Nuovo(folder, f"sqlite:///{folder}/nuovo.sqlite3", threads=request.param).prepare() as nuovo:
        yield nuovo


@pytest.fixture
def crowd(served: Nuovo, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let many clients send the case's bytes, and wait for ever."""
    first, then = CASES[request.param]
    with ExitStack() as connections:
        for _ in range(STALLED_CLIENTS):
            connection = connections.enter_context(_connect(served))
            connection.sendall(first.replace(b"CREDENTIAL", served.service_credential.encode()))
            if then:
                _read_what_comes(connection)
                _send_if_still_welcome(connection, then)
        yield


@pytest.mark.parametrize("crowd", CASES, indirect=True)
def test_an_honest_client_does_not_wait_behind_clients_that_stall(crowd: None, served: Nuovo) -> None:
    _require_answers(served)


@pytest.mark.parametrize("request_", [_UNREAD_PAGE, _UNREAD_REFUSAL], ids=["pages", "refusals"])
def test_an_honest_client_does_not_wait_behind_clients_that_read_nothing(served: Nuovo, request_: bytes) -> None:
    """They ask for more than the kernel keeps for them."""
    with ExitStack() as connections:
        for _ in range(STALLED_CLIENTS):
            connection = connections.enter_context(_connect(served))
            with suppress(OSError):
                for _ in range(UNREAD_REQUESTS):
                    connection.sendall(request_)
        _require_answers(served)


def test_a_slow_reader_gets_the_whole_page(served: Nuovo) -> None:
    with Client(served.url) as client:
        whole = len(client.get(_PAGE).body)
    assert whole > 4 * _BUFFER
    with _connect(served) as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(_UNREAD_PAGE.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        received = 0
        while data := connection.recv(_BUFFER):
            received += len(data)
            if received < 4 * _BUFFER:
                time.sleep(0.05)
    assert received > whole


def test_more_connections_than_files(served: Nuovo) -> None:
    """Whoever has waited longest makes room; the worker does not die of it."""
    (worker,) = served.worker_pids
    _require_answers(served)  # so that the database is open
    before = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (FILES, before[1]))
    try:
        with ExitStack() as connections:
            for _ in range(2 * FILES):
                connections.enter_context(_connect(served)).sendall(_REFRESH)
            _require_answers(served)
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, before)
    assert served.worker_pids == {worker}


def _require_answers(nuovo: Nuovo) -> None:
    with Client(nuovo.url, timeout=PATIENCE) as client:
        assert client.get("/health/live").status == 200
        assert client.refresh("no token").status == 401


def _connect(nuovo: Nuovo) -> socket.socket:
    """Connect like a client with little room for what it does not read."""
    address = urlsplit(nuovo.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    connection.settimeout(0.2)
    connection.connect((address.hostname, address.port))
    return connection


def _read_what_comes(connection: socket.socket) -> None:
    try:
        connection.recv(65_536)
    except OSError:
        return


def _send_if_still_welcome(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return
