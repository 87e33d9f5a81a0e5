"""`nuovo sessions`: start, list and end sessions."""

import click

from domain.model.actors import THE_OPERATOR
from domain.model.errors import SessionNotFoundError, UserNotFoundError
from domain.model.proofs import DeviceBinding
from domain.model.sessions import MAX_DEVICE_LENGTH, Session
from domain.model.users import is_text
from domain.use_cases.start_session import SessionTerms
from entrypoints.cli.arguments import a_session_id, a_thumbprint, a_user_id, an_instant
from entrypoints.cli.output import at, in_words, operations, print_json, print_table
from ports.sessions import Page

_PAGE = 1000


@click.group()
def sessions() -> None:
    """Start, list and end sessions."""


@sessions.command()
@click.argument("user_id", metavar="USER_ID", callback=a_user_id)
@click.option("--device", default="", help="What the user will know the session by, such as 'Firefox on Linux'.")
@click.option(
    "--dpop-jkt",
    metavar="THUMBPRINT",
    callback=a_thumbprint,
    help="Bind it to the key with this thumbprint: every refresh then needs a proof of the key (RFC 9449).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@in_words
def start(user_id: str, device: str, dpop_jkt: str | None, *, as_json: bool) -> None:
    """Start a session and print its first tokens. Whoever has the refresh token is that user."""
    if not is_text(device, MAX_DEVICE_LENGTH):
        raise click.BadParameter(f"--device must have at most {MAX_DEVICE_LENGTH} printable characters")
    found = operations()
    if dpop_jkt is not None and not found.speaks_dpop:
        raise click.UsageError("--dpop-jkt needs NUOVO_PUBLIC_URL, or a URL as NUOVO_ISSUER, which a proof is for.")
    if dpop_jkt is None and found.service.start.policy.device_binding is DeviceBinding.REQUIRE:
        raise click.UsageError("--dpop-jkt must be given: NUOVO_DEVICE_BINDING=require wants every session bound.")
    pair = found.service.start(user_id, SessionTerms(device=device, key_thumbprint=dpop_jkt), by=THE_OPERATOR)
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
    """List a user's live sessions, the newest first."""
    live = _all_live(user_id)
    if as_json:
        print_json(
            [
                {
                    "id": session.token.session_id,
                    "device": session.device,
                    "started_at": session.token.started_at,
                    "last_seen_at": session.token.issued_at,
                    "expires_at": session.token.expires_at,
                }
                for session in live
            ]
        )
    else:
        times = [(at(s.token.started_at), at(s.token.issued_at), at(s.token.expires_at)) for s in live]
        print_table(
            ("ID", "DEVICE", "STARTED", "LAST SEEN", "EXPIRES"),
            [(s.token.session_id, s.device, *when) for s, when in zip(live, times, strict=True)],
        )


def _all_live(user_id: str) -> list[Session]:
    page, found = Page(limit=_PAGE), list[Session]()
    while some := operations().service.list_sessions(user_id, page):
        found += some
        page = Page(limit=_PAGE, after=(some[-1].token.started_at, some[-1].token.session_id))
    return found


@sessions.command()
@click.option("--session", "session_id", metavar="ID", callback=a_session_id, help="End this session.")
@click.option("--user", "user_id", metavar="ID", callback=a_user_id, help="End all sessions of this user.")
@click.option(
    "--started-before",
    metavar="INSTANT",
    callback=an_instant,
    help="End everybody's that started before, such as 2027-01-31T16:30:00Z, or: now.",
)
@click.option("--yes", is_flag=True, help="Do not ask before everybody's sessions end.")
@in_words
def revoke(session_id: str | None, user_id: str | None, started_before: int | None, *, yes: bool) -> None:
    """End one session, all of a user's, or everybody's that are older than an instant. It cannot be undone."""
    if [session_id, user_id, started_before].count(None) != 2:  # noqa: PLR2004  all but one
        raise click.UsageError("Give one of --session ID, --user ID and --started-before INSTANT.")
    found = operations()
    if session_id is not None:
        owner = found.sessions.owner_of(session_id)
        if owner is None:
            raise SessionNotFoundError
        found.service.end(owner, session_id, by=THE_OPERATOR)
        click.echo(f"Session {session_id} of {owner} is over.")
    elif user_id is not None:
        count = found.service.end_all(user_id, by=THE_OPERATOR)
        if not count and found.users.find(user_id) is None:
            raise UserNotFoundError
        click.echo(f"All sessions of {user_id} are over; {count} were live.")
    elif started_before is not None:
        what = f"All sessions of all users that started before {at(started_before)}"
        if not yes:
            click.confirm(f"{what} will be over for good. Go on?", abort=True)
        ended = found.service.end_everybody(started_before - 1, by=THE_OPERATOR)
        click.echo(f"{what} are over; {'too many to be counted' if ended is None else ended} were live.")
