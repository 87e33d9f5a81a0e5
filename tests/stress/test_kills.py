"""Nothing that a client saw is lost, and nobody is logged out, when processes are killed."""

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database, Databases
from tests.e2e.server import USER, Nuovo
from tests.figures import Figures
from tests.simulation.model import Rules
from tests.stress.checker import breaches_of
from tests.stress.crowd import EVERY_USE_ROTATES, Crowd, Target, add_users, ended, snapshot, snapshots
from tests.stress.faulty import KILL_POINTS, FaultyNuovo
from tests.stress.history import claims_of, generation_of
from tests.stress.stories import ENDING, HONEST

_RULES = Rules(grace=1)


@pytest.fixture
def faulty(kind: str, databases: Databases, tmp_path: Path) -> Iterator[FaultyNuovo]:
    """Return a running service with two workers that can be made to die."""
    with FaultyNuovo(tmp_path, databases.new(kind)) as faulty:
        yield faulty


def test_a_worker_is_killed_at_each_point_of_a_refresh(kind: str, faulty: FaultyNuovo, figures: Figures) -> None:
    """The client sends its old token again, and goes on: with the successor that was made, if one was."""
    for point in KILL_POINTS:
        _kill_and_retry(faulty, point)
    figures.add(f"SIGKILL of a worker at {len(KILL_POINTS)} points of a refresh, {kind}", "1 each: 0 logged out")


@pytest.mark.stress
def test_workers_are_killed_at_each_point_again_and_again(kind: str, faulty: FaultyNuovo, figures: Figures) -> None:
    kills = 6
    for _ in range(kills):
        for point in KILL_POINTS:
            _kill_and_retry(faulty, point)
    figures.add(f"SIGKILL of a worker at each point of a refresh, {kind}", f"{kills} kills each: 0 logged out")


def _kill_and_retry(nuovo: FaultyNuovo, point: str) -> None:
    database = Database(nuovo.environment["NUOVO_DATABASE_URL"])
    with Client(nuovo.url) as client:
        old = client.sign_in(nuovo.service_credential, USER).refresh_token
        nuovo.ask_for(**{point: 1})
        with pytest.raises((OSError, HTTPException)):
            client.refresh(old)
        assert nuovo.left == 0
        committed = database.session(str(claims_of(old)["sid"]))["generation"]
        assert committed == (1 if point == "before_statement" else 2)
        retried = _persistently(client, old)
        again = _persistently(client, old)
        assert generation_of(retried) == 2
        assert again == retried == _persistently(client, retried)  # one successor, whoever asks how often


def _persistently(client: Client, token: str) -> str:
    """Present a token until there is an answer: the other worker may not have been started again."""
    while True:
        try:
            answer = client.refresh(token)
        except (OSError, HTTPException):
            continue
        assert answer.status == 200
        return answer.refresh_token


@pytest.mark.stress
def test_a_history_under_kills_of_workers_breaks_no_invariant(
    kind: str, databases: Databases, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """Workers are killed at the points of a refresh, wherever it comes to them, every other second."""
    url = databases.new(kind)
    database = Database(url)
    users = add_users(database, 400)
    kills = 0
    environment = {"NUOVO_REPLAY_GRACE": f"{_RULES.grace}"}
    with (
        FaultyNuovo(tmp_path, url, workers=3, environment=environment) as nuovo,
        snapshots(partial(snapshot, database), 0.3) as taken,
    ):
        target = Target(url=nuovo.url, credential=nuovo.service_credential, rules=_RULES, patience=30)
        running = crowd.begin(target, (*HONEST, *ENDING), users, seed=7, seconds=20)
        while not all(future.done() for future in running):
            if nuovo.left == 0 and len(nuovo.worker_pids) == nuovo.workers:
                nuovo.ask_for(**{KILL_POINTS[kills % len(KILL_POINTS)]: 1})
                kills += 1
            time.sleep(2)
        events = ended(running)
        nuovo.ask_for()
    breaches = breaches_of(events, _RULES, snapshots=taken, trouble=False)
    assert not breaches, "\n".join(map(str, breaches))
    unanswered = sum(event.status is None for event in events)
    assert unanswered > 0
    figures.add(
        f"history under SIGKILL of workers, {kind}",
        f"{len(events):,} calls, {kills} kills, {unanswered} without an answer: {len(breaches)} breaches",
    )


def test_what_was_answered_survives_the_death_of_the_whole_service(
    kind: str, databases: Databases, tmp_path: Path, figures: Figures
) -> None:
    """Gunicorn and all its workers are killed under load, at length five times: what a client has got is good."""
    service = Nuovo(tmp_path, databases.new(kind), workers=2, environment=EVERY_USE_ROTATES)
    kills, rotations, slowest = 5 if "NUOVO_TEST_STRESS" in os.environ else 1, 0, 0.0
    tokens: list[str] = []
    for _ in range(kills):
        begun = time.monotonic()
        service.start()
        slowest = max(slowest, time.monotonic() - begun)
        with Client(service.url) as client:
            while len(tokens) < 6:
                tokens.append(client.sign_in(service.service_credential, USER).refresh_token)
            answers = [client.refresh(token) for token in tokens]
            assert [answer.status for answer in answers] == [200] * 6
            tokens = [answer.refresh_token for answer in answers]
        counts = [0] * len(tokens)
        threads = [threading.Thread(target=_rotate_until_dead, args=(service.url, tokens, i, counts)) for i in range(6)]
        for thread in threads:
            thread.start()
        while sum(counts) < 60:
            time.sleep(0.01)
        service.kill()
        for thread in threads:
            thread.join()
        rotations += sum(counts)
    figures.add(
        f"SIGKILL of gunicorn and its workers under load, {kind}",
        f"{kills} kills, {rotations:,} rotations: 0 lost, 0 logged out, ready again in {slowest:.1f} s at most",
    )


def _rotate_until_dead(url: str, tokens: list[str], number: int, counts: list[int]) -> None:
    with Client(url) as client:
        while True:
            try:
                answer = client.refresh(tokens[number])
            except (OSError, HTTPException):
                return
            assert answer.status == 200
            tokens[number] = answer.refresh_token
            counts[number] += 1
