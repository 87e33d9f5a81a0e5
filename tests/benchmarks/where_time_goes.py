"""`tox -e profile`: where a refresh's time goes, layer by layer, and function by function with `--functions`.

Each port is wrapped in a stop-watch, which costs about 0.2 microseconds a call. The server's share is what gunicorn's
worker spends on an empty resource, less the resource itself.
"""

import argparse
import cProfile
import pstats
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from entrypoints.bootstrap import Service
from tests.benchmarks.contenders import EMPTY
from tests.benchmarks.in_process import USER, WARM_UP, WsgiClient, a_service, logs_in
from tests.benchmarks.peers.empty_falcon import create_app
from tests.benchmarks.servers import Stage

_LAYERS = {
    "tokens": "codec: read one token, write two",
    "sessions": "store: sessions and users",
    "log": "log",
    "clock": "clock",
}


class _StopWatch:
    """Stands in front of a port and adds up the nanoseconds of its methods."""

    def __init__(self, port: Any, layer: str, spent: dict[str, int]) -> None:
        self._port = port
        self._layer = layer
        self._spent = spent

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter_ns()
            try:
                return method(*arguments, **options)
            finally:
                self._spent[self._layer] += time.perf_counter_ns() - started

        self.__dict__[name] = timed
        return timed


def layers(url: str, requests: int) -> dict[str, float]:
    """Return the median microseconds of each layer of a refresh, direct WSGI calls."""
    spent: dict[str, int] = defaultdict(int)
    service = a_service(url)
    real = service.use_cases.refresh
    # Users are not watched: a store that shares their database must know them for what they are.
    watches: Any = {name: _StopWatch(getattr(real, name), name, spent) for name in _LAYERS}
    watched = replace(real, **watches)
    client = _client(replace(service, use_cases=replace(service.use_cases, refresh=_timed(watched, spent))))
    samples: dict[str, list[float]] = defaultdict(list)
    for number in range(WARM_UP + requests):
        spent.clear()
        whole = client.refresh()
        if number < WARM_UP:
            continue
        for name, layer in _LAYERS.items():
            samples[layer].append(spent[name] / 1000)
        samples["domain and use case"].append((spent["use case"] - sum(spent[name] for name in _LAYERS)) / 1000)
        samples["framework, credentials, envelope"].append((whole - spent["use case"]) / 1000)
    return {name: statistics.median(values) for name, values in samples.items()}


def _timed(use_case: Any, spent: dict[str, int]) -> Any:
    def refresh(presented: str) -> Any:
        started = time.perf_counter_ns()
        try:
            return use_case(presented)
        finally:
            spent["use case"] += time.perf_counter_ns() - started

    return refresh


def _client(service: Service) -> WsgiClient:
    token = service.operations.start(USER, "profile").refresh_token
    assert token is not None
    return WsgiClient(service.app(), token)


def server_share(stage: Stage, requests: int) -> float:
    """Return the microseconds that gunicorn's worker spends on a request before and after the application."""
    with stage.serve(EMPTY) as server:
        report = server.load(2.0, store_pids=[])
    client = WsgiClient(create_app(b"{}"), "x")
    resource = statistics.median(client.refresh() for _ in range(requests)) / 1000
    return report.server_cpu / report.requests * 1e6 - resource


def functions(url: str, requests: int, shown: int) -> None:
    """Print the functions that take the most time themselves."""
    client = _client(a_service(url))
    profiler = cProfile.Profile()
    for _ in range(WARM_UP):
        client.refresh()
    profiler.enable()
    for _ in range(requests):
        client.refresh()
    profiler.disable()
    pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(shown)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(prog="tox -e profile --", description=__doc__)
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="also print the N costliest functions")
    arguments = parser.parse_args()
    stage = Stage()
    try:
        server = server_share(stage, arguments.requests)
        with TemporaryDirectory() as folder, logs_in(Path(folder) / "log"):
            urls: dict[str, Callable[[], str]] = {
                "SQLite": lambda: f"sqlite:///{folder}/profile.sqlite3",
                "PostgreSQL": stage.create_database,
            }
            for database, url in urls.items():
                _print_layers(database, {"server: gunicorn": server, **layers(url(), arguments.requests)})
            if arguments.functions:
                functions(f"sqlite:///{folder}/functions.sqlite3", arguments.requests, arguments.functions)
    finally:
        stage.close()


def _print_layers(database: str, parts: dict[str, float]) -> None:
    whole = sum(parts.values())
    sys.stdout.write(f"\n{database}: {whole:.0f} microseconds\n")
    for name, spent in sorted(parts.items(), key=lambda part: -part[1]):
        sys.stdout.write(f"  {name:36s} {spent:7.1f}  {spent / whole:4.0%}\n")


if __name__ == "__main__":
    main()
