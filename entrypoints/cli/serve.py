"""`nuovo serve`: gunicorn with the packaged settings."""

import os
import sys

import click

from domain.model.errors import StoreUnavailableError
from entrypoints.cli.binding import a_free_address
from entrypoints.cli.demo import prepare_demo
from entrypoints.cli.operations import OpenOperations


@click.command()
@click.option(
    "--bind",
    callback=a_free_address,
    default="127.0.0.1:8000",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen: HOST:PORT or unix:PATH.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes; each does one thing at a time.")
@click.option("--demo", is_flag=True, help="Serve a throw-away database, and print commands to try.")
@click.pass_context
def serve(context: click.Context, bind: str, workers: int | None, *, demo: bool) -> None:
    """Serve the API. This process becomes gunicorn, so signals reach it: TERM stops, HUP reloads."""
    opener: OpenOperations = context.find_root().obj
    environment = prepare_demo(opener, bind) if demo else dict(os.environ)
    # Every problem with the settings is reported before anything starts.
    operations, _ = opener(environment if demo else None)
    try:
        operations.check_ready()
    except StoreUnavailableError as error:
        click.echo(f"The database is not ready, and until it is, requests are answered with 503: {error}", err=True)
    # Packages that lie in this folder are none of ours.
    environment["PYTHONSAFEPATH"] = "1"
    command = [sys.executable, "-m", "entrypoints.gunicorn", "--bind", bind]
    if workers is not None:
        command += ["--workers", str(workers)]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606  no shell is wanted
