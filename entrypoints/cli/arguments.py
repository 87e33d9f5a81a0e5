"""What the command line is given, checked and read: users, sessions, spans and instants."""

import re
import time
from datetime import UTC, datetime

import click

from domain.model.proofs import is_thumbprint
from domain.model.tokens import is_id
from domain.model.users import is_user_id

_SPAN = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)
_LONGEST_SPAN = 366 * 86_400
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


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


def a_thumbprint(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return `value`, or raise `click.BadParameter` if it is no key's thumbprint."""
    if value is not None and not is_thumbprint(value):
        raise click.BadParameter("must be a key's thumbprint: SHA-256 in base64url (RFC 7638)")
    return value


def a_span(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return the seconds in `value`, such as `90`, `15m` or `1d`, or raise `click.BadParameter`."""
    if value is None:
        return None
    span = _SPAN.fullmatch(value)
    seconds = int(span[1]) * _UNITS[span[2]] if span else 0
    if not 0 < seconds <= _LONGEST_SPAN:
        raise click.BadParameter("must be a number of seconds, or one with a unit (15m, 12h, 1d), and at most a year")
    return seconds


def an_instant(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return the seconds since the epoch of `value`, or raise `click.BadParameter`.

    It has a time zone, or is in UTC, as everything that Nuovo prints.
    """
    if value is None:
        return None
    if value == "now":  # this second included
        return int(time.time()) + 1
    try:
        instant = datetime.fromisoformat(value)
        return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise click.BadParameter("must be an instant such as 2027-01-31T16:30:00Z, or: now") from None
