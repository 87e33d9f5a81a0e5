"""`nuovo sessions copy`: move to another store."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from domain.model.errors import StoreUnavailableError, UnknownPlaceError
from domain.use_cases.copy_sessions import CopySessions
from entrypoints.cli.operations import Operations
from entrypoints.cli.output import in_words, operations, print_json


@click.command()
@click.option("--to", "url", metavar="URL", help="The other database, as in NUOVO_DATABASE_URL; nuovo migrate made it.")
@click.option(
    "--to-file",
    "url_file",
    metavar="PATH",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that holds the URL, where others may see the arguments of commands.",
)
@click.option("--after", default="", metavar="PLACE", help="Go on where an earlier run has stopped, as it said.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@in_words
def copy(url: str | None, url_file: Path | None, after: str, *, as_json: bool) -> None:
    """Copy all sessions and endings, and the built-in users, to another database.

    Both may serve meanwhile, and nobody is logged out: docs/scaling.md says in which order to move. Copying again does
    no harm.
    """
    if (url is None) == (url_file is None):
        raise click.UsageError("Give either --to URL or --to-file PATH.")
    here = operations()
    there = _opened(here, url or (url_file.read_text(encoding="utf-8").strip() if url_file else ""))
    users = _copy_users(here, there)
    sessions = cut_offs = again = 0
    with _place_noted(after) as place:
        for copied in CopySessions(source=here.transfer, target=there.transfer, clock=here.clock)(after):
            place[0] = copied.place
            if copied.is_second_round:
                again += copied.sessions
            else:
                sessions, cut_offs = sessions + copied.sessions, cut_offs + copied.cut_offs
            if sys.stderr.isatty():
                click.echo(f"\r{sessions} sessions, {again} once more …", nl=False, err=True)
    if as_json:
        print_json({"users": users, "sessions": sessions, "cut_offs": cut_offs, "again": again})
    else:
        click.echo(f"Copied {sessions} sessions, {cut_offs} cut-offs and {users} users; {again} sessions once more.")


def _opened(here: Operations, url: str) -> Operations:
    try:
        there = here.elsewhere(url)
        there.check_ready()
    except (ValueError, StoreUnavailableError) as error:
        raise click.ClickException("\n".join(["The other database cannot be used:", *map(str, error.args)])) from None
    return there


def _copy_users(here: Operations, there: Operations) -> int:
    """Add the built-in users that are not there; who is there already may be newer."""
    known = {user.id for user in there.directory.list()}
    missing = [user for user in here.directory.list() if user.id not in known]
    for user in missing:
        there.directory.put(user)
    return len(missing)


@contextmanager
def _place_noted(after: str) -> Iterator[list[str]]:
    """Lend where to note how far the copy has got; whatever stops it, say how to go on."""
    place = [after]
    try:
        yield place
    except UnknownPlaceError:
        raise click.BadParameter("--after must be a place that an earlier run has printed") from None
    except (StoreUnavailableError, KeyboardInterrupt):
        if place[0]:
            click.echo(f"\nGo on with the same command and: --after {shlex.quote(place[0])}", err=True)
        raise
