"""Settings with which the service does not start: one line for each problem, before anything listens."""

from pathlib import Path

import pytest

from tests.e2e.server import Nuovo

MAKE_ONE = "make a good one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


@pytest.mark.parametrize(
    ("environment", "problems"),
    [
        ({"NUOVO_DATABASE_URL": "mysql://db"}, ["NUOVO_DATABASE_URL must begin with sqlite:/// or postgresql://"]),
        (
            {"NUOVO_SECRET_KEY": "changeme", "NUOVO_REPLAY": "1", "NUOVO_AUDIENCE": "nuovo"},
            [
                "NUOVO_REPLAY is no setting of Nuovo; see the table of settings in the README",
                f"NUOVO_SECRET_KEY has 8 bytes; at least 32 are needed; {MAKE_ONE}",
                "NUOVO_AUDIENCE must differ from NUOVO_ISSUER, the audience of refresh tokens",
            ],
        ),
    ],
    ids=["unknown database", "all at once"],
)
def test_serve_refuses(tmp_path: Path, environment: dict[str, str], problems: list[str]) -> None:
    nuovo = Nuovo(tmp_path, f"sqlite:///{tmp_path}/nuovo.sqlite3", environment=environment)
    ended = nuovo.run("serve", "--bind", "127.0.0.1:0")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == ["Error: the settings are not fit for service:", *problems]
    assert list(tmp_path.iterdir()) == []  # no database was made, and nothing listened long enough to log
