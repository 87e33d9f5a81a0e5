"""How gunicorn's kinds of workers answer Nuovo: the peak of each, and its tail at one and the same rate."""

import statistics
import sys
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from entrypoints import gunicorn_conf
from tests.benchmarks.comparison import Turn, take_turn
from tests.benchmarks.contenders import BY_NAME
from tests.benchmarks.servers import PACKAGED, Stage, WorkerKind

THREADS = (1, 2, 4, 8)
KINDS = [
    *(WorkerKind(worker_class=gunicorn_conf.worker_class, threads=threads) for threads in THREADS),
    *(WorkerKind(worker_class="gthread", threads=threads) for threads in THREADS),
    WorkerKind(worker_class="sync", threads=1),
    WorkerKind(worker_class="gevent", threads=1),
]
_EQUAL_SHARE = 0.5
"""The common rate, as a part of what the packaged kind can do at its peak: every kind can hold it."""
_DATABASES = ("sqlite", "postgres")


def compare_workers(stage: Stage, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure every kind in turns, on both databases."""
    document = {}
    for database in _DATABASES:
        nuovo = BY_NAME[f"nuovo-{database}"]
        turns: dict[str, list[Turn]] = {kind.title: [] for kind in KINDS}
        with ExitStack() as stack:
            servers = {kind.title: stack.enter_context(stage.serve(nuovo, kind)) for kind in KINDS}
            rate = _EQUAL_SHARE * take_turn(stage, servers[PACKAGED.title], seconds).requests_per_second
            for number in range(rounds):
                for title in list(servers) if number % 2 == 0 else reversed(servers):
                    turn = take_turn(stage, servers[title], seconds, rate=rate)
                    turns[title].append(turn)
                    sys.stdout.write(
                        f"round {number + 1}  {database:8s} {title:28s} {turn.requests_per_second:7.0f}/s"
                        f"  steady p99 {turn.steady_p99:7.2f}  p99.9 {turn.steady_p999:7.2f} ms\n"
                    )
                    sys.stdout.flush()
        document[database] = {
            "rate": rate,
            "kinds": {
                title: {
                    figure: statistics.median(asdict(turn)[figure] for turn in measured)
                    for figure in (
                        "requests_per_second",
                        "p99",
                        "cpu_per_request",
                        "steady_p50",
                        "steady_p99",
                        "steady_p999",
                        "memory_megabytes",
                    )
                }
                for title, measured in turns.items()
            },
        }
    return document
