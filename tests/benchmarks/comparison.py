"""The comparison: every contender in turns, round after round, on this machine, in this run."""

import statistics
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.contenders import CONTENDERS, EMPTY, Contender
from tests.benchmarks.servers import PACKAGED, Kind, Server, Stage

EQUAL_SHARE = 0.7
"""The part of its own peak at which a contender's times are compared: below it, queues do not only grow."""
_WARM_UP = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One contender in one round. Times in milliseconds, processor time in microseconds a request."""

    requests_per_second: float
    p50: float
    p99: float
    steady_rate: float
    steady_p50: float
    steady_p99: float
    steady_p999: float
    cpu_per_request: float
    store_cpu_per_request: float
    generator_share: float
    memory_megabytes: float
    seconds_to_ready: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All rounds of one contender."""

    title: str
    database: str
    statements_per_request: float
    turns: list[Turn]

    def median(self, figure: str) -> float:
        """Return the median of one of a turn's figures over the rounds."""
        return float(statistics.median(getattr(turn, figure) for turn in self.turns))


def take_turn(stage: Stage, server: Server, seconds: float, rate: float | None = None) -> Turn:
    """Measure a contender at its peak, and then at a steady `rate` (by default a part of that peak)."""
    peak = server.load(seconds, warm_up=_WARM_UP, store_pids=stage.store_pids(server.contender))
    memory = server.memory()
    throughput = peak.requests / peak.seconds
    steady_rate = rate or throughput * EQUAL_SHARE
    steady = server.load(seconds, warm_up=_WARM_UP, store_pids=[], rate=steady_rate)
    return Turn(
        requests_per_second=throughput,
        p50=peak.p50 * 1000,
        p99=peak.p99 * 1000,
        steady_rate=steady_rate,
        steady_p50=steady.p50 * 1000,
        steady_p99=steady.p99 * 1000,
        steady_p999=steady.p999 * 1000,
        cpu_per_request=(peak.server_cpu + peak.store_cpu) / peak.requests * 1e6,
        store_cpu_per_request=peak.store_cpu / peak.requests * 1e6,
        generator_share=peak.generator_share,
        memory_megabytes=memory / 1e6,
        seconds_to_ready=server.seconds_to_ready,
    )


def compare(
    stage: Stage,
    *,
    rounds: int,
    seconds: float,
    contenders: Iterable[Contender] = CONTENDERS,
    kind: Kind = PACKAGED,
) -> dict[str, Result]:
    """Measure the contenders in turns, all on one kind of server; every other round goes backwards.

    All of them stand ready from the start, so that turns can be short and neighbours comparable: a machine that is
    fast now may be slow in a minute.
    """
    order = list(contenders)
    results = {
        contender.name: Result(
            title=contender.title,
            database=contender.database,
            statements_per_request=stage.statements_per_request(contender),
            turns=[],
        )
        for contender in order
    }
    with ExitStack() as stack:
        servers = [stack.enter_context(stage.serve(contender, kind)) for contender in order]
        for number in range(rounds):
            for server in servers if number % 2 == 0 else reversed(servers):
                turn = take_turn(stage, server, seconds)
                results[server.contender.name].turns.append(turn)
                _tell(number, server.contender.name, turn)
    return results


def ratio(results: Mapping[str, Result], of: str, to: str) -> float:
    """Return how many times the throughput of `to` that of `of` is: the median over the rounds."""
    pairs = zip(results[of].turns, results[to].turns, strict=True)
    return statistics.median(a.requests_per_second / b.requests_per_second for a, b in pairs)


def ratios(results: Mapping[str, Result]) -> dict[str, float]:
    """Return the ratios that there are targets for, as far as both sides were measured."""
    found = {}
    for database in ("sqlite", "postgres"):
        nuovo = f"nuovo-{database}"
        for to in (EMPTY.name, *(f"{peer}-{database}" for peer in _PEERS)):
            if nuovo in results and to in results:
                found[f"{nuovo} to {to}"] = ratio(results, nuovo, to)
        kept, flask = f"nuovo-no-rotation-{database}", f"flask-jwt-extended-no-rotation-{database}"
        if kept in results and flask in results:
            found[f"{kept} to {flask}"] = ratio(results, kept, flask)
    return found


_PEERS = ("flask-jwt-extended-rotation", "simplejwt", "oauth-toolkit")


def as_document(results: Mapping[str, Result]) -> dict[str, Any]:
    """Return everything that was measured, ready for JSON."""
    return {"contenders": {name: asdict(result) for name, result in results.items()}, "ratios": ratios(results)}


def _tell(number: int, name: str, turn: Turn) -> None:
    sys.stdout.write(
        f"round {number + 1}  {name:42s} {turn.requests_per_second:7.0f}/s  p50 {turn.p50:7.2f}  p99 {turn.p99:7.2f} ms"
        f"  steady p99 {turn.steady_p99:7.2f}  cpu {turn.cpu_per_request:5.0f} us  generator {turn.generator_share:.0%}"
        f"  {turn.memory_megabytes:3.0f} MB  ready {turn.seconds_to_ready:.2f} s\n"
    )
    sys.stdout.flush()
