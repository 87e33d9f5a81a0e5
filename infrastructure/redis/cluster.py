"""A Redis Cluster as the stores use it: scripts whose writes are confirmed, or `StoreUnavailableError`.

A script is sent to the master of its keys in one write with the `WAIT` that confirms it, which redis-py's own routing
cannot do. A store's scripts may all be run twice without harm, so one that met a dead connection is run again.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakMethod

from redis import exceptions

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.address import Address, Node
from infrastructure.redis.connections import Command, Connections, Value
from infrastructure.redis.keys import Bucket
from infrastructure.redis.scripts import Script
from infrastructure.redis.topology import Topology
from infrastructure.redis.trouble import unavailable

_CONFIRMATION_TIMEOUT_MS = 1000
_BUDGET = 4.0
"""Seconds that a call may take while keys move from server to server."""
_MOVING_POLL = 0.02
_MAX_REDIRECTIONS = 8
_MOVED_KEY = "non local key"
"""In the words of a server whose script met a key that has gone already while its slot is being moved."""
_UNCONFIRMED = "Unconfirmed"
"""The code of a failure that no server has told."""
_IN_ONE_WRITE = 64
"""How many scripts are sent at once where there are many to run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A script with the bucket, keys and arguments to run it on."""

    script: Script
    bucket: Bucket
    keys: Sequence[str]
    arguments: Sequence[Value] = ()

    def command(self, *, in_full: bool = False) -> Command:
        """Return it as a command, by the script's name unless the server has to be told the text."""
        name = ("EVAL", self.script.text) if in_full else ("EVALSHA", self.script.sha)
        return *name, len(self.keys), *self.keys, *self.arguments


class Cluster:
    """The servers. Nothing is connected before it is needed."""

    def __init__(self, address: Address) -> None:
        self.replicas = address.replicas
        self.on_success: Callable[[float], object] = _ignore
        """Told how many seconds a write has taken, with the answers to all that was in it."""
        self.on_failure: Callable[[str, str], object] = _ignore
        """Told what can be done about a failure, and what redis-py calls it."""
        self._connections = Connections(address)
        self._topology = Topology(address.nodes, lambda node: self._ask(node, [("CLUSTER", "SLOTS")])[0])
        in_child = WeakMethod(self._start_afresh)
        os.register_at_fork(after_in_child=lambda: (start_afresh := in_child()) and start_afresh())

    def run(self, run: Run, *, confirm: bool = True) -> Any:
        """Run a script on keys of one bucket, and return its answer. Raises `StoreUnavailableError`.

        With `confirm` the answer is returned only when as many replicas as are asked for have what this connection has
        written so far: a script that confirms always writes, were it the fence alone.
        """
        try:
            return self.call(run.bucket, run.command(), confirm=confirm)
        except exceptions.NoScriptError:
            return self.call(run.bucket, run.command(in_full=True), confirm=confirm)

    def run_many(self, runs: Sequence[Run], *, confirm: bool = True) -> list[Any]:
        """Do as `run` does, many at a time: those for one master share their writes and the confirmation."""
        answers: dict[int, Any] = {}
        by_master = defaultdict[Node, list[int]](list)
        for number, run in enumerate(runs):
            by_master[self._audible(run.bucket.slot)].append(number)
        for node, numbers in by_master.items():
            for first in range(0, len(numbers), _IN_ONE_WRITE):
                some = numbers[first : first + _IN_ONE_WRITE]
                found = self._try_at_once(node, [runs[number] for number in some], confirm=confirm)
                answers |= {number: answer for number, answer in zip(some, found, strict=False) if _is_good(answer)}
        # What did not go well is done again one by one, wherever its keys have gone.
        return [
            answers[number] if number in answers else self.run(run, confirm=confirm) for number, run in enumerate(runs)
        ]

    def call(self, bucket: Bucket, command: Command, *, confirm: bool = True) -> Any:
        """Send a command to the master of a bucket, as `run` does."""
        begun = time.monotonic()
        commands = [command, *self._confirmations(confirm=confirm)]
        answer, *confirmations = self._send(bucket.slot, commands)
        if confirmations and confirmations[0] < self.replicas:
            self.on_failure("other", _UNCONFIRMED)
            # APPSEC: a master that has been replaced without knowing it gets here, whatever it answered.
            raise StoreUnavailableError(f"{confirmations[0]} of {self.replicas} replicas confirmed in time")
        self.on_success(time.monotonic() - begun)
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
        self._connections.close()

    def _confirmations(self, *, confirm: bool) -> list[Command]:
        return [("WAIT", self.replicas, _CONFIRMATION_TIMEOUT_MS)] if confirm and self.replicas else []

    def _try_at_once(self, node: Node, runs: Sequence[Run], *, confirm: bool) -> list[Any]:
        """Return the answers, errors among them, or none if they cannot be had or are not confirmed."""
        begun = time.monotonic()
        confirmations = self._confirmations(confirm=confirm)
        try:
            answers = self._connections.exchange(node, [*(run.command() for run in runs), *confirmations])
        except exceptions.RedisError as error:
            self.on_failure("dead_connection", type(error).__name__)
            return []
        if confirmations and not (_is_good(answers[-1]) and answers[-1] >= self.replicas):
            self.on_failure("other", _UNCONFIRMED)
            return []
        self.on_success(time.monotonic() - begun)
        return answers[: len(runs)]

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
                self.on_failure("conflict" if is_moving else "other", type(error).__name__)
                if not is_moving or time.monotonic() > give_up_at:
                    raise unavailable(error) from None
                asking = None
                time.sleep(_MOVING_POLL)
            except exceptions.RedisError as error:
                self.on_failure("dead_connection", type(error).__name__)
                self._topology.learn()
                if reconnected or isinstance(error, exceptions.TimeoutError | exceptions.AuthenticationError):
                    raise unavailable(error) from None
                reconnected, asking = True, None

    def _ask(self, node: Node, commands: list[Command]) -> list[Any]:
        """Send commands in one write and return the answers; the first that is an error is raised."""
        answers = self._connections.exchange(node, commands)
        for answer in answers:
            if not _is_good(answer):
                raise answer
        return answers

    def _audible(self, slot: int) -> Node:
        """Return the master of a slot, unless it did not answer a moment ago and nobody has replaced it."""
        node = self._topology.master_of(slot)
        if self._connections.is_silent(node):
            self._topology.learn()
            node = self._topology.master_of(slot)
            if not self._connections.may_try(node):
                raise StoreUnavailableError("the server did not answer a moment ago")
        return node

    def _start_afresh(self) -> None:
        """Share nothing with the process that this one was forked from, whoever forks and whenever."""
        self._connections.start_afresh()
        self._topology.start_afresh()


def _ignore(*_told: object) -> None:
    """Nobody wants to know."""


def _is_good(answer: Any) -> bool:
    return not isinstance(answer, exceptions.RedisError)
