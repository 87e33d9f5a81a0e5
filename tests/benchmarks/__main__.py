"""`python -m tests.benchmarks`: the comparison, behind nginx; `--growth` and `--workers` measure the rest."""

import argparse
import sys
from pathlib import Path

from tests.benchmarks import in_process
from tests.benchmarks.comparison import compare
from tests.benchmarks.contenders import BY_NAME, CONTENDERS
from tests.benchmarks.growth import SESSIONS, measure_growth
from tests.benchmarks.report import write_comparison, write_growth, write_workers
from tests.benchmarks.servers import SERVERS, Stage
from tests.benchmarks.workers import compare_workers

_OUTPUT = Path(__file__).parents[2] / "docs" / "benchmarks"


def main() -> None:
    """Measure what was asked for, print it, and write it to the folder."""
    arguments = _arguments()
    if arguments.growth:
        sys.stdout.write(write_growth(arguments.output, measure_growth(arguments.largest)))
        return
    stage = Stage()
    try:
        if arguments.workers:
            measured = compare_workers(stage, rounds=arguments.rounds, seconds=arguments.seconds)
            sys.stdout.write(write_workers(arguments.output, measured))
            return
        kind = SERVERS[arguments.server]
        contenders = [BY_NAME[name] for name in arguments.only] or CONTENDERS
        results = compare(stage, rounds=arguments.rounds, seconds=arguments.seconds, contenders=contenders, kind=kind)
        calls = in_process.measure(arguments.requests)
        sys.stdout.write(write_comparison(arguments.output, results, calls, server=arguments.server))
    finally:
        stage.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tox -e bench --", description=__doc__)
    parser.add_argument("--growth", action="store_true", help="how cost grows with sessions and refreshes")
    parser.add_argument("--workers", action="store_true", help="kinds of gunicorn workers")
    parser.add_argument("--server", choices=SERVERS, default="gunicorn", help="what all contenders are served by")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each load")
    parser.add_argument("--requests", type=int, default=5_000, help="in process")
    parser.add_argument(
        "--largest", type=int, default=max(SESSIONS), help="number of sessions and refreshes to grow to"
    )
    parser.add_argument("--only", nargs="*", default=[], choices=BY_NAME, metavar="CONTENDER", help=", ".join(BY_NAME))
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="folder for the results")
    return parser.parse_args()


if __name__ == "__main__":
    main()
