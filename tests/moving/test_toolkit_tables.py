"""The toolkit's tables as its versions and settings make them, and what became of a token in them."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tests.hostile.catalogue import every_token
from tests.hostile.forge import ACCESS, REFRESH
from tests.moving.nuovo import MovedTo
from tests.moving.old import django_app
from tests.moving.old.applications import ToolkitApplication

Move = Callable[..., MovedTo]


@pytest.fixture
def old(database_url: str) -> Iterator[ToolkitApplication]:
    application = ToolkitApplication(database_url)
    yield application
    application.close()


@pytest.fixture
def row(old: ToolkitApplication) -> Any:
    """Return the row of a refresh token whose access token lives for a quarter of an hour."""
    return django_app.issue_toolkit(old.add_users(1)[0], old.registered)


def status(nuovo: MovedTo, token: str) -> tuple[int, str]:
    answer = nuovo.refresh(token)
    return answer.status, answer.body.get("message", "")


def test_tokens_that_are_kept_as_checksums_alone(old: ToolkitApplication, move: Move) -> None:
    """`COMPLIANT_BCP_RFC9700_TOKEN_STORAGE`: the table does not say what a token is."""
    with django_app.toolkit(COMPLIANT_BCP_RFC9700_TOKEN_STORAGE=True):
        row = django_app.issue_toolkit(old.add_users(1)[0], old.registered)
    token = row.token
    django_app.toolkit_rows().filter(pk=row.pk).update(token="")
    assert move(**old.settings).refresh(token).status == 200


def test_a_table_of_before_there_were_checksums_and_families(old: ToolkitApplication, row: Any, move: Move) -> None:
    token, revoked = row.token, django_app.issue_toolkit(old.add_users(1)[0], old.registered)
    revoked.revoke()
    _forget_newer_columns()
    nuovo = move(**old.settings)
    assert nuovo.refresh(token).status == 200
    assert nuovo.refresh(revoked.token).status == 401
    assert nuovo.refresh(hashlib.sha256(token.encode()).hexdigest()).status == 401


def test_a_checksum_is_no_token(old: ToolkitApplication, row: Any, move: Move) -> None:
    assert move(**old.settings).refresh(row.token_checksum).status == 401


def test_refresh_tokens_expire_after_their_access_tokens(old: ToolkitApplication, row: Any, move: Move) -> None:
    """`REFRESH_TOKEN_EXPIRE_SECONDS` counts from there. Unset, they never do, and here live as long as a session."""
    django_app.toolkit_rows().filter(pk=row.pk).update(created=timezone.now() - timedelta(days=10))
    row.access_token.expires = timezone.now() - timedelta(seconds=100)
    row.access_token.save()
    expired = move(**old.settings, ADOPT_OAUTH_TOOLKIT_REFRESH_TOKEN_EXPIRE_SECONDS="99")
    assert status(expired, row.token) == (401, "Refresh token has expired.")
    assert move(**old.settings, ADOPT_OAUTH_TOOLKIT_REFRESH_TOKEN_EXPIRE_SECONDS="200").refresh(row.token).status == 200


def test_a_token_whose_access_token_was_deleted_is_dead(old: ToolkitApplication, row: Any, move: Move) -> None:
    """The toolkit refuses it as an orphan: somebody has revoked what it belonged to."""
    row.access_token.delete()
    assert move(**old.settings).refresh(row.token).status == 401


def test_what_the_toolkit_had_rotated_is_refused(old: ToolkitApplication, row: Any, move: Move) -> None:
    answer = old.refresh(row.token)
    nuovo = move(**old.settings)
    assert nuovo.refresh(row.token).status == 401
    assert nuovo.refresh(answer.json["refresh_token"]).status == 200


def test_a_stolen_ancestor_ends_what_its_family_has_become(old: ToolkitApplication, row: Any, move: Move) -> None:
    """As `REFRESH_TOKEN_REUSE_PROTECTION` revokes a family (RFC 9700, section 4.14.2)."""
    second = old.refresh(row.token).json["refresh_token"]
    nuovo = move(**old.settings)
    held = nuovo.refresh(second).refresh_token
    assert nuovo.refresh(row.token).status == 401
    assert nuovo.refresh(held).status == 401
    assert [event["cause"] for event in nuovo.happenings("session_ended")] == ["reuse"]


def test_a_family_that_was_revoked_stays_dead(old: ToolkitApplication, row: Any, move: Move) -> None:
    second = old.refresh(row.token).json["refresh_token"]
    with django_app.toolkit(REFRESH_TOKEN_REUSE_PROTECTION=True):
        assert old.refresh(row.token).status_code == 400
    nuovo = move(**old.settings)
    assert [nuovo.refresh(token).status for token in (row.token, second)] == [401, 401]


def test_a_logout_at_the_old_application_ends_the_session_when_its_token_is_shown(
    old: ToolkitApplication, row: Any, move: Move
) -> None:
    nuovo = move(**old.settings)
    held = nuovo.refresh(row.token).refresh_token
    old.client.post("/o/revoke_token/", data={"token": row.token, "client_id": "spa"})
    assert nuovo.refresh(row.token).status == 401
    assert nuovo.refresh(held).status == 401


def test_of_several_rows_the_one_counts_that_was_not_revoked(old: ToolkitApplication, row: Any, move: Move) -> None:
    """The table allows them: unique is the checksum together with the time of the revocation."""
    twin = django_app.issue_toolkit(row.user, old.registered)
    django_app.toolkit_rows().filter(pk=twin.pk).update(
        token=row.token, token_checksum=row.token_checksum, revoked=timezone.now(), token_family=row.token_family
    )
    assert move(**old.settings).refresh(row.token).status == 200


def test_no_hostile_token_is_found(old: ToolkitApplication, row: Any, move: Move) -> None:
    """Nor does any of them reach the table but what could be a token: up to 255 letters, digits and a few signs."""
    nuovo = move(**old.settings)
    reader = nuovo.built.moving_in.foreign
    for kind in (REFRESH, ACCESS):
        for name, text in every_token(kind):
            assert reader.find(text) is None, name
    for text in (
        "",
        " ",
        row.token + " ",
        row.token.upper(),
        row.token[:-1],
        row.token + "\x00",
        "%",
        "_" * 30,
        "' OR 1=1 --",
    ):
        assert reader.find(text) is None, text
    assert reader.find(row.token) is not None


@pytest.mark.parametrize("table", ["oauth2_provider_refreshtoken", "oauth2_provider_accesstoken"])
def test_a_table_that_cannot_be_read_is_503(old: ToolkitApplication, row: Any, move: Move, table: str) -> None:
    nuovo = move(**old.settings)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
    assert nuovo.refresh(row.token).status == 503
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert nuovo.refresh(row.token).status == 200


def _forget_newer_columns() -> None:
    with connection.cursor() as cursor:
        for index in ("token_checksum", "token_family"):
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE %s"
                if connection.vendor == "sqlite"
                else "SELECT indexname FROM pg_indexes WHERE tablename = 'oauth2_provider_refreshtoken'"
                " AND indexdef LIKE %s",
                [f"%{index}%"],
            )
            for (name,) in cursor.fetchall():
                if "accesstoken" not in name:
                    cursor.execute(
                        f'DROP INDEX "{name}"'
                        if connection.vendor == "sqlite"
                        else f'ALTER TABLE oauth2_provider_refreshtoken DROP CONSTRAINT IF EXISTS "{name}"'
                    )
            cascade = "" if connection.vendor == "sqlite" else " CASCADE"
            cursor.execute(f"ALTER TABLE oauth2_provider_refreshtoken DROP COLUMN {index}{cascade}")
