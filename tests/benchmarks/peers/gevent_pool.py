"""Nuovo for gevent, with four greenlets that answer, and so four connections to the database."""

from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.queue import SimpleQueue

from entrypoints.wsgi import app as real_app

_waiting = SimpleQueue()
_greenlets: list[Any] = []


def _answer() -> None:
    while True:
        environ, answer = _waiting.get()
        started: list[Any] = []
        body = list(real_app(environ, lambda *head, started=started: started.extend(head)))
        answer.set((started, body))


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Hand a request to a greenlet of the pool, and wait for its answer."""
    if not _greenlets:
        _greenlets.extend(gevent.spawn(_answer) for _ in range(4))
    answer = AsyncResult()
    _waiting.put((environ, answer))
    started, body = answer.get()
    start_response(*started[:2])
    return body
