"""Which server leads which of the cluster's slots, as the servers say."""

import random
import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, TypeAlias

from redis.exceptions import RedisError

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.address import Node
from infrastructure.redis.trouble import unavailable

_SLOTS = 16_384
_PAUSE = 0.2
"""Seconds between two rounds of asking, however many threads find that a server has gone."""

Ask: TypeAlias = Callable[[Node], Any]
"""Send `CLUSTER SLOTS` to a server, and return its answer. Raises `RedisError`."""


class Topology:
    """A map from slots to masters, learnt when it is first needed and again when it proves to be wrong."""

    def __init__(self, seeds: Iterable[Node], ask: Ask) -> None:
        """Take the servers to ask first; nothing is asked yet."""
        self._seeds = tuple(seeds)
        self._ask = ask
        self._masters: list[Node | None] = []
        self._known: tuple[Node, ...] = ()
        self._asked_at = 0.0
        self.start_afresh()

    def start_afresh(self) -> None:
        """Hold no lock that another thread had when this process was forked."""
        self._lock = Lock()

    def master_of(self, slot: int) -> Node:
        """Return who leads a slot. Raises `StoreUnavailableError` if nobody does."""
        if not self._masters:
            self.learn()
        master = self._masters[slot]
        if master is None:
            raise StoreUnavailableError("no server of the cluster has these keys")
        return master

    def masters(self) -> list[Node]:
        """Return all who lead, as the servers say now. Raises `StoreUnavailableError`."""
        self.learn(at_once=True)
        return sorted({master for master in self._masters if master is not None})

    def is_complete(self) -> bool:
        """Tell whether each slot had a master when this was last learnt."""
        return bool(self._masters) and None not in self._masters

    def move(self, slot: int, master: Node) -> None:
        """Note that a slot has another master now, which may be a server that was not known."""
        self._masters[slot] = master
        if master not in self._known:
            self._known += (master,)

    def learn(self, *, at_once: bool = False) -> None:
        """Ask one server after another until one answers, unless another thread has just done so.

        Raises `StoreUnavailableError` if none does and nothing was known before.
        """
        with self._lock:
            if self._masters and not at_once and time.monotonic() - self._asked_at < _PAUSE:
                return
            trouble: RedisError | None = None
            for node in dict.fromkeys((*random.sample(self._known, len(self._known)), *self._seeds)):
                try:
                    self._take(self._ask(node), asked=node)
                except RedisError as error:
                    trouble = error
                else:
                    break
            self._asked_at = time.monotonic()
            if trouble is not None and not self._masters:
                raise unavailable(trouble) from trouble

    def _take(self, ranges: Any, *, asked: Node) -> None:
        masters: list[Node | None] = [None] * _SLOTS
        known = set[Node]()
        for first, last, *nodes in ranges:
            named = [_node_of(node, asked) for node in nodes]
            masters[first : last + 1] = [named[0]] * (last + 1 - first)
            known |= {node for node in named if node is not None}
        if known:
            self._masters, self._known = masters, tuple(known)


def _node_of(node: Any, asked: Node) -> Node | None:
    """Return a server as it wants to be called: without a name it is where it was asked, `?` means nowhere."""
    host, port = node[0], int(node[1])
    name = host.decode() if host else asked[0]
    return None if name == "?" else (name, port)
