"""Gunicorn's `sync` worker, with an error answer that repeats nothing, and a stop that cuts nobody off."""

import socket
import ssl
import time
from contextlib import suppress
from typing import Any

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.sync import SyncWorker

_STOP_LIMIT = 10.0
"""Seconds in which a stopping worker begins to answer those that wait for it."""

_REFUSALS: tuple[tuple[type[Exception], tuple[bytes, bytes]], ...] = (
    (UnsupportedTransferCoding, (b"501 Not Implemented", b"Transfer coding not supported.")),
    (LimitRequestLine, (b"414 URI Too Long", b"URI too long.")),
    (LimitRequestHeaders, (b"431 Request Header Fields Too Large", b"Request header too large.")),
    (ExpectationFailed, (b"417 Expectation Failed", b"Expectation failed.")),
    (ParseException, (b"400 Bad Request", b"Bad request.")),
    (ssl.SSLError, (b"400 Bad Request", b"Bad request.")),
)
_DEFECT = b"500 Internal Server Error", b"An unexpected error occurred"
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


class Worker(SyncWorker):  # type: ignore[misc]  # gunicorn has no types
    """Answers one request after another."""

    def run(self) -> None:
        """Serve until told to stop, and then answer those whom the kernel has accepted for this worker.

        It would cut them off when the last listener is closed.
        """
        super().run()
        give_up_at = time.monotonic() + _STOP_LIMIT
        for listener in self.sockets:
            while time.monotonic() < give_up_at:
                try:
                    self.accept(listener)
                except ConnectionAbortedError:
                    continue
                except OSError:  # nobody waits there any more
                    break
            listener.close()  # whoever comes now is refused at once

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Refuse in the service's envelope what is no HTTP.

        APPSEC: neither answer nor log has a word of what it held, which may be a token; gunicorn would quote it.
        """
        refused = next((answer for kind, answer in _REFUSALS if isinstance(exc, kind)), None)
        if refused is None:
            self.log.error("Error handling request", exc_info=exc)
        else:
            self.log.warning("Invalid request: %s", type(exc).__name__)
        status, message = refused or _DEFECT
        body = b'{"status":"error","code":%s,"message":"%s"}' % (status[:3], message)
        with suppress(OSError):  # the client may be gone
            client.sendall(_HEAD % (status, len(body)) + body)
