"""A client that stops in the middle holds no thread, however it dresses up what is missing.

The worker gathers a request before a thread gets it. Each case is a request that looks complete to a careless look at
what has arrived, while the parser would wait for more.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.e2e.client import Client
from tests.e2e.server import Nuovo

STALLED_CLIENTS = 6
"""Three times as many as the service has threads."""
PATIENCE = 4.0
"""Seconds for an honest answer: many times what it takes, and less than a thread is held by a client that stalls."""

_REFRESH = b"POST /refresh_token HTTP/1.1\r\nHost: x\r\n"
_SESSIONS = (
    b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer CREDENTIAL\r\n"
)
_CAPITALS = (
    b"POST /sessions HTTP/1.1\r\nHOST: x\r\nCONTENT-TYPE: application/json\r\nAUTHORIZATION: Bearer CREDENTIAL\r\n"
)
_NEXT = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"

CASES = {
    "no end of the head": (_REFRESH, b""),
    "no body": (_SESSIONS + b"Content-Length: 20\r\n\r\n", b""),
    "no body, announced in capitals": (_CAPITALS + b"CONTENT-LENGTH: 20\r\n\r\n", b""),
    "half a body": (_SESSIONS + b"Content-Length: 20\r\n\r\n{", b""),
    "no chunk": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    "no chunk, announced in capitals": (_CAPITALS + b"TRANSFER-ENCODING: chunked\r\n\r\n", b""),
    "a chunk that looks like the last": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n", b""),
    "small chunks without an end": (_SESSIONS + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 3000, b""),
    "an unread body, then a request": (_REFRESH + b"CONTENT-LENGTH: 200\r\n\r\n", _NEXT),
    "a large unread body, then a request": (_REFRESH + b"Content-Length: 100000\r\n\r\n", _NEXT),
    "an unread chunk, then a request": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n", _NEXT),
    "a body unread because the path is unknown": (
        b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n",
        _NEXT,
    ),
}


@pytest.fixture
def crowd(nuovo: Nuovo, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let many clients send the case's bytes, and wait for ever."""
    first, then = CASES[request.param]
    address = urlsplit(nuovo.url)
    with ExitStack() as connections:
        for _ in range(STALLED_CLIENTS):
            connection = socket.create_connection((address.hostname, address.port), timeout=0.2)
            connections.enter_context(connection)
            connection.sendall(first.replace(b"CREDENTIAL", nuovo.service_credential.encode()))
            if then:
                _read_what_comes(connection)
                _send_if_still_welcome(connection, then)
        yield


@pytest.mark.parametrize("crowd", CASES, indirect=True)
def test_an_honest_client_does_not_wait_behind_clients_that_stall(crowd: None, nuovo: Nuovo) -> None:
    with Client(nuovo.url, timeout=PATIENCE) as client:
        assert client.get("/health/live").status == 200


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
