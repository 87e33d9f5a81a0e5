"""`nuovo sessions`: start, list and end sessions."""

import click

from domain.model.sessions import MAX_DEVICE_LENGTH
from domain.model.users import is_text
from entrypoints.cli.arguments import a_session_id, a_user_id
from entrypoints.cli.output import at, in_words, operations, print_json, print_table


@click.group()
def sessions() -> None:
    """Start, list and end sessions."""


@sessions.command()
@click.argument("user_id", metavar="USER_ID", callback=a_user_id)
@click.option("--device", default="", help="What the user will know the session by, such as 'Firefox on Linux'.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@in_words
def start(user_id: str, device: str, *, as_json: bool) -> None:
    """Start a session and print its first tokens. Whoever has the refresh token is that user."""
    if not is_text(device, MAX_DEVICE_LENGTH):
        raise click.BadParameter(f"--device must have at most {MAX_DEVICE_LENGTH} printable characters")
    pair = operations().start(user_id, device)
    shown = {
        "session_id": pair.session_id,
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
    }
    if as_json:
        print_json(shown)
    else:
        for name, value in shown.items():
            click.echo(f"{name}: {value}")


@sessions.command("list")
@click.argument("user_id", metavar="USER_ID", callback=a_user_id)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@in_words
def list_(user_id: str, *, as_json: bool) -> None:
    """List a user's live sessions, the last used first."""
    live = operations().list_sessions(user_id)
    if as_json:
        print_json(
            [
                {
                    "id": session.id,
                    "device": session.device,
                    "started_at": session.started_at,
                    "last_seen_at": session.rotated_at,
                    "expires_at": session.expires_at,
                }
                for session in live
            ]
        )
    else:
        print_table(
            ("ID", "DEVICE", "STARTED", "LAST SEEN", "EXPIRES"),
            [(s.id, s.device, at(s.started_at), at(s.rotated_at), at(s.expires_at)) for s in live],
        )


@sessions.command()
@click.option("--session", "session_id", metavar="ID", callback=a_session_id, help="End this session.")
@click.option("--user", "user_id", metavar="ID", callback=a_user_id, help="End all sessions of this user.")
@in_words
def revoke(session_id: str | None, user_id: str | None) -> None:
    """End one session, or all of a user's. It cannot be undone."""
    if (session_id is None) == (user_id is None):
        raise click.UsageError("Give either --session ID or --user ID.")
    if session_id is not None:
        operations().end(session_id, owner=None)
        click.echo(f"Session {session_id} is over.")
    elif user_id is not None:
        operations().end_all(user_id)
        click.echo(f"All sessions of {user_id} are over.")
