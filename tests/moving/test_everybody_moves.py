"""A thousand users of each library, half of them logged out: the proxy switches, and nobody honest notices."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from werkzeug.test import Client

from ports.sessions import Page
from tests.figures import Figures
from tests.moving.nuovo import MovedTo
from tests.moving.old.applications import OldApplication

USERS = 1000
ASKED = 60
"""Of so many the old application is asked whether it accepts their new access tokens."""
TABS = 50

Move = Callable[..., MovedTo]


def test_every_honest_client_goes_on_and_nobody_who_was_logged_out(old: OldApplication, move: Move) -> None:
    """A third goes to Nuovo's own endpoint. All come back later with what they hold by then."""
    tokens = old.issue_all(old.add_users(USERS))
    logged_out = set(list(tokens)[::2])
    old.revoke(tokens[user] for user in logged_out)
    nuovo = move(**old.settings)
    old.heed(nuovo)
    behind_the_proxy = Client(nuovo.built.app())
    held: dict[str, str] = {}
    for number, (user, token) in enumerate(tokens.items()):
        if number % 3 == 0:
            own = nuovo.refresh(token)
            status, data = own.status, own.body.get("data", {})
            access, refresh = data.get("access_token"), data.get("refresh_token")
        else:
            answer = behind_the_proxy.post(old.refresh_path, **old.request(token))
            status = answer.status_code
            access, refresh = old.tokens_in(answer.json) if status == 200 else (None, None)
        assert (access is None) == (user in logged_out), (user, status)
        assert status in (200, 400, 401), status
        if access is not None:
            held[user] = refresh or token
            if len(held) <= ASKED:
                assert old.whose(access) == user
    assert held.keys() == tokens.keys() - logged_out
    assert all(len(sessions_of(nuovo, user)) == (user not in logged_out) for user in tokens)
    for token in held.values():
        assert behind_the_proxy.post(old.refresh_path, **old.request(token)).status_code == 200


def test_fifty_tabs_with_one_old_token_are_one_session(old: OldApplication, move: Move) -> None:
    ((user, token),) = old.issue_all(old.add_users(1)).items()
    nuovo = move(**old.settings)
    at_once = Barrier(TABS)

    def refresh(_tab: int) -> Any:
        at_once.wait()
        try:
            return nuovo.client.simulate_post("/refresh_token", headers={"Authorization": f"Bearer {token}"}).json
        finally:
            nuovo.close()

    with ThreadPoolExecutor(TABS) as tabs:
        answers = list(tabs.map(refresh, range(TABS)))
    assert {answer["code"] for answer in answers} == {200}
    assert len({answer["data"]["refresh_token"] for answer in answers}) == 1
    assert len(sessions_of(nuovo, user)) == 1


def test_a_stolen_old_token_ends_the_session_once_its_owner_has_moved(old: OldApplication, move: Move) -> None:
    ((user, token),) = old.issue_all(old.add_users(1)).items()
    nuovo = move(**old.settings, REPLAY_GRACE="0", LOST_ANSWER_RECOVERY="0")
    held = nuovo.refresh(nuovo.refresh(token).refresh_token).refresh_token
    assert nuovo.refresh(token).body["message"] == "Invalid refresh token."
    assert nuovo.refresh(held).status == 401
    assert sessions_of(nuovo, user) == []


def test_a_logout_with_an_old_token_is_final(old: OldApplication, move: Move) -> None:
    first, second = old.issue_all(old.add_users(2)).values()
    nuovo = move(**old.settings)
    held = nuovo.refresh(first).refresh_token
    for token in (first, second):
        assert nuovo.revoke(token).status == 200
    assert [nuovo.refresh(token).status for token in (first, held, second)] == [401] * 3


def test_the_adoption_is_an_event(old: OldApplication, move: Move) -> None:
    ((user, token),) = old.issue_all(old.add_users(1)).items()
    nuovo = move(**old.settings)
    nuovo.refresh(nuovo.refresh(token).refresh_token)
    (event,) = nuovo.happenings("session_adopted")
    assert (event["scheme"], event["user_id"]) == (old.scheme, user)
    assert token not in repr(nuovo.events)


def test_adoption_costs_a_few_statements_once_and_nothing_afterwards(
    old: OldApplication, move: Move, monkeypatch: pytest.MonkeyPatch, figures: Figures
) -> None:
    first, second = old.issue_all(old.add_users(2)).values()
    nuovo = move(**old.settings, REPLAY_GRACE="0")
    nuovo.refresh(nuovo.refresh(first).refresh_token)  # by now the columns of every table are known
    statements: list[str] = []
    database = nuovo.built.moving_in.engine.peewee
    execute: Callable[..., Any] = database.execute_sql

    def counting(sql: str, *arguments: Any) -> Any:
        statements.append(sql)
        return execute(sql, *arguments)

    monkeypatch.setattr(database, "execute_sql", counting)
    held = nuovo.refresh(second).refresh_token
    adoption = [sql for sql in statements if not sql.startswith("PRAGMA")]
    statements.clear()
    assert nuovo.refresh(held).status == 200
    assert len(statements) == 1
    assert len(adoption) <= 5, adoption
    figures.add(f"statements of an adoption from {old.scheme}", len(adoption))


def test_when_the_setting_is_taken_away_sessions_go_on_and_old_tokens_do_not(old: OldApplication, move: Move) -> None:
    first, second = old.issue_all(old.add_users(2)).values()
    held = move(**old.settings).refresh(first).refresh_token
    remaining = {name: value for name, value in old.settings.items() if not name.startswith("ADOPT")}
    finished = move(**remaining)
    assert finished.refresh(held).status == 200
    assert [finished.refresh(token).status for token in (first, second)] == [401, 401]


def test_a_disabled_user_is_refused_and_goes_on_when_enabled_again(old: OldApplication, move: Move) -> None:
    users = old.add_users(1)
    ((_, token),) = old.issue_all(users).items()
    nuovo = move(**old.settings)
    old.set_active(users[0], active=False)
    assert nuovo.refresh(token).status == 401
    old.set_active(users[0], active=True)
    assert nuovo.refresh(token).status == 200


def sessions_of(nuovo: MovedTo, user_id: str) -> list[Any]:
    return nuovo.built.operations.service.list_sessions(user_id, Page(limit=100))


def test_going_back_is_as_the_page_says(old: OldApplication, move: Move) -> None:
    """Whoever kept an old token goes on at the old application, and so does whoever was logged out at Nuovo."""
    kept, logged_out = old.issue_all(old.add_users(2)).values()
    nuovo = move(**old.settings)
    nuovo.refresh(kept)
    nuovo.revoke(logged_out)
    assert [old.refresh(token).status_code for token in (kept, logged_out)] == [200, 200]
