"""The command line as a whole. Pure: nothing happens at import."""

import click

from entrypoints.cli.copy import copy
from entrypoints.cli.health import health
from entrypoints.cli.maintenance import check, migrate
from entrypoints.cli.operations import OpenOperations
from entrypoints.cli.purge import purge
from entrypoints.cli.serve import serve
from entrypoints.cli.sessions import sessions
from entrypoints.cli.users import users


def create_cli(open_operations: OpenOperations, *, keys: click.Group) -> click.Group:
    """Return the command line over what `open_operations` gives, and over `keys`, which need no settings."""

    @click.group(context_settings={"help_option_names": ["-h", "--help"], "obj": open_operations})
    @click.version_option(package_name="nuovo")
    def nuovo() -> None:
        """Nuovo, a self-hosted refresh-token service.

        Settings come from the environment (NUOVO_…) and from .env in this folder. Begin with: nuovo serve --demo
        """

    for command in (serve, migrate, check, health, users, sessions, keys, purge):
        nuovo.add_command(command)
    sessions.add_command(copy)
    return nuovo
