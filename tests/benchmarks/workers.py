"""How gunicorn's kinds of workers answer Nuovo: the peak of each, and its tail at one and the same rate."""

import statistics
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from tests.benchmarks.comparison import Turn, take_turn
from tests.benchmarks.contenders import BY_NAME
from tests.benchmarks.servers import Kind, Stage

_GEVENT_POOL = "gevent_pool:app"
KINDS = [
    *(Kind(title=f"sync, {count} workers", workers=count) for count in (1, 2, 4, 6)),
    Kind(title="gthread, 1 thread", worker_class="gthread", keeps_alive=True),
    Kind(title="gthread, 2 threads", worker_class="gthread", threads=2, keeps_alive=True),
    Kind(title="gthread, 1 thread, 2 workers", worker_class="gthread", workers=2, keeps_alive=True),
    Kind(title="gevent, 4 connections", worker_class="gevent", keeps_alive=True, app=_GEVENT_POOL),
    Kind(
        title="gevent, 4 connections, 2 workers", worker_class="gevent", workers=2, keeps_alive=True, app=_GEVENT_POOL
    ),
]
_EQUAL_SHARE = 0.5
"""The common rate, as a part of what the first kind can do at its peak: every kind can hold it."""
_DATABASES = {
    "SQLite": ("sqlite", 0.0),
    "PostgreSQL": ("postgres", 0.0),
    "PostgreSQL, 0.5 ms away": ("postgres", 0.0005),
}
_FIGURES = (
    "requests_per_second",
    "p99",
    "cpu_per_request",
    "steady_p50",
    "steady_p99",
    "steady_p999",
    "memory_megabytes",
)


def compare_workers(stage: Stage, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure every kind in turns, on each database."""
    document = {}
    for place, (database, round_trip) in _DATABASES.items():
        nuovo = BY_NAME[f"nuovo-{database}"]
        turns: dict[str, list[Turn]] = {kind.title: [] for kind in KINDS}
        with ExitStack() as stack:
            servers = {
                kind.title: stack.enter_context(stage.serve(nuovo, kind, round_trip=round_trip)) for kind in KINDS
            }
            rate = _EQUAL_SHARE * take_turn(stage, servers[KINDS[0].title], seconds).requests_per_second
            for number in range(rounds):
                for title in list(servers) if number % 2 == 0 else reversed(servers):
                    turn = take_turn(stage, servers[title], seconds, rate=rate)
                    turns[title].append(turn)
                    sys.stdout.write(
                        f"round {number + 1}  {place:24s} {title:28s} {turn.requests_per_second:7.0f}/s"
                        f"  steady p99 {turn.steady_p99:7.2f}  p99.9 {turn.steady_p999:7.2f} ms\n"
                    )
                    sys.stdout.flush()
        document[place] = {
            "rate": rate,
            "kinds": {
                title: {figure: statistics.median(asdict(turn)[figure] for turn in measured) for figure in _FIGURES}
                for title, measured in turns.items()
            },
        }
    return document
