"""Connections of redis-py, one for each thread and server, opened when they are first needed."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from redis import exceptions
from redis.connection import Connection, SSLConnection

from infrastructure.redis.address import Address, Node

Value: TypeAlias = str | int | bytes
Command: TypeAlias = Sequence[Value]

_CONNECT_TIMEOUT = 1.0
_ANSWER_TIMEOUT = 2.0
"""Seconds, more than a confirmation may take."""
_PAUSE_AFTER_SILENCE = 2.0
"""Seconds in which one call alone tries a server that did not answer: the others must not queue behind it."""


class Connections:
    """What a process has to the servers of a cluster."""

    def __init__(self, address: Address) -> None:
        """Take the address for how to log in; nothing is connected yet."""
        self._address = address
        self._silent_until: dict[Node, float] = {}
        self.start_afresh()

    def exchange(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one write, and return the answers, those that are errors of the server included.

        Raises `redis.RedisError` if the answers cannot be had.
        """
        connection = self._mine.get(node) or self._open(node)
        try:
            connection.send_packed_command(connection.pack_commands(commands))  # type: ignore[no-untyped-call]
            answers = [_read(connection) for _ in commands]
        except (exceptions.RedisError, OSError) as error:
            # A connection that failed is not trusted again: nobody knows what it would answer.
            self._drop(node)
            if isinstance(error, exceptions.TimeoutError):
                self._silent_until[node] = time.monotonic() + _PAUSE_AFTER_SILENCE
            if isinstance(error, exceptions.RedisError):
                raise
            raise exceptions.ConnectionError from error
        self._silent_until.pop(node, None)
        return answers

    def is_silent(self, node: Node) -> bool:
        """Tell whether a server did not answer when it was last asked."""
        return node in self._silent_until

    def may_try(self, node: Node) -> bool:
        """Tell whether to ask a server that may be silent: now and then one of those who want to may."""
        silent_until, now = self._silent_until.get(node), time.monotonic()
        if silent_until is None:
            return True
        if now < silent_until:
            return False
        self._silent_until[node] = now + _PAUSE_AFTER_SILENCE
        return True

    def close(self) -> None:
        """Close those of this thread."""
        for node in list(self._mine):
            self._drop(node)

    @property
    def _mine(self) -> dict[Node, Connection]:
        try:
            return self._of_thread.connections
        except AttributeError:
            self._of_thread.connections = found = dict[Node, Connection]()
            return found

    def _open(self, node: Node) -> Connection:
        kind = SSLConnection if self._address.is_encrypted else Connection
        connection: Connection = kind(
            host=node[0],
            port=node[1],
            protocol=2,
            socket_connect_timeout=_CONNECT_TIMEOUT,
            socket_timeout=_ANSWER_TIMEOUT,
            **self._address.options,
        )
        self._mine[node] = connection
        return connection

    def _drop(self, node: Node) -> None:
        connection = self._mine.pop(node, None)
        if connection is not None:
            with suppress(OSError):
                connection.disconnect()  # type: ignore[no-untyped-call]

    def start_afresh(self) -> None:
        """Open new ones in this process: it was forked from the one that has the others."""
        self._of_thread = _OfThread()


class _OfThread(threading.local):
    connections: dict[Node, Connection]


def _read(connection: Connection) -> Any:
    """Return an answer, or the error that the server answers with, so that the next answer can be read."""
    try:
        return connection.read_response()
    except exceptions.ResponseError as error:
        return error
