"""Who is measured, and what each of them is asked."""

from dataclasses import dataclass, field

_HEAD = "POST /refresh_token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
_JSON = "Content-Type: application/json\r\n\r\n"
_FORM = "Content-Type: application/x-www-form-urlencoded\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A service behind a server that all share. Every one answers `POST /refresh_token`.

    `sessions` is the module that makes a database and prints the first tokens. `database` is `sqlite`, `postgres`, or
    nothing for a service without one.
    """

    name: str
    title: str
    app: str
    sessions: str
    database: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    head: str = _HEAD + "Authorization: Bearer {token}\r\n\r\n"
    body: str = ""
    token_name: str = "refresh_token"
    ready_path: str = "/"


def _nuovo(name: str, title: str, database: str, **environment: str) -> Contender:
    return Contender(
        name=f"{name}-{database}",
        title=title,
        app="entrypoints.wsgi:app",
        sessions="nuovo_sessions",
        database=database,
        # Every use rotates: otherwise repeats would be measured.
        environment={"NUOVO_REPLAY_GRACE": "0", **environment},
        ready_path="/health/ready",
    )


def _flask(database: str, rotation: str, title: str) -> Contender:
    return Contender(
        name=f"flask-jwt-extended-{'rotation' if rotation == 'on' else 'no-rotation'}-{database}",
        title=title,
        app="flask_jwt_extended_app:app",
        sessions="flask_jwt_extended_app",
        database=database,
        environment={"BENCH_ROTATION": rotation},
    )


def _of(database: str) -> list[Contender]:
    return [
        _nuovo("nuovo", "Nuovo", database),
        _nuovo("nuovo-disk", "Nuovo, rotations wait for the disk", database, NUOVO_ROTATION_DURABILITY="disk"),
        _flask(database, "on", "Flask-JWT-Extended with rotation"),
        Contender(
            name=f"simplejwt-{database}",
            title="djangorestframework-simplejwt",
            app="simplejwt_app:app",
            sessions="simplejwt_app",
            database=database,
            head=_HEAD + _JSON,
            body='{"refresh":"{token}"}',
            token_name="refresh",
        ),
        Contender(
            name=f"oauth-toolkit-{database}",
            title="django-oauth-toolkit",
            app="oauth_toolkit_app:app",
            sessions="oauth_toolkit_app",
            database=database,
            head=_HEAD + _FORM,
            body="grant_type=refresh_token&client_id=frontend&refresh_token={token}",
        ),
        _nuovo("nuovo-no-rotation", "Nuovo without rotation", database, NUOVO_ROTATION="false"),
        _flask(database, "off", "Flask-JWT-Extended without rotation"),
    ]


EMPTY = Contender(
    name="empty-falcon", title="An empty Falcon resource", app="empty_falcon:app", sessions="nuovo_sessions"
)
CONTENDERS = [EMPTY, *_of("sqlite"), *_of("postgres")]
BY_NAME = {contender.name: contender for contender in CONTENDERS}
