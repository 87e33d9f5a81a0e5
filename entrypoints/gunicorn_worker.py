"""A gunicorn worker that never waits for a client.

Gunicorn's threaded worker gives a connection to a thread as soon as its first byte is there, waits there for clients
that read slowly, and waits in the loop for those that are slow to hang up. So a few clients that stall or drip hold
every thread, or the loop itself, and honest ones wait behind them. Here the event loop gathers each request and
delivers each answer, without waiting for anybody (docs/decisions/0006).

This reaches into gunicorn's own worker, which is why its version is pinned; `tests/e2e` holds it to its promise.
"""

import errno
import resource
import selectors
import socket
import time
from contextlib import suppress
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from entrypoints.arrival import Arrival, arrival_of

REQUEST_TIMEOUT = 10.0
"""Seconds in which a request must have arrived, however it drips."""
_STOP_LINGER = 2.0
"""Seconds that a stopping worker waits for the first byte on a connection that it had accepted."""
_DELIVERY_TIMEOUT = 60.0
"""Seconds in which a client must have taken an answer, however slowly it reads."""
_HANG_UP_TIMEOUT = 2.0
"""Seconds that an answered client is given to hang up, so that it is not cut off before it has read the answer."""
_MAX_HEAD = 64 * 1024
_RECEIVE_SIZE = 64 * 1024
_OTHER_FILES = 64
"""Of those that a process may have open, kept free for the database, the log and the like."""
_LEAST_CONNECTIONS = 16
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_PARSER_ANSWERS: tuple[tuple[type[Exception], tuple[bytes, bytes]], ...] = (
    (UnsupportedTransferCoding, (b"501 Not Implemented", b"Transfer coding not supported.")),
    (LimitRequestLine, (b"414 URI Too Long", b"URI too long.")),
    (LimitRequestHeaders, (b"431 Request Header Fields Too Large", b"Request header too large.")),
    (ExpectationFailed, (b"417 Expectation Failed", b"Expectation failed.")),
    (ParseException, (b"400 Bad Request", b"Bad request.")),
)
_DEFECT = b"500 Internal Server Error", b"An unexpected error occurred"


class _Settings:
    """Gunicorn's settings, each looked up once: a request asks for some twenty of them, and none changes."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._settings, name)
        setattr(self, name, value)
        return value


class _Request(Request):  # type: ignore[misc]  # gunicorn has no types
    """A request that asks once a connection, not once a request, whether its peer is a trusted proxy."""

    def _peer_is_trusted_proxy(self) -> bool:
        return _is_trusted_proxy(self.cfg, self.peer_addr)


@lru_cache(maxsize=1024)
def _is_trusted_proxy(settings: _Settings, address: Any) -> bool:
    return bool(Request._peer_is_trusted_proxy(SimpleNamespace(cfg=settings, peer_addr=address)))  # noqa: SLF001


class _Socket(socket.socket):
    """A client's socket on which nothing waits, whatever gunicorn asks for.

    It gathers what is written, so that head and body of an answer leave together.
    """

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        super().setblocking(False)
        self._gathered = bytearray()

    def setblocking(self, flag: bool, /) -> None:
        """Stay as it is: all of a request has arrived before gunicorn reads it, or it is not one."""

    def settimeout(self, value: float | None, /) -> None:
        """Stay as it is."""

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Keep `data` until `deliver`."""
        del flags
        self._gathered += data

    def deliver(self) -> bool:
        """Send as much of it as the client takes now; tell whether that was all. Raises `OSError`."""
        if self._gathered:
            with suppress(BlockingIOError):
                del self._gathered[: self.send(self._gathered)]
        return not self._gathered


class _Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A connection, with what has arrived of its next request."""

    def __init__(self, settings: Any, client: _Socket, address: Any, server: Any) -> None:
        super().__init__(settings, client, address, server)
        self.arrived = bytearray()
        self.queue: dict[_Connection, None] = {}
        """What the connection waits for, with the others that do."""
        self.deadline = 0.0
        self.watched_for = 0
        """The events of which the loop hears."""
        self.is_whole = True
        """Whether all of the request has arrived that is answered now."""
        self.stays = True
        """Whether another request may follow the answer."""

    def init(self) -> None:
        """Make the connection ready for its first request."""
        super().init()
        if isinstance(self.parser, RequestParser):
            self.parser.mesg_class = _Request


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gathers requests and delivers answers in the event loop; threads do what is between.

    With one thread the loop does that, too: handing each request to and fro would cost more than it gains.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cfg: Any = _Settings(self.cfg)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files != resource.RLIM_INFINITY:
            self.worker_connections: int = min(self.worker_connections, max(_LEAST_CONNECTIONS, files - _OTHER_FILES))
        # Each is in the order of its deadlines, because every wait of a kind is equally long.
        self._arriving: dict[_Connection, None] = {}
        self._departing: dict[_Connection, None] = {}
        self._idle: dict[_Connection, None] = {}
        self._lingering: dict[socket.socket, float] = {}
        self._stopped_at: float | None = None
        self._notified_at = 0.0
        self._answers_itself = self.cfg.threads == 1

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
            if error.errno in _NO_MORE_FILES:  # gunicorn would let the worker die of it
                return self._make_room()
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return error.errno == errno.ECONNABORTED
        self.nr_conns += 1
        if self.nr_conns + len(self._lingering) >= self.worker_connections:
            self._make_room()
        if self.cfg.is_ssl:  # what arrives is encrypted; a proxy in front should do this
            self.enqueue_req(TConn(self.cfg, client, address, listener.getsockname()))
        else:
            conn = _Connection(self.cfg, _Socket(client), address, listener.getsockname())
            self._await(conn, self._arriving, REQUEST_TIMEOUT)
            self._receive(conn)
        return True

    def _receive(self, conn: _Connection, _sock: object = None) -> None:
        """Take what has arrived, and answer if that is a request."""
        try:
            data = conn.sock.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
            return
        conn.arrived += data
        self._go_on(conn)

    def finish_request(self, conn: _Connection, answer: Any) -> None:
        """Take a connection back from a thread."""
        if self.cfg.is_ssl:
            super().finish_request(conn, answer)
        else:
            conn.stays = answer.exception() is None and answer.result()
            self._deliver(conn)

    def murder_pending(self) -> None:
        """Give up on what has waited too long. Called at every turn of the event loop."""
        super().murder_pending()
        now = time.monotonic()
        if not self.alive and self._stopped_at is None:
            self._stopped_at = now
        if self._stopped_at is not None and self._stopped_at + _STOP_LINGER <= now:
            for conn in [*self._idle, *(conn for conn in self._arriving if not conn.arrived)]:
                self._drop(conn)
        while self._arriving and (conn := next(iter(self._arriving))).deadline <= now:
            self._refuse(conn, b"408 Request Timeout", b"Request timed out.")
        while self._departing and (conn := next(iter(self._departing))).deadline <= now:
            self._drop(conn)
        while self._idle and (conn := next(iter(self._idle))).deadline <= now:
            self._drop(conn)
        while self._lingering and self._lingering[sock := next(iter(self._lingering))] <= now:
            self._hang_up(sock)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Refuse in the service's envelope what is no HTTP, without a word of what it held: it may be a token."""
        refused = next((answer for kind, answer in _PARSER_ANSWERS if isinstance(exc, kind)), None)
        if refused is None:
            self.log.error("Error handling request", exc_info=exc)
        else:
            self.log.warning("Invalid request: %s", type(exc).__name__)
        client.sendall(_answer(*(refused or _DEFECT)))

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Hang up on a client whose body was refused unread: nobody waits for the rest of it."""
        return bool((self.cfg.is_ssl or conn.is_whole) and super()._keepalive_after(conn, keepalive))

    def _make_room(self) -> bool:
        """Hang up on whoever has had an answer, said nothing whole or read nothing for longest; tell if there was one.

        With as many connections as can be held, those that only wait must not keep others out.
        """
        if self._lingering:
            self._hang_up(next(iter(self._lingering)))
            return True
        for queue in (self._idle, self._arriving, self._departing):
            if queue:
                self._drop(next(iter(queue)))
                return True
        return False

    def _await(self, conn: _Connection, queue: dict[_Connection, None], seconds: float) -> None:
        """Wait in `queue` for what the client does next: to read, if that is where it departs, and else to say more.

        Telling the poller takes a system call, and only if it was told something else before.
        """
        conn.queue.pop(conn, None)
        conn.queue = queue
        conn.deadline = time.monotonic() + seconds
        queue[conn] = None
        is_departing = queue is self._departing
        events = selectors.EVENT_WRITE if is_departing else selectors.EVENT_READ
        if conn.watched_for != events:
            watch = self.poller.modify if conn.watched_for else self.poller.register
            watch(conn.sock, events, partial(self._deliver if is_departing else self._receive, conn))
            conn.watched_for = events

    def _unwatch(self, conn: _Connection) -> None:
        if conn.watched_for:
            self.poller.unregister(conn.sock)
            conn.watched_for = 0

    def _go_on(self, conn: _Connection) -> None:
        """Answer the request that has arrived, or refuse it, or wait for the rest of it."""
        arrival = arrival_of(conn.arrived)
        if arrival is Arrival.TOO_LARGE:
            self._refuse(conn, b"413 Content Too Large", b"Request body too large.")
        elif arrival is not Arrival.PARTIAL:
            conn.is_whole = arrival is Arrival.WHOLE
            self._answer(conn)
        elif len(conn.arrived) > _MAX_HEAD:
            self._refuse(conn, b"431 Request Header Fields Too Large", b"Request header too large.")
        elif conn not in self._arriving:
            self._await(conn, self._arriving, REQUEST_TIMEOUT)

    def _answer(self, conn: _Connection) -> None:
        """Answer the request that has arrived, here or in a thread."""
        conn.queue.pop(conn, None)
        conn.init()
        conn.parser.unreader.unread(bytes(conn.arrived))
        conn.arrived.clear()
        if self._answers_itself:
            self._stay_alive()
            conn.stays = self.handle(conn)
            self._deliver(conn)
        else:
            self._unwatch(conn)
            self.enqueue_req(conn)

    def _deliver(self, conn: _Connection, _sock: object = None) -> None:
        """Send the answer as fast as the client takes it, and then wait for the next request, or hang up."""
        try:
            is_delivered = conn.sock.deliver()
        except OSError:
            self._drop(conn)
            return
        if not is_delivered:
            if conn.queue is not self._departing:
                self._await(conn, self._departing, _DELIVERY_TIMEOUT)
        elif conn.stays:
            self._await_next_request(conn)
        else:
            self._say_goodbye(conn)

    def _await_next_request(self, conn: _Connection) -> None:
        conn.arrived += conn.parser.unreader.take_buffered()
        if conn.arrived:  # requests that were sent in one go are answered in turn with everybody else's
            self._unwatch(conn)
            self.method_queue.defer(self._go_on, conn)
        else:
            self._await(conn, self._idle, self.cfg.keepalive)

    def _stay_alive(self) -> None:
        """Tell gunicorn's master that the loop has not hung: answering many in one turn may take its time."""
        now = time.monotonic()
        if now >= self._notified_at + 1:
            self._notified_at = now
            self.notify()

    def _refuse(self, conn: _Connection, status: bytes, message: bytes) -> None:
        """Answer in the service's envelope what never became a request that the application could answer."""
        conn.sock.sendall(_answer(status, message))
        conn.stays = False
        self._deliver(conn)

    def _say_goodbye(self, conn: _Connection) -> None:
        """Say that no more will be sent, and let the client read to the end and hang up, without waiting."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # gone already
            self._drop(conn)
            return
        conn.queue.pop(conn, None)
        self.nr_conns -= 1
        self._unwatch(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, self._on_lingering)
        self._lingering[conn.sock] = time.monotonic() + _HANG_UP_TIMEOUT

    def _drop(self, conn: _Connection) -> None:
        conn.queue.pop(conn, None)
        self.nr_conns -= 1
        self._unwatch(conn)
        conn.close()

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
