"""What was measured, as Markdown, JSON and charts in one folder."""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.charts import bars, curves
from tests.benchmarks.comparison import Result, as_document, ratios
from tests.benchmarks.servers import CLIENTS, SERVERS

_PACKAGES = (
    "nuovo",
    "falcon",
    "gunicorn",
    "granian",
    "peewee",
    "Flask-JWT-Extended",
    "djangorestframework-simplejwt",
    "django-oauth-toolkit",
)
_DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
_TARGETS: dict[str, dict[str, float]] = {
    "gunicorn": {
        "nuovo-sqlite to empty-falcon": 0.45,
        "nuovo-sqlite to flask-jwt-extended-rotation-sqlite": 5.5,
        "nuovo-sqlite to simplejwt-sqlite": 13,
        "nuovo-postgres to flask-jwt-extended-rotation-postgres": 6,
        "nuovo-postgres to simplejwt-postgres": 14,
    },
    "granian": {"nuovo-sqlite to flask-jwt-extended-rotation-sqlite": 8},
}
_IN_PROCESS_TARGETS = {"rotation": 10}
_STEMS = {"gunicorn": "comparison", "granian": "comparison-granian"}


def write_comparison(
    folder: Path, results: Mapping[str, Result], in_process: Mapping[str, float], *, server: str
) -> str:
    """Write `comparison.md`, `.json` and `.svg`, or those of another server; return the Markdown."""
    rounds = max(len(result.turns) for result in results.values())
    share = max(result.median("generator_share") for result in results.values())
    targets = _TARGETS[server]
    how = (
        f"All on {SERVERS[server].title} with one worker, behind nginx on a Unix socket; {CLIENTS} clients that chain"
        f" tokens over keep-alive connections, {rounds} rounds in turns, medians. `NUOVO_REPLAY_GRACE=0`, so that every"
        " use rotates. Latency and processor time are those of the peak; *steady* is 70 % of a contender's own peak,"
        " arrivals at random, timed from when a request fell due. Processor time is that of the server's and the"
        f" database server's processes. The load generator used at most {share:.0%} of one processor."
    )
    text = "\n".join(
        [
            "# Refreshes per second, side by side",
            "",
            how,
            "",
            _machine(),
            "",
            *_comparison_table(results),
            "",
            "## Ratios of throughput, medians over the rounds",
            "",
            *_table(
                ["ratio", "measured", "target"],
                [
                    [name, f"{value:.2f}", f"{targets[name]:g}" if name in targets else ""]
                    for name, value in ratios(results).items()
                ],
            ),
            "",
            "## In process, without a server (SQLite, microseconds)",
            "",
            *_table(
                ["what", "median", "times the empty resource", "target, at most"],
                [
                    [
                        name,
                        f"{value:.1f}",
                        f"{value / in_process['empty Falcon resource']:.1f}",
                        f"{_IN_PROCESS_TARGETS[name]:g}" if name in _IN_PROCESS_TARGETS else "",
                    ]
                    for name, value in in_process.items()
                ],
            ),
            "",
        ]
    )
    document = as_document(results) | {"in_process_microseconds": in_process, "machine": _machine()}
    titles = list(dict.fromkeys(result.title for result in results.values()))
    peaks = {(result.title, result.database): result.median("requests_per_second") for result in results.values()}
    series = {
        name: [peaks.get((title, database), peaks.get((title, ""))) for title in titles]
        for database, name in _DATABASES.items()
    }
    chart = bars(f"Refreshes per second, one worker, {SERVERS[server].title}", titles, series)
    _write(folder, _STEMS[server], text, document, chart)
    return text


def write_growth(folder: Path, measured: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Write `growth.md`, `.json` and `.svg`; return the Markdown."""
    rows = [
        [
            name,
            f"{point['n']:,.0f}",
            f"{point['microseconds']:.0f}",
            f"{point['megabytes']:.1f}",
            f"{point['rows']:,.0f}",
        ]
        for name, points in measured.items()
        for point in points
    ]
    text = "\n".join(
        [
            "# How cost grows",
            "",
            "In process, on SQLite: sessions are refreshed after that many sign-ins, or that many refreshes of 1,000.",
            "",
            _machine(),
            "",
            *_table(["", "after", "microseconds a refresh", "MB on disk", "rows"], rows),
            "",
        ]
    )
    time_lines = {name: [(p["n"], p["microseconds"]) for p in points] for name, points in measured.items()}
    x_title = "sessions, or refreshes of 1,000 sessions"
    _write(
        folder,
        "growth",
        text,
        dict(measured),
        curves("Time per refresh", time_lines, x_title=x_title, y_title="microseconds"),
    )
    return text


def write_workers(folder: Path, measured: Mapping[str, Any]) -> str:
    """Write `workers.md` and `.json`; return the Markdown."""
    lines = ["# Kinds of workers", "", _machine(), ""]
    for database, part in measured.items():
        lines += [f"## {database}, steady at {part['rate']:,.0f} requests a second", ""]
        lines += _table(
            ["worker", "peak /s", "p99 at peak, ms", "CPU µs", "steady p50", "steady p99", "steady p99.9", "MB"],
            [
                [
                    title,
                    f"{kind['requests_per_second']:,.0f}",
                    f"{kind['p99']:.1f}",
                    f"{kind['cpu_per_request']:.0f}",
                    f"{kind['steady_p50']:.2f}",
                    f"{kind['steady_p99']:.2f}",
                    f"{kind['steady_p999']:.2f}",
                    f"{kind['memory_megabytes']:.0f}",
                ]
                for title, kind in part["kinds"].items()
            ],
        )
        lines.append("")
    text = "\n".join(lines)
    _write(folder, "workers", text, dict(measured))
    return text


def _comparison_table(results: Mapping[str, Result]) -> list[str]:
    columns = [
        ("peak /s", "requests_per_second", ",.0f"),
        ("p50 ms", "p50", ".2f"),
        ("p99 ms", "p99", ".2f"),
        ("steady p50", "steady_p50", ".2f"),
        ("steady p99", "steady_p99", ".2f"),
        ("CPU µs", "cpu_per_request", ",.0f"),
        ("MB a worker", "memory_megabytes", ".0f"),
        ("ready s", "seconds_to_ready", ".2f"),
    ]
    rows = [
        [
            result.title,
            _DATABASES.get(result.database, ""),
            *(format(result.median(figure), form) for _, figure, form in columns),
            f"{result.statements_per_request:.0f}",
        ]
        for result in results.values()
    ]
    return _table(["", "database", *(name for name, _, _ in columns), "SQL statements"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'|'.join('---' if index == 0 else '---:' for index in range(len(head)))}|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _machine() -> str:
    versions = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{psutil.cpu_count()} processors, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}; {versions}."
    )


def _write(folder: Path, name: str, text: str, document: Any, chart: bytes | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(document) + "\n", encoding="utf-8")
    if chart is not None:
        (folder / f"{name}.svg").write_bytes(chart)
