"""The command `nuovo`."""

from collections.abc import Mapping

import click

from entrypoints.bootstrap import build
from entrypoints.cli.app import create_cli
from entrypoints.cli.keys import keys_group
from entrypoints.cli.operations import Operations
from entrypoints.settings import SettingsError, load_settings
from infrastructure.authlib.keys import generate_private_key, public_half
from infrastructure.logs import configure_logging


def main() -> None:
    """Run the command line."""
    create_cli(_open_operations, keys=keys_group(generate=generate_private_key, public_half=public_half))()


def _open_operations(environment: Mapping[str, str] | None) -> tuple[Operations, list[tuple[str, str]]]:
    # A command reports by what it prints; only trouble is worth a log line between.
    configure_logging(as_json=False, level="ERROR")
    try:
        settings = load_settings(environment)
        return build(settings).operations, settings.shown()
    except SettingsError as error:
        raise click.ClickException("\n".join(["the settings are not fit for service:", *error.problems])) from None
