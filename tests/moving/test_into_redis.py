"""Old applications whose sessions go on in a Redis Cluster, while their users and their tables stay where they are."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.server import Nuovo
from tests.moving.nuovo import MovedTo
from tests.moving.old.applications import OldApplication
from tests.moving.test_everybody_moves import (
    test_a_disabled_user_is_refused_and_goes_on_when_enabled_again,
    test_a_logout_with_an_old_token_is_final,
    test_a_stolen_old_token_ends_the_session_once_its_owner_has_moved,
    test_adoption_costs_a_few_statements_once_and_nothing_afterwards,
    test_every_honest_client_goes_on_and_nobody_who_was_logged_out,
    test_fifty_tabs_with_one_old_token_are_one_session,
    test_going_back_is_as_the_page_says,
    test_the_adoption_is_an_event,
    test_when_the_setting_is_taken_away_sessions_go_on_and_old_tokens_do_not,
)
from tests.moving.test_page import requests
from tests.moving.test_watching import test_nothing_is_written_to_the_old_applications_tables
from tests.redis.servers import is_installed
from tests.stores import Stores

__all__ = [
    "test_a_disabled_user_is_refused_and_goes_on_when_enabled_again",
    "test_a_logout_with_an_old_token_is_final",
    "test_a_stolen_old_token_ends_the_session_once_its_owner_has_moved",
    "test_adoption_costs_a_few_statements_once_and_nothing_afterwards",
    "test_every_honest_client_goes_on_and_nobody_who_was_logged_out",
    "test_fifty_tabs_with_one_old_token_are_one_session",
    "test_going_back_is_as_the_page_says",
    "test_nothing_is_written_to_the_old_applications_tables",
    "test_the_adoption_is_an_event",
    "test_when_the_setting_is_taken_away_sessions_go_on_and_old_tokens_do_not",
]
USERS = 40

pytestmark = [
    pytest.mark.skipif(not is_installed(), reason="no redis-server here"),
    pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True),
]


@pytest.fixture
def in_redis(stores: Stores, database_url: str) -> dict[str, str]:
    """Return the settings, without `NUOVO_`, that keep sessions in an empty cluster and users where they are."""
    return {"DATABASE_URL": stores["redis"].shared(), "USERS_DATABASE_URL": database_url}


@pytest.fixture
def move(in_redis: dict[str, str]) -> Iterator[Callable[..., MovedTo]]:
    """Return what starts Nuovo as in the other tests, with sessions in Redis."""
    started: list[MovedTo] = []

    def start(**settings: str) -> MovedTo:
        started.append(MovedTo(in_redis["USERS_DATABASE_URL"], in_redis | settings))
        return started[-1]

    yield start
    for nuovo in started:
        nuovo.close()


def test_a_move_as_it_is_served(old: OldApplication, in_redis: dict[str, str], tmp_path: Path) -> None:
    """`nuovo serve` on Redis, at both endpoints: honest users go on, and who was logged out stays out."""
    tokens = old.issue_all(old.add_users(USERS))
    logged_out = set(list(tokens)[::4])
    old.revoke(tokens[user] for user in logged_out)
    settings = old.settings | in_redis
    environment = {f"NUOVO_{name}": value for name, value in settings.items()} | {"NUOVO_REPLAY_GRACE": "0"}
    held: dict[str, str] = {}
    with Nuovo(tmp_path, in_redis["DATABASE_URL"], workers=2, environment=environment) as nuovo:
        for number, (user, token) in enumerate(tokens.items()):
            with Client(nuovo.url) as client:
                if number % 2:
                    answer: Any = client.refresh(token)
                    found = answer.refresh_token if answer.status == 200 else None
                else:
                    answer = requests().post(f"{nuovo.url}{old.refresh_path}", **old.request(token), timeout=10)
                    found = (old.tokens_in(answer.json())[1] or token) if answer.status_code == 200 else None
                assert (found is None) == (user in logged_out), user
                if found is not None:
                    held[user] = client.refresh(found).refresh_token
        checked = nuovo.run("check")
        assert f"{len(held)} live sessions came from {old.scheme};" in checked.stdout, checked.stdout + checked.stderr

        thief, leaver, *others = held
        with Client(nuovo.url) as client:
            held[thief] = client.refresh(held[thief]).refresh_token
            assert client.refresh(tokens[thief]).status == 401
            assert client.refresh(held[thief]).status == 401, "a stolen old token ended the session"
            assert client.log_out(held[leaver]).status == 200
            assert [client.refresh(each).status for each in (held[leaver], tokens[leaver])] == [401, 401]
            for user in others:
                assert client.refresh(held[user]).status == 200
