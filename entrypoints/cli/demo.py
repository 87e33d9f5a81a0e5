"""The demonstration: a service with a user and two sessions, and commands that show what it does."""

import os
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

import click

from domain.model.actors import THE_OPERATOR
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from entrypoints.cli.operations import OpenOperations

_FOLDER_PREFIX = "nuovo-demo-"
DEMO_USER = "ada"
_DATABASE = "demo.sqlite3"
_MAKER = "maker.pid"
"""Names the process that made the folder: the one that becomes gunicorn."""
_NO_ADDRESS_FOR_CURL = ("unix:", "fd:")
_GRACE = 5
"""Seconds of replay grace: short, so that one need not wait long to see a stolen token caught."""


def prepare_demo(open_operations: OpenOperations, bind: str) -> dict[str, str]:
    """Make a database in a folder of its own, and return the environment to serve it with.

    No setting of the environment or of a `.env` is used, so no configured database is ever touched. The process
    moves to that folder; gunicorn deletes it at the end.
    """
    if bind.startswith(_NO_ADDRESS_FOR_CURL):
        raise click.UsageError("--demo needs a --bind HOST:PORT.")
    folder = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
    os.chdir(folder)
    Path(_MAKER).write_text(str(os.getpid()), encoding="ascii")
    service_credential = secrets.token_urlsafe(48)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUOVO_")} | {
        "NUOVO_DEMO": "true",
        "NUOVO_SECRET_KEY": secrets.token_urlsafe(48),
        "NUOVO_SERVICE_CREDENTIALS": service_credential,
        "NUOVO_DATABASE_URL": f"sqlite:///{folder}/{_DATABASE}",
        "NUOVO_REPLAY_GRACE": str(_GRACE),
        "NUOVO_LOG_FORMAT": "text",
    }
    operations, _ = open_operations(environment)
    operations.migrate()
    operations.directory.put(User(id=DEMO_USER))
    terms = (SessionTerms(device=device) for device in ("Laptop", "Phone"))
    first, second = (operations.service.start(DEMO_USER, each, by=THE_OPERATOR) for each in terms)
    click.echo(
        _COMMANDS.format(
            url=f"http://{bind}",
            user=DEMO_USER,
            laptop=first.refresh_token,
            phone=second.refresh_token,
            credential=service_credential,
            grace=_GRACE,
            wait=_GRACE + 1,
        )
    )
    return environment


def is_own_demo(database_url: str) -> bool:
    """Tell whether this is the database of a demonstration that this process made, or the one that started it.

    APPSEC: the demonstration signs in without a password. It is over a file of that one name, in a folder that belongs
    to this user alone and says which process made it; no setting can name another database.
    """
    database = Path(database_url.removeprefix("sqlite:///"))
    folder = database.parent
    if database_url != f"sqlite:///{folder}/{_DATABASE}" or not folder.name.startswith(_FOLDER_PREFIX):
        return False
    try:
        made_by, status = (folder / _MAKER).read_text(encoding="ascii"), folder.lstat()
    except (OSError, ValueError):
        return False
    is_private = status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
    return is_private and made_by in (str(os.getpid()), str(os.getppid()))


def remove_own_demo(database_url: str) -> None:
    """Delete the folder of this process's own demonstration, and never one that merely is called as those are."""
    if is_own_demo(database_url):
        shutil.rmtree(Path(database_url.removeprefix("sqlite:///")).parent, ignore_errors=True)


_COMMANDS = """\
Nuovo is about to serve {url} with a throw-away database, the user "{user}" and two sessions.
Paste these into another terminal, in this order:

# 0. The refresh token of {user}'s laptop
TOKEN={laptop}

# 1. Refresh: a new access token, and the next refresh token (200)
ANSWER=$(curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $TOKEN"); echo "$ANSWER"
NEXT=$(echo "$ANSWER" | sed 's/.*"refresh_token":"\\([^"]*\\)".*/\\1/')

# 2. A thief has copied that first token. {user} goes on with the next one when the grace of {grace} seconds is over
#    (200). Then the thief comes (401) …
sleep {wait}; curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $NEXT"; echo
curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $TOKEN"; echo
#    … which ends the whole session, for the thief and for {user} (401)
curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $NEXT"; echo

# 3. The phone has two tabs, which refresh at the same time with one token: both get the same next one (200, 200)
PHONE={phone}
curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $PHONE"; echo
curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $PHONE"; echo

# 4. Log out on the phone (200); its token is worth nothing after that (401)
curl -s -X POST {url}/revoke_token -H "Authorization: Bearer $PHONE"; echo
curl -s -X POST {url}/refresh_token -H "Authorization: Bearer $PHONE"; echo

# 5. Sign {user} in again, as your login service would (201)
curl -s -X POST {url}/sessions -H "Authorization: Bearer {credential}" \\
     -H "Content-Type: application/json" -d '{{"user_id": "{user}", "device": "Tablet"}}'; echo

The same in a browser: {url}/demo      The API's documentation: {url}/docs      Stop with Ctrl-C.
"""
