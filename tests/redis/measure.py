"""What a step costs in a Redis Cluster, beside the other stores: `tox -e scale`.

Every figure is of one client thread, for which the machine's other work counts: so the stores take turns, and the
medians of many turns are printed. `--sessions` says how many there are at most for the growth.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import redis
from redis.cluster import RedisCluster

from domain.model.sessions import Session, SessionPolicy, rotate
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster, Run
from infrastructure.redis.keys import Place
from infrastructure.redis.scripts import Script
from infrastructure.redis.sessions import RedisSessions
from ports.sessions import Sessions
from tests.builders import first_token
from tests.fakes.clock import START
from tests.postgres import PostgresServer
from tests.redis.servers import Node, Servers, running

EVERY_USE_ROTATES = SessionPolicy(replay_grace=0)
_TURNS, _CALLS = 15, 200


class Rotating:
    """Sessions that are rotated one after the other, each from where it is."""

    def __init__(self, store: Sessions, count: int) -> None:
        self._store = store
        self._tokens = [first_token() for _ in range(count)]
        self._next = 0
        for token in self._tokens:
            store.start(_session_of(token))

    def __call__(self) -> None:
        number = self._next % len(self._tokens)
        token = self._tokens[number]
        self._next += 1
        step = rotate(token, now=START + 1, policy=EVERY_USE_ROTATES, replaces=token.generation)
        assert self._store.rotate(step) is not None
        self._tokens[number] = step.successor


def _session_of(token: Any) -> Session:
    return replace(Session.recalled(token), device="Firefox on Linux")


def in_turns(calls: dict[str, Callable[[], object]], *, turns: int = _TURNS) -> dict[str, float]:
    """Return the median microseconds of each call, over turns that all of them take."""
    figures: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 2):
        for name, call in calls.items():
            begun = time.perf_counter()
            for _ in range(_CALLS):
                call()
            if turn >= 2:
                figures[name].append((time.perf_counter() - begun) / _CALLS * 1e6)
    return {name: statistics.median(found) for name, found in figures.items()}


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    click.echo(f"\n### {title}\n")
    for row in (heads, ["---", *["---:"] * (len(heads) - 1)], *rows):
        click.echo(f"| {' | '.join(map(str, row))} |")


def compare_routing(servers: Servers) -> None:
    """Ask for one step by redis-py's own routing and by ours."""
    token = first_token()
    place, script = Place(token.user_id, token.session_id), Script.load("get")
    keys = [place.session, place.cut_off, place.bucket.mark, place.bucket.fence]
    library: Any = RedisCluster(host="127.0.0.1", port=servers.nodes[0].port)
    node = library.get_node_from_key(place.session)
    client: Any = library.get_redis_connection(node)
    client.script_load(script.text)
    ours, unconfirmed = Cluster(Address.parse(servers.url)), Cluster(Address.parse(f"{servers.url}?replicas=0"))

    def by_library() -> None:
        library.evalsha(script.sha, len(keys), *keys)

    def by_library_and_wait() -> None:
        library.evalsha(script.sha, len(keys), *keys)
        client.execute_command("WAIT", 1, 1000)

    figures = in_turns(
        {
            "redis-py `RedisCluster.evalsha`": by_library,
            "redis-py `RedisCluster.evalsha`, then `WAIT 1` (on a connection that may be another)": by_library_and_wait,
            "script by a routed connection": lambda: unconfirmed.run(Run(script, place.bucket, keys)),
            "script and `WAIT 1` in one write by a routed connection": lambda: ours.run(
                Run(script, place.bucket, keys)
            ),
        }
    )
    library.close()
    print_table("One script", ["", "µs"], [(name, f"{value:.0f}") for name, value in figures.items()])


def compare_stores(servers: Servers, sql: dict[str, Sessions]) -> None:
    stores = {
        "Redis Cluster, 1 replica confirms": RedisSessions(Cluster(Address.parse(servers.url))),
        "Redis Cluster, 2 replicas confirm": RedisSessions(Cluster(Address.parse(f"{servers.url}?replicas=2"))),
        "Redis Cluster, nobody confirms": RedisSessions(Cluster(Address.parse(f"{servers.url}?replicas=0"))),
        **sql,
    }
    figures = in_turns({name: Rotating(store, 50) for name, store in stores.items()})
    print_table("One rotation, from Python and back", ["store", "µs"], [(n, f"{v:.0f}") for n, v in figures.items()])


@dataclass
class Use:
    """What a master has used."""

    cpu: float
    calls: int
    received: int
    sent: int
    replicated: int
    log: int

    @classmethod
    def of(cls, node: Node) -> "Use":
        info: dict[str, Any] = {}
        for section in ("cpu", "commandstats", "stats", "replication", "persistence"):
            info |= node.info(section)
        return cls(
            cpu=float(info["used_cpu_user"]) + float(info["used_cpu_sys"]),
            calls=info.get("cmdstat_evalsha", {}).get("calls", 0),
            received=info["total_net_input_bytes"],
            sent=info["total_net_output_bytes"],
            replicated=info["master_repl_offset"],
            log=info["aof_current_size"],
        )

    def since(self, before: "Use") -> "Use":
        return Use(*(getattr(self, name) - getattr(before, name) for name in Use.__dataclass_fields__))


def measure_use(masters: int) -> list[object]:
    """Return what a rotation costs the servers, and how evenly they share the work."""
    count = 6000
    with running(masters=masters, replicas=1) as servers:
        leading = servers.masters()
        step = Rotating(RedisSessions(Cluster(Address.parse(servers.url))), 3000)
        step()
        before = [Use.of(node) for node in leading]
        for _ in range(count):
            step()
        used = [Use.of(node).since(was) for node, was in zip(leading, before, strict=True)]
    return [
        masters,
        f"{sum(each.cpu for each in used) / count * 1e6:.0f}",
        f"{min(each.calls for each in used) / count:.0%} to {max(each.calls for each in used) / count:.0%}",
        f"{sum(each.received for each in used) / count:.0f}",
        f"{sum(each.replicated for each in used) / count:.0f}",
        f"{sum(each.log for each in used) / count:.0f}",
    ]


def measure_growth(most: int) -> None:
    """Fill a cluster with sessions of as many users, and look at memory and at the cost of a rotation."""
    rows: list[Sequence[object]] = []
    with running(replicas=1, options={"cluster-node-timeout": "15000"}) as servers:
        store = RedisSessions(Cluster(Address.parse(servers.url)))
        empty, count = _memory(servers), 0
        step = Rotating(store, 1000)
        count += 1000
        for goal in [size for size in (10_000, 100_000, 1_000_000) if size <= most]:
            _fill(servers, goal - count)
            count = goal
            cost = in_turns({"": step}, turns=7)[""]
            rows.append([f"{goal:,}", f"{(_memory(servers) - empty) / goal:.0f}", f"{cost:.0f}"])
    print_table("Growth", ["sessions, one a user", "bytes of a master's memory per session", "µs per rotation"], rows)


def _fill(servers: Servers, count: int) -> None:
    """Start sessions without a confirmation each."""
    store = RedisSessions(Cluster(Address.parse(f"{servers.url}?replicas=0")))
    for _ in range(count):
        store.start(_session_of(first_token()))


def _memory(servers: Servers) -> int:
    return sum(int(node.info("memory")["used_memory_dataset"]) for node in servers.masters())


@contextmanager
def sql_stores() -> Iterator[dict[str, Sessions]]:
    with tempfile.TemporaryDirectory() as folder:
        server = PostgresServer()
        try:
            server.create()
            server.start()
            stores: dict[str, Sessions] = {}
            for name, url in {
                "PostgreSQL": server.create_database("nuovo"),
                "SQLite": f"sqlite:///{Path(folder)}/nuovo.sqlite3",
            }.items():
                engine = open_engine(url)
                Schema(engine).migrate()
                stores[name] = PeeweeSessions(engine)
            yield stores
        finally:
            server.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    options = parser.parse_args()
    click.echo(f"redis-py {redis.__version__}")
    with running() as servers, sql_stores() as sql:
        compare_routing(servers)
        compare_stores(servers, sql)
    print_table(
        "What a rotation costs the masters",
        ["masters", "µs of CPU", "share of a master", "bytes in", "bytes to a replica", "bytes of log"],
        [measure_use(masters) for masters in (1, 3)],
    )
    measure_growth(options.sessions)


if __name__ == "__main__":
    main()
