"""A gunicorn worker whose threads never wait for a client.

Gunicorn's threaded worker gives a connection to a thread as soon as its first byte is there, and waits in the loop
for clients that are slow to hang up. So a few clients that stall or drip hold every thread, or the loop itself, and
honest ones wait behind them. Here the event loop gathers each request, and a thread gets it only when it is complete;
nobody is waited for anywhere else.

This reaches into gunicorn's own worker, which is why its version is pinned; `tests/e2e` holds it to its promise.
"""

import errno
import re
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

REQUEST_TIMEOUT = 10.0
"""Seconds in which a request must have arrived, however it drips."""
_STOP_LINGER = 2.0
"""Seconds that a stopping worker waits for the first byte on a connection that it had accepted."""
_HANG_UP_TIMEOUT = 2.0
"""Seconds that an answered client is given to hang up, so that it is not cut off before it has read the answer."""
_MAX_HEAD = 64 * 1024
_MAX_AWAITED_BODY = 16 * 1024
"""A body beyond this is not waited for: the application refuses it unread."""
_RECEIVE_SIZE = 64 * 1024

_HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n", re.IGNORECASE)

_PARSER_ANSWERS: tuple[tuple[type[Exception], tuple[bytes, bytes]], ...] = (
    (UnsupportedTransferCoding, (b"501 Not Implemented", b"Transfer coding not supported.")),
    (LimitRequestLine, (b"414 URI Too Long", b"URI too long.")),
    (LimitRequestHeaders, (b"431 Request Header Fields Too Large", b"Request header too large.")),
    (ExpectationFailed, (b"417 Expectation Failed", b"Expectation failed.")),
    (ParseException, (b"400 Bad Request", b"Bad request.")),
)
_DEFECT = b"500 Internal Server Error", b"An unexpected error occurred"


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection, with what has arrived of its next request."""

    def __init__(self, worker: "BufferingWorker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self._worker = worker
        self.arrived = bytearray()
        self.deadline = 0.0
        self.registered = False
        self.is_whole = True
        """Whether all of the request has arrived that a thread answers now."""

    def close(self, graceful: bool = False) -> None:  # noqa: FBT002  gunicorn calls it so
        """Close the socket; gracefully means that the client may read to the end and hang up first."""
        if graceful:
            self._worker.linger(self.sock)
        else:
            super().close()


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gathers requests in the event loop and answers them in threads."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Both are in the order of their deadlines, because every wait of a kind is equally long.
        self._arriving: dict[_Connection, None] = {}
        self._lingering: dict[socket.socket, float] = {}
        self._stopped_at: float | None = None

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections, or leave them to others. A worker that stops first takes those that wait for it.

        The kernel has accepted them already, and would cut them off when the last listener is closed. It is closed at
        once, so that whoever comes later is refused before it has sent anything.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                while self.accept(listener):
                    pass
                listener.close()

    def accept(self, listener: socket.socket) -> bool:
        """Accept a connection and begin to gather its first request; tell whether there was one."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return error.errno == errno.ECONNABORTED
        self.nr_conns += 1
        self.enqueue_req(_Connection(self, client, address, listener.getsockname()))
        return True

    def enqueue_req(self, conn: _Connection) -> None:
        """Begin to gather a request. Called wherever gunicorn would give the connection to a thread."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)  # what arrives is encrypted; a proxy in front should do this
            return
        conn.sock.setblocking(False)
        if conn.parser is not None:
            conn.arrived += conn.parser.unreader.take_buffered()
        conn.deadline = time.monotonic() + REQUEST_TIMEOUT
        self._arriving[conn] = None
        self._go_on(conn, or_else=self._receive)

    def murder_pending(self) -> None:
        """Give up on what has waited too long. Called at every turn of the event loop."""
        super().murder_pending()
        now = time.monotonic()
        if not self.alive and self._stopped_at is None:
            self._stopped_at = now
        for conn in list(self._arriving):
            idle_at_stop = self._stopped_at is not None and not conn.arrived
            if conn.deadline <= now:
                self._refuse(conn, b"408 Request Timeout", b"Request timed out.")
            elif idle_at_stop and self._stopped_at is not None and self._stopped_at + _STOP_LINGER <= now:
                self._drop(conn)
            elif self._stopped_at is None:
                break
        for sock, deadline in list(self._lingering.items()):
            if deadline > now:
                break
            self._hang_up(sock)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Refuse in the service's envelope what is no HTTP, without a word of what it held: it may be a token."""
        refused = next((answer for kind, answer in _PARSER_ANSWERS if isinstance(exc, kind)), None)
        if refused is None:
            self.log.error("Error handling request", exc_info=exc)
        else:
            self.log.warning("Invalid request: %s", type(exc).__name__)
        with suppress(OSError):
            client.send(_answer(*(refused or _DEFECT)))

    def linger(self, sock: socket.socket) -> None:
        """Say that no more will be sent, and wait for the client to hang up, without waiting."""
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
            self.poller.register(sock, selectors.EVENT_READ, self._on_lingering)
        except (OSError, ValueError, RuntimeError):  # gone already, or the loop is
            sock.close()
            return
        self._lingering[sock] = time.monotonic() + _HANG_UP_TIMEOUT

    def _receive(self, conn: _Connection, _sock: object = None) -> None:
        try:
            data = conn.sock.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if data == b"":
            self._drop(conn)
            return
        conn.arrived += data or b""
        self._go_on(conn, or_else=self._await_more)

    def _go_on(self, conn: _Connection, *, or_else: Callable[[_Connection], None]) -> None:
        """Give the request to a thread, or refuse it, or do `or_else` while neither can be done."""
        arrival = _arrival_of(conn.arrived)
        if arrival is _Arrival.PARTIAL:
            or_else(conn)
        elif arrival is _Arrival.TOO_LARGE:
            self._refuse(conn, b"413 Content Too Large", b"Request body too large.")
        else:
            conn.is_whole = arrival is _Arrival.WHOLE
            self._dispatch(conn)

    def _await_more(self, conn: _Connection) -> None:
        if len(conn.arrived) > _MAX_HEAD:
            self._refuse(conn, b"431 Request Header Fields Too Large", b"Request header too large.")
        elif not conn.registered:
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
            conn.registered = True

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Hang up on a client whose body was refused unread: the thread would wait here for the rest of it."""
        return bool(conn.is_whole and super()._keepalive_after(conn, keepalive))

    def _dispatch(self, conn: _Connection) -> None:
        self._forget(conn)
        conn.init()
        conn.parser.unreader.unread(bytes(conn.arrived))
        conn.arrived.clear()
        super().enqueue_req(conn)

    def _refuse(self, conn: _Connection, status: bytes, message: bytes) -> None:
        """Answer in the service's envelope what never became a request that the application could answer."""
        try:
            conn.sock.send(_answer(status, message))
        except OSError:
            self._drop(conn)
            return
        self._forget(conn)
        self.nr_conns -= 1
        conn.close(graceful=True)

    def _drop(self, conn: _Connection) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    def _forget(self, conn: _Connection) -> None:
        self._arriving.pop(conn, None)
        if conn.registered:
            self.poller.unregister(conn.sock)
            conn.registered = False

    def _on_lingering(self, sock: socket.socket) -> None:
        try:
            if sock.recv(_RECEIVE_SIZE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._hang_up(sock)

    def _hang_up(self, sock: socket.socket) -> None:
        self._lingering.pop(sock, None)
        self.poller.unregister(sock)
        sock.close()


def _answer(status: bytes, message: bytes) -> bytes:
    body = b'{"status":"error","code":%s,"message":"%s"}' % (status[:3], message)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, len(body)) + body


class _Arrival(Enum):
    PARTIAL = "wait for more"
    WHOLE = "a thread can answer it without waiting"
    UNREAD = "a thread can refuse it by its announced size, and must not read it"
    TOO_LARGE = "more than is waited for, and no size was announced"


def _arrival_of(arrived: bytearray) -> _Arrival:
    """Tell what a thread could do with what has arrived."""
    end = arrived.find(b"\r\n\r\n")
    if end < 0:
        return _Arrival.PARTIAL
    # Names of headers are looked for in any case, as the parser reads them.
    if not _HAS_BODY.search(arrived, 0, end):
        return _Arrival.WHOLE  # the common request
    head, body_begin = bytes(arrived[:end]), end + 4
    if _TRANSFER_ENCODING.search(head):
        if _has_last_chunk(arrived, body_begin):
            return _Arrival.WHOLE
        return _Arrival.TOO_LARGE if len(arrived) - body_begin >= _MAX_AWAITED_BODY else _Arrival.PARTIAL
    length = _CONTENT_LENGTH.search(head)
    if length is None or len(arrived) - body_begin >= int(length[1]):
        return _Arrival.WHOLE
    return _Arrival.UNREAD if int(length[1]) > _MAX_AWAITED_BODY else _Arrival.PARTIAL


def _has_last_chunk(arrived: bytearray, begin: int) -> bool:
    """Tell whether a chunked body is there to its end, or to what the parser refuses.

    It is walked chunk by chunk: what looks like the last one may be the inside of another.
    """
    while (line_end := arrived.find(b"\r\n", begin)) >= 0:
        size = _CHUNK_SIZE.match(arrived, begin)
        if size is None:
            return True
        if int(size[1], 16) == 0:
            return arrived.find(b"\r\n\r\n", line_end) >= 0
        begin = line_end + 2 + int(size[1], 16) + 2
    return False
