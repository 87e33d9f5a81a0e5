"""`nuovo users`: the built-in table of users."""

import click

from domain.model.users import User
from entrypoints.cli.arguments import a_user_id
from entrypoints.cli.output import in_words, operations, print_json, print_table
from ports.user_directory import UserDirectory


@click.group()
def users() -> None:
    """Keep the built-in table of users.

    Applications with users of their own name their table in NUOVO_USERS_TABLE instead.
    """


@users.command()
@click.argument("user_id", metavar="ID", callback=a_user_id)
@click.option("--disabled", is_flag=True, help="Refuse this user's refresh tokens, old and new.")
@in_words
def add(user_id: str, *, disabled: bool) -> None:
    """Add a user, or switch an existing one on or off."""
    before = _directory().put(User(id=user_id, active=not disabled))
    state = _state(active=not disabled)
    if before is None:
        click.echo(f"User {user_id} is added, and {state}.")
    elif before.active is disabled:
        click.echo(f"User {user_id} was {_state(active=before.active)}, and is {state} now.")
    else:
        click.echo(f"User {user_id} is {state}, as before.")


@users.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@in_words
def list_(*, as_json: bool) -> None:
    """List the users."""
    known = _directory().list()
    if as_json:
        print_json([{"id": user.id, "active": user.active} for user in known])
    else:
        print_table(("ID", "ACTIVE"), [(user.id, "yes" if user.active else "no") for user in known])


@users.command()
@click.argument("user_id", metavar="ID", callback=a_user_id)
@in_words
def remove(user_id: str) -> None:
    """Remove a user. Their refresh tokens are answered with 404 from now on."""
    if not _directory().remove(user_id):
        raise click.ClickException("There is no such user.")
    click.echo(f"User {user_id} is removed.")


def _directory() -> UserDirectory:
    """Return the built-in table, or end the command where nobody reads it."""
    found = operations()
    if not found.reads_directory:
        raise click.ClickException(
            "Users are looked up in a table of your own (NUOVO_USERS_TABLE, NUOVO_USERS_DATABASE_URL),"
            " which Nuovo only reads. Add, disable and remove them there."
        )
    return found.directory


def _state(*, active: bool) -> str:
    return "active" if active else "disabled"
