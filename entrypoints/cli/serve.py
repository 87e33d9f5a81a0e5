"""`nuovo serve`: gunicorn with the packaged configuration."""

import os
import sys
from importlib.resources import files

import click

from entrypoints.cli.demo import prepare_demo
from entrypoints.cli.operations import OpenOperations


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; about one a core.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads in each process.")
@click.option("--demo", is_flag=True, help="Serve a throw-away database, and print commands to try.")
@click.pass_context
def serve(context: click.Context, bind: str, workers: int | None, threads: int | None, *, demo: bool) -> None:
    """Serve the API. This process becomes gunicorn, so signals reach it: TERM stops, HUP reloads."""
    opener: OpenOperations = context.find_root().obj
    environment = prepare_demo(opener, bind) if demo else dict(os.environ)
    opener(environment if demo else None)  # every problem with the settings is reported before anything starts
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(files("entrypoints").joinpath("gunicorn_conf.py")),
        "--bind",
        bind,
    ]
    for option, value in (("--workers", workers), ("--threads", threads)):
        if value is not None:
            command += [option, str(value)]
    sys.stdout.flush()
    os.execve(sys.executable, [*command, "entrypoints.wsgi:app"], environment)  # noqa: S606  no shell is wanted
