"""A Redis Cluster as the stores use it: scripts whose writes are confirmed, or `StoreUnavailableError`.

Each thread has a connection of its own to each master, opened when it is first needed. A script is sent to the master
of its keys in one write with the `WAIT` that confirms it, which redis-py's own routing cannot do. A store's scripts
may all be run twice without harm, so one that met a dead connection is run again.
"""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias
from weakref import WeakMethod

from redis import exceptions
from redis.connection import Connection, SSLConnection

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.address import Address, Node
from infrastructure.redis.keys import Bucket
from infrastructure.redis.scripts import Script
from infrastructure.redis.topology import Topology
from infrastructure.redis.trouble import unavailable

Value: TypeAlias = str | int | bytes
Command: TypeAlias = Sequence[Value]

_CONNECT_TIMEOUT = 1.0
_CONFIRMATION_TIMEOUT_MS = 1000
_ANSWER_TIMEOUT = 2.0
"""Seconds, more than a confirmation may take."""
_BUDGET = 4.0
"""Seconds that a call may take while keys move from server to server."""
_MOVING_POLL = 0.02
_MAX_REDIRECTIONS = 8
_PAUSE_AFTER_SILENCE = 2.0
"""Seconds in which one call alone tries a server that did not answer: the others must not queue behind it."""
_MOVED_KEY = "non local key"
"""In the words of a server whose script met a key that has gone already while its slot is being moved."""


class Cluster:
    """The servers, reached through redis-py's connections. Nothing is connected before it is needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._topology = Topology(address.nodes, lambda node: self._ask(node, [("CLUSTER", "SLOTS")])[0])
        self._silent_until: dict[Node, float] = {}
        self._start_afresh()
        in_child = WeakMethod(self._start_afresh)
        os.register_at_fork(after_in_child=lambda: (start_afresh := in_child()) and start_afresh())

    @property
    def replicas(self) -> int:
        """How many replicas confirm what is written."""
        return self._address.replicas

    def run(
        self, script: Script, bucket: Bucket, keys: Sequence[str], arguments: Sequence[Value], *, confirm: bool = True
    ) -> Any:
        """Run a script on keys of one bucket, and return its answer. Raises `StoreUnavailableError`.

        With `confirm` the answer is returned only when as many replicas as are asked for have what this connection has
        written so far: a script that confirms always writes, were it the fence alone.
        """
        tail: tuple[Value, ...] = (len(keys), *keys, *arguments)
        try:
            return self.call(bucket, ("EVALSHA", script.sha, *tail), confirm=confirm)
        except exceptions.NoScriptError:
            return self.call(bucket, ("EVAL", script.text, *tail), confirm=confirm)

    def call(self, bucket: Bucket, command: Command, *, confirm: bool = True) -> Any:
        """Send a command to the master of a bucket, as `run` does."""
        commands = [command]
        if confirm and self.replicas:
            commands.append(("WAIT", self.replicas, _CONFIRMATION_TIMEOUT_MS))
        answer, *confirmations = self._send(bucket.slot, commands)
        if confirmations and confirmations[0] < self.replicas:
            # APPSEC: a master that has been replaced without knowing it gets here, whatever it answered.
            raise StoreUnavailableError(f"{confirmations[0]} of {self.replicas} replicas confirmed in time")
        return answer

    def survey(self, command: Command) -> list[Any]:
        """Send a command to every master, and return what each one answers. Raises `StoreUnavailableError`."""
        masters = self._topology.masters()
        if not self._topology.is_complete():
            raise StoreUnavailableError("the cluster has slots without a master")
        try:
            return [self._ask(node, [command])[0] for node in masters]
        except exceptions.RedisError as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Close this thread's connections."""
        for node in list(self._connections()):
            self._drop(node)

    def _send(self, slot: int, commands: list[Command]) -> list[Any]:
        """Send commands to the master of a slot, wherever it has gone."""
        give_up_at, redirections, reconnected = time.monotonic() + _BUDGET, 0, False
        asking: Node | None = None
        while True:
            node = asking or self._audible(slot)
            try:
                return self._ask(node, [("ASKING",), *commands])[1:] if asking else self._ask(node, commands)
            except exceptions.NoScriptError:
                raise
            except exceptions.AskError as error:
                asking, target = None, (error.host or node[0], error.port)
                redirections += 1
                if redirections > _MAX_REDIRECTIONS:
                    raise unavailable(error) from None
                if isinstance(error, exceptions.MovedError):
                    self._topology.move(slot, target)
                else:
                    asking = target
            except exceptions.ResponseError as error:
                is_moving = isinstance(error, exceptions.TryAgainError) or _MOVED_KEY in str(error)
                if not is_moving or time.monotonic() > give_up_at:
                    raise unavailable(error) from None
                asking = None
                time.sleep(_MOVING_POLL)
            except exceptions.RedisError as error:
                self._topology.learn()
                if reconnected or isinstance(error, exceptions.TimeoutError | exceptions.AuthenticationError):
                    raise unavailable(error) from None
                reconnected, asking = True, None

    def _audible(self, slot: int) -> Node:
        """Return the master of a slot, unless it did not answer a moment ago and nobody has replaced it."""
        node = self._topology.master_of(slot)
        if node in self._silent_until:
            self._topology.learn()
            node = self._topology.master_of(slot)
            silent_until, now = self._silent_until.get(node, 0.0), time.monotonic()
            if now < silent_until:
                raise StoreUnavailableError("the server did not answer a moment ago")
            if silent_until:
                self._silent_until[node] = now + _PAUSE_AFTER_SILENCE
        return node

    def _ask(self, node: Node, commands: list[Command]) -> list[Any]:
        """Send commands in one write and return the answers; the first that is an error is raised."""
        connection = self._connections().get(node) or self._connect(node)
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
        for answer in answers:
            if isinstance(answer, exceptions.RedisError):
                raise answer
        return answers

    def _connect(self, node: Node) -> Connection:
        kind = SSLConnection if self._address.is_encrypted else Connection
        connection: Connection = kind(
            host=node[0],
            port=node[1],
            protocol=2,
            socket_connect_timeout=_CONNECT_TIMEOUT,
            socket_timeout=_ANSWER_TIMEOUT,
            **self._address.options,
        )
        self._connections()[node] = connection
        return connection

    def _connections(self) -> dict[Node, Connection]:
        try:
            return self._of_thread.connections
        except AttributeError:
            self._of_thread.connections = found = dict[Node, Connection]()
            return found

    def _drop(self, node: Node) -> None:
        connection = self._connections().pop(node, None)
        if connection is not None:
            with suppress(OSError):
                connection.disconnect()  # type: ignore[no-untyped-call]

    def _start_afresh(self) -> None:
        """Share nothing with the process that this one was forked from, whoever forks and whenever."""
        self._of_thread = _OfThread()
        self._topology.start_afresh()


class _OfThread(threading.local):
    connections: dict[Node, Connection]


def _read(connection: Connection) -> Any:
    """Return an answer, or the error that the server answers with, so that the next answer can be read."""
    try:
        return connection.read_response()
    except exceptions.ResponseError as error:
        return error
