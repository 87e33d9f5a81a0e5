"""`nuovo migrate` and `nuovo check`."""

import click

from domain.model.errors import StoreUnavailableError
from entrypoints.cli.operations import OpenOperations
from entrypoints.cli.output import in_words, operations, print_table


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
