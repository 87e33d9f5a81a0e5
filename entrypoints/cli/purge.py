"""`nuovo purge`, once or for ever."""

import signal
import sys
from threading import Event

import click

from domain.model.errors import StoreUnavailableError
from entrypoints.cli.arguments import a_span
from entrypoints.cli.operations import Operations
from entrypoints.cli.output import in_words, operations, print_json

_RETRY = 60
"""Seconds until a purge that failed is tried again, if it is not due earlier."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end of each purge.")
@click.option("--every", metavar="SPAN", callback=a_span, help="Do not end; purge again each SPAN, such as 1d.")
@in_words
def purge(*, as_json: bool, every: int | None) -> None:
    """Remove sessions of which no token can verify any more. Run it daily; it never locks for long.

    Several may run at once, beside a busy service. With --every it stops on TERM, between two batches.
    """
    found, stop = operations(), Event()
    if every is None:
        _purge(found, stop, as_json=as_json)
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        pause = every
        try:
            _purge(found, stop, as_json=as_json)
        except StoreUnavailableError as error:
            pause = min(every, _RETRY)
            click.echo(f"The database cannot do this: {error}. Next try in {pause} seconds.", err=True)
        stop.wait(pause)


def _purge(found: Operations, stop: Event, *, as_json: bool) -> None:
    """Purge once, unless it is stopped before it is through."""
    removed = 0
    show_progress = sys.stderr.isatty()
    for count in found.service.purge():
        removed += count
        if show_progress:
            click.echo(f"\r{removed} removed …", nl=False, err=True)
        if stop.is_set():
            break
    if show_progress:
        click.echo("\r", nl=False, err=True)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"Removed {removed} expired sessions.")
