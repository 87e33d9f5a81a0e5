"""Tables for people, JSON for scripts, and errors in words."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import ParamSpec, TypeVar

import click
import orjson

from domain.model.errors import (
    InvalidClaimsError,
    SessionNotFoundError,
    StoreUnavailableError,
    UserDisabledError,
    UserNotFoundError,
)
from entrypoints.cli.operations import OpenOperations, Operations

_P = ParamSpec("_P")
_R = TypeVar("_R")

_WORDS: dict[type[Exception], str] = {
    UserNotFoundError: "There is no such user. Add one to the built-in table with: nuovo users add ID",
    UserDisabledError: "This user is disabled.",
    SessionNotFoundError: "There is no such live session. List a user's with: nuovo sessions list USER_ID",
}


def operations() -> Operations:
    """Return the operations of the process's own settings, or end the command with what is wrong with them."""
    opener: OpenOperations = click.get_current_context().find_root().obj
    return opener(None)[0]


def in_words(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a command end with words and status 1 where it would end with an error of the domain."""

    @wraps(command)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except tuple(_WORDS) as error:
            raise click.ClickException(_WORDS[type(error)]) from None
        except InvalidClaimsError as error:
            raise click.ClickException(f"Claims: {error}.") from None
        except StoreUnavailableError as error:
            raise click.ClickException(f"The database cannot do this: {error}. Try: nuovo check") from None

    return wrapped


def print_json(value: object) -> None:
    """Print one JSON value on one line."""
    click.echo(orjson.dumps(value).decode())


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def at(instant: int) -> str:
    """Return an instant as people read it, in UTC."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
