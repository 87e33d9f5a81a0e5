"""`--bind`, looked at before anything starts: gunicorn would try a wrong one for seconds, or end with a trace."""

import os
import re
import socket
from contextlib import suppress
from pathlib import Path

import click

_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]*):(?P<port>[0-9]+)", re.ASCII)
_INHERITED = re.compile(r"fd://[0-9]+", re.ASCII)
_UNIX = "unix:"


def a_free_address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return `value`, or end the command with the reason why it cannot be listened at.

    It is `HOST:PORT`, `unix:PATH`, or a socket that the process has inherited, `fd://NUMBER`.
    """
    if not _INHERITED.fullmatch(value):
        try:
            _try(value)
        except (OSError, ValueError, OverflowError) as error:
            raise click.ClickException(f"Nothing can listen at {value}: {error}. Choose another --bind.") from None
    return value


def _try(bind: str) -> None:
    """Raise `OSError`, `ValueError` or `OverflowError` if nothing could listen at `bind`."""
    if bind.startswith(_UNIX):
        _try_path(Path(bind.removeprefix(_UNIX)))
        return
    parts = _HOST_AND_PORT.fullmatch(bind)
    if parts is None:
        raise ValueError("it is neither HOST:PORT nor unix:PATH")
    host = parts["host"]
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.create_server((host.strip("[]"), int(parts["port"])), family=family):
        pass


def _try_path(path: Path) -> None:
    """Raise `OSError` if no socket can be made at `path`. One that nobody listens at any more is replaced."""
    if not path.parent.is_dir():
        raise FileNotFoundError("there is no such folder")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError("nothing may be made in its folder")
    if path.exists() and not path.is_socket():
        raise FileExistsError("there is something that is no socket")
    with socket.socket(socket.AF_UNIX) as probe, suppress(FileNotFoundError, ConnectionRefusedError):
        probe.connect(str(path))
        raise FileExistsError("somebody listens there already")
