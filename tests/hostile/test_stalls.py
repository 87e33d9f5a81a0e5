"""Clients that stall, drip, or read nothing hold up nobody behind the documented nginx; what they can do without it.

One worker answers, so whoever holds it up holds up everybody.
"""

import os
import resource
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.nginx import ProxiedNuovo, address_of
from tests.e2e.server import USER, Nuovo
from tests.figures import Figures

CROWD = 200
AT_LENGTH = "NUOVO_TEST_STRESS" in os.environ
HONEST = 1000 if AT_LENGTH else 50
"""Requests of the honest client."""
SOON = 0.1 if AT_LENGTH else 2.0
"""Seconds for the 99th percentile of an honest client's requests, on a machine that may have other things to do."""
_PAGE = "/docs/swagger-ui-bundle.js"
_UNREAD_PAGE = f"GET {_PAGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
_SMALL = 4096
_REFRESH = b"POST /refresh_token HTTP/1.1\r\nHost: x\r\n"
_NEXT = b"GET /client.js HTTP/1.1\r\nHost: x\r\n\r\n"

STALLED = {
    "nothing": (b"", b""),
    "one byte": (b"P", b""),
    "no end of the head": (_REFRESH, b""),
    "no body": (_REFRESH + b"Content-Length: 20\r\n\r\n", b""),
    "half a body": (_REFRESH + b"CONTENT-LENGTH: 20\r\n\r\n{", b""),
    "no chunk": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\n", b""),
    "a chunk that looks like the last": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n0\r\n\r\n", b""),
    "a chunk size of many digits": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 20 + b"5\r\n", b""),
    "no end of the trailers": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", b""),
    "a large body, then a request": (_REFRESH + b"Content-Length: 100000\r\n\r\n", _NEXT),
    "a body to a path that is unknown": (b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", _NEXT),
}
DRIPPED = {
    "head": (_REFRESH + b"X: ", b"x"),
    "body": (_REFRESH + b"Content-Length: 16000\r\n\r\n", b" "),
    "chunks": (_REFRESH + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedNuovo]:
    """Return a service of one worker behind nginx. Tests share it and leave it running."""
    folder = tmp_path_factory.mktemp("proxied")
    with ProxiedNuovo(folder, f"sqlite:///{folder}/nuovo.sqlite3").prepare() as nuovo:
        yield nuovo


@pytest.mark.parametrize("case", STALLED)
def test_clients_that_stall(proxied: ProxiedNuovo, case: str) -> None:
    first, then = STALLED[case]
    with crowd(proxied, CROWD) as connections:
        for connection in connections:
            connection.sendall(first)
        for connection in connections if then else []:
            with suppress(OSError):  # it may be answered already, and closed
                connection.sendall(then)
        assert honest_p99(proxied) < SOON


@pytest.mark.parametrize("case", DRIPPED)
def test_clients_that_drip(proxied: ProxiedNuovo, case: str) -> None:
    first, drop = DRIPPED[case]
    with crowd(proxied, CROWD) as connections, dripping(connections, drop):
        for connection in connections:
            connection.sendall(first)
        assert honest_p99(proxied) < SOON


@pytest.mark.parametrize("request_", [_UNREAD_PAGE, _REFRESH + b"\r\n"], ids=["pages", "refusals"])
def test_clients_that_read_nothing(proxied: ProxiedNuovo, request_: bytes) -> None:
    """They ask for more than the kernel keeps for them."""
    with crowd(proxied, CROWD) as connections:
        for connection in connections:
            with suppress(OSError):
                connection.sendall(request_ * 20)
        assert honest_p99(proxied) < SOON


def test_a_slow_reader_gets_the_whole_page(proxied: ProxiedNuovo) -> None:
    with Client(proxied.url) as client:
        whole = len(client.get(_PAGE).body)
    with crowd(proxied, 1) as (connection,):
        connection.settimeout(5)
        connection.sendall(_UNREAD_PAGE.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        received = 0
        while data := connection.recv(65_536):
            received += len(data)
            if received < whole // 4:
                time.sleep(0.01)
    assert received > whole


@pytest.mark.stress
def test_a_thousand_connections_of_one_byte_that_come_and_go(proxied: ProxiedNuovo, figures: Figures) -> None:
    """Two hundred of them a second, each with a request that asks to be closed and does not wait for its answer."""
    worker, memory = proxied.worker_pids, proxied.nginx.memory
    with many_files(), crowd(proxied, 1000) as connections, ExitStack() as later:
        for connection in connections:
            connection.sendall(b"P")
        stop = threading.Event()

        def come_and_go() -> None:
            turn = 0
            while not stop.wait(0.005):
                place = turn % len(connections)
                connections[place].close()
                connections[place] = later.enter_context(connect(proxied))
                connections[place].sendall(b"P")
                with connect(proxied) as closing:
                    closing.sendall(_REFRESH + b"Connection: close\r\n\r\n")
                turn += 1

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            p99 = honest_p99(proxied)
        finally:
            stop.set()
            thread.join()
        grown = proxied.nginx.memory - memory
    assert proxied.worker_pids == worker
    assert p99 < SOON
    assert grown < 50e6
    figures.add(
        "1,000 connections of one byte, with churn", f"p99 {p99 * 1000:.0f} ms, nginx grew {grown / 1e6:.0f} MB"
    )


@pytest.mark.stress
def test_nine_hundred_clients_that_do_not_read_the_largest_file(proxied: ProxiedNuovo, figures: Figures) -> None:
    (worker,) = proxied.worker_pids
    memory = proxied.nginx.memory
    with many_files(), crowd(proxied, 900) as connections:
        for connection in connections:
            connection.sendall(_UNREAD_PAGE)
        p99 = honest_p99(proxied)
        grown = proxied.nginx.memory - memory
    assert proxied.worker_pids == {worker}
    assert p99 < SOON
    assert grown < 50e6
    figures.add("900 clients that do not read 1.5 MB", f"p99 {p99 * 1000:.0f} ms, nginx grew {grown / 1e6:.0f} MB")


@pytest.mark.stress
def test_two_thousand_idle_connections(proxied: ProxiedNuovo, figures: Figures) -> None:
    with many_files(), crowd(proxied, 2000):
        p99 = honest_p99(proxied)
    assert p99 < SOON
    figures.add("2,000 idle connections", f"p99 {p99 * 1000:.0f} ms")


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Nuovo]:
    """Return a service of one worker with no proxy in front."""
    with Nuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3").prepare() as nuovo:
        yield nuovo


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone keeps them for us")
def test_without_a_proxy_silent_connections_hold_up_nobody(bare: Nuovo) -> None:
    """Browsers open some in advance."""
    with crowd(bare, CROWD):
        assert honest_p99(bare) < SOON


@pytest.mark.stress
@pytest.mark.parametrize("sent", [_REFRESH, _UNREAD_PAGE], ids=["stalls", "does not read"])
def test_without_a_proxy_a_client_holds_a_worker_for_seconds(bare: Nuovo, sent: bytes, figures: Figures) -> None:
    """Which is why the proxy is part of the deployment. It lets go, says nothing secret, and does not die of it."""
    worker = bare.worker_pids
    with crowd(bare, 1) as (connection,):
        connection.sendall(sent)
        time.sleep(0.1)
        begun = time.monotonic()
        with Client(bare.url) as client:
            assert client.get("/health/live").status == 200
        held = time.monotonic() - begun
    assert 1 < held < 15
    assert bare.worker_pids == worker
    figures.add(f"without a proxy, a client that sends {len(sent)} bytes and waits", f"holds a worker for {held:.0f} s")


def honest_p99(nuovo: Nuovo, requests: int = HONEST) -> float:
    """Return the 99th percentile of the seconds that refreshes take, each on a connection of its own."""
    with Client(nuovo.inner_url) as client:
        token = client.sign_in(nuovo.service_credential, USER).refresh_token
    seconds = []
    for _ in range(requests):
        begun = time.monotonic()
        with Client(nuovo.url, timeout=30) as client:
            answer = client.refresh(token)
        seconds.append(time.monotonic() - begun)
        assert answer.status == 200
        token = answer.refresh_token
    return statistics.quantiles(seconds, n=100)[-1]


def connect(nuovo: Nuovo) -> socket.socket:
    """Connect like a client with little room for what it does not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    connection.settimeout(1)
    connection.connect(address_of(nuovo.url))
    return connection


@contextmanager
def crowd(nuovo: Nuovo, count: int) -> Iterator[list[socket.socket]]:
    """Hold so many connections while the block runs."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(nuovo)) for _ in range(count)]


@contextmanager
def dripping(connections: list[socket.socket], drop: bytes) -> Iterator[None]:
    """Send a little on each connection, some hundred times a second in all, while the block runs."""
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.2):
            for connection in connections:
                with suppress(OSError):  # it has been given up
                    connection.sendall(drop)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def many_files() -> Iterator[None]:
    """Let this process have as many connections as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
