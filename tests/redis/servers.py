"""A real Redis Cluster for tests: processes of Debian's `redis-server` on free ports of the loopback interface."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from domain.model.errors import StoreUnavailableError
from tests.ports import free_port

MASTERS = 3
REPLICAS = 2
_SLOTS = 16_384
_HANDSHAKE = 10.0
"""Seconds after which nodes that do not know each other are introduced once more."""
_PATIENCE = 60.0
"""Seconds for anything that a cluster does by itself; nothing that goes well takes so long."""


def is_installed() -> bool:
    return shutil.which("redis-server") is not None


def until(holds: Callable[[], bool], what: str, *, patience: float = _PATIENCE) -> float:
    """Wait until something holds, and return how many seconds that took."""
    begun = time.monotonic()
    while not _is_true(holds):
        if time.monotonic() - begun > patience:
            raise TimeoutError(what)
        time.sleep(0.02)
    return time.monotonic() - begun


def _is_true(holds: Callable[[], bool]) -> bool:
    with suppress(redis.RedisError, OSError, StoreUnavailableError):
        return holds()
    return False


class Node:
    """One server with a folder of its own, so that it may be started again with what it had."""

    def __init__(self, folder: Path, options: dict[str, str]) -> None:
        self.port, self.bus_port, self.tls_port = free_port(), free_port(), free_port()
        self._folder = folder
        self._options = options
        self._is_encrypted = "tls-cert-file" in options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def port_among_nodes(self) -> int:
        return self.tls_port if self._is_encrypted else self.port

    @property
    def id(self) -> str:
        return str(self.ask("CLUSTER", "MYID"))

    def start(self) -> None:
        options = {
            "port": str(self.port),
            "cluster-port": str(self.bus_port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "cluster-enabled": "yes",
            "appendonly": "yes",
            "save": "",
            "repl-diskless-sync-delay": "0",
            "logfile": str(self._folder / "log"),
            **self._options,
        }
        if self._is_encrypted:
            options |= {"tls-port": str(self.tls_port), "tls-cluster": "yes", "tls-replication": "yes"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # A run of tests that is killed leaves no server behind.
        command = ["setpriv", "--pdeathsig=KILL", "redis-server", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._answers, f"a server that answers; {self._folder}/log tells why")

    def ask(self, *command: str | int) -> Any:
        """Send one command, in a connection of its own."""
        with redis.Redis(
            port=self.port,
            socket_timeout=10,
            decode_responses=True,
            password=self._options.get("requirepass"),
        ) as client:
            return client.execute_command(*command)

    def state(self) -> dict[str, str]:
        """Return how the node sees the cluster."""
        lines = str(self.ask("CLUSTER", "INFO")).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def info(self, section: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("INFO", section)
        return answer

    def is_master(self) -> bool:
        return bool(self.ask("ROLE")[0] == "master")

    def followers(self) -> int:
        """Return how many replicas follow and are up to date."""
        found = self.info("replication")
        replicas = [found[f"slave{number}"] for number in range(int(found.get("connected_slaves", 0)))]
        return sum(replica["state"] == "online" for replica in replicas)

    def is_running(self) -> bool:
        return self._process is not None

    def freeze(self) -> None:
        """Make the server stand still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        """Tell whether the server of this folder answers, and not one of others at its address."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError((self._folder / "log").read_text(encoding="utf-8")[-2000:])
        return bool(self.info("server")["process_id"] == self._process.pid)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Servers:
    """Masters with their replicas. The first nodes are the masters at the start; who leads later is asked for."""

    def __init__(
        self, *, masters: int = MASTERS, replicas: int = REPLICAS, options: dict[str, str] | None = None
    ) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="nuovo-redis-"))
        self._masters, self._replicas = masters, replicas
        settings = {"cluster-node-timeout": "1500", **(options or {})}
        self.nodes = [Node(self._root / str(number), settings) for number in range(masters * (1 + replicas))]

    @property
    def url(self) -> str:
        return self.url_of(*self.nodes)

    def url_of(self, *nodes: "Node") -> str:
        return f"redis://{','.join(node.address for node in nodes)}"

    def create(self) -> None:
        """Start all nodes, give the masters their slots, and wait until every replica follows."""
        for node in self.nodes:
            node.start()
        for number, master in enumerate(self.nodes[: self._masters]):
            first, last = (_SLOTS * n // self._masters for n in (number, number + 1))
            master.ask("CLUSTER", "ADDSLOTSRANGE", first, last - 1)
        until(self._have_met, "nodes that know each other")
        for number, replica in enumerate(self.nodes[self._masters :]):
            replica.ask("CLUSTER", "REPLICATE", self.nodes[number % self._masters].id)
        self.wait_until_whole()

    def start(self) -> None:
        """Start the nodes that do not run."""
        for node in self.nodes:
            if not node.is_running():
                node.start()

    def wait_until_whole(self) -> float:
        """Wait until each node sees the cluster well and each master has all its replicas; return the seconds."""
        return until(self._is_whole, "a whole cluster")

    def masters(self) -> list[Node]:
        """Return the nodes that lead now, as the majority sees it."""
        return [self.node_at(address) for address in sorted(self._leading())]

    def node_at(self, address: str) -> Node:
        return next(node for node in self.nodes if node.address == address)

    def master_of(self, slot: int) -> Node:
        """Return who leads a slot, as a node says that is not the first to be asked."""
        for node in self.nodes:
            with suppress(redis.RedisError, OSError):
                for first, last, master, *_ in node.ask("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return self.node_at(f"{master[0]}:{master[1]}")
        raise LookupError

    def replicas_of(self, master: Node) -> list[Node]:
        """Return who follows a master now, as the master itself says."""
        return [self.node_at(f"{host}:{port}") for host, port, _ in master.ask("ROLE")[2]]

    def move_slot(self, slot: int, target: Node, *, pause: float = 0.0) -> None:
        """Give a slot and its keys to another master as `redis-cli --cluster reshard` does, so long after each key."""
        source = self.master_of(slot)
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 1):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            time.sleep(pause)
        for master in (target, source, *self.masters()):
            master.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def empty(self) -> None:
        """Forget all data, and keep the scripts."""
        for master in self.masters():
            master.ask("FLUSHALL")

    def remove(self) -> None:
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self._root)

    def _have_met(self) -> bool:
        """Make the first node known to the others, which tell each other. What takes too long they forget."""
        for node in self.nodes[1:]:
            self.nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port_among_nodes, node.bus_port)
        with suppress(TimeoutError):
            until(lambda: all(self._knows_all(node) for node in self.nodes), "an introduction", patience=_HANDSHAKE)
            return True
        return False

    def _knows_all(self, node: Node) -> bool:
        info = node.state()
        return info["cluster_known_nodes"] == str(len(self.nodes)) and info["cluster_slots_assigned"] == str(_SLOTS)

    def _is_whole(self) -> bool:
        if any(node.state()["cluster_state"] != "ok" for node in self.nodes):
            return False
        leaders = [node for node in self.nodes if node.is_master()]
        return len(leaders) == self._masters and all(node.followers() == self._replicas for node in leaders)

    def _leading(self) -> set[str]:
        for node in self.nodes:
            with suppress(redis.RedisError, OSError):
                return {f"{master[0]}:{master[1]}" for _, _, master, *_ in node.ask("CLUSTER", "SLOTS")}
        raise LookupError


@contextmanager
def running(**kwargs: Any) -> Iterator[Servers]:
    """Lend a new cluster, and leave nothing behind."""
    servers = Servers(**kwargs)
    try:
        servers.create()
        yield servers
    finally:
        servers.remove()
