"""Checks of what the command line is given as a user or a session."""

import click

from domain.model.tokens import is_id
from domain.model.users import is_user_id


def a_user_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return `value`, or raise `click.BadParameter` if it cannot identify a user."""
    if value is not None and not is_user_id(value):
        raise click.BadParameter("must have 1 to 255 characters, none of them a control character")
    return value


def a_session_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return `value`, or raise `click.BadParameter` if no session can have this identifier."""
    if value is not None and not is_id(value):
        raise click.BadParameter("is not the ID of a session; list a user's with: nuovo sessions list USER_ID")
    return value
