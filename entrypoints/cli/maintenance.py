"""`nuovo migrate`, `nuovo check` and `nuovo purge`."""

import sys

import click

from domain.model.errors import StoreUnavailableError
from entrypoints.cli.operations import OpenOperations
from entrypoints.cli.output import in_words, operations, print_json, print_table


@click.command()
@in_words
def migrate() -> None:
    """Bring the database to the form that this version needs. Several may run at once."""
    applied = operations().migrate()
    for name in applied:
        click.echo(f"Applied {name}.")
    if not applied:
        click.echo("Nothing to do: the database is up to date.")


@click.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Say in words whether the settings and the database are fit for service."""
    opener: OpenOperations = context.find_root().obj
    found, settings = opener(None)
    print_table(("SETTING", "VALUE"), settings)
    click.echo()
    try:
        for line in found.describe():
            click.echo(line)
    except StoreUnavailableError as error:
        raise click.ClickException(f"The settings are fine, but the database is not ready: {error}") from None
    click.echo("\nThe settings are fine and the database is ready.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
@in_words
def purge(*, as_json: bool) -> None:
    """Remove sessions of which no token can verify any more. Run it daily; it never locks for long."""
    removed = 0
    show_progress = sys.stderr.isatty()
    for count in operations().service.purge():
        removed += count
        if show_progress:
            click.echo(f"\r{removed} removed …", nl=False, err=True)
    if show_progress:
        click.echo("\r", nl=False, err=True)
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"Removed {removed} expired sessions.")
