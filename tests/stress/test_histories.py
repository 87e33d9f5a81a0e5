"""Recorded histories of many clients against gunicorn with several workers, on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.database import Database, Databases
from tests.e2e.server import Nuovo
from tests.figures import Figures
from tests.simulation.model import Rules
from tests.stores import SERVED
from tests.stress.checker import breaches_of, by_session
from tests.stress.crowd import Crowd, Target, add_users, ended, snapshots
from tests.stress.stories import EVERY


def _run(
    kind: str, databases: Databases, folder: Path, crowd: Crowd, *, figures: Figures, stories: int, grace: int
) -> int:
    """Play stories, hold what was seen against the invariants, and return how many calls there were."""
    url = databases.new(kind)
    database = Database(url)
    users = add_users(database, stories)
    environment = {"NUOVO_REPLAY_GRACE": f"{grace}", "NUOVO_LOST_ANSWER_RECOVERY": "600"}
    folder = folder / kind
    folder.mkdir()
    rules = Rules(grace=grace, recovery=600)
    begun = time.monotonic()
    with Nuovo(folder, url, workers=3, environment=environment) as nuovo, snapshots(database, 0.2) as taken:
        target = Target(url=nuovo.url, credential=nuovo.service_credential, rules=rules)
        events = ended(crowd.begin(target, EVERY, users, seed=stories))
    seconds = time.monotonic() - begun
    breaches = breaches_of(events, rules, snapshots=taken)
    assert not breaches, "\n".join(map(str, breaches))
    figures.add(
        f"history on {kind}, grace of {grace} s: 3 client processes, 3 workers",
        f"{len(events):,} calls on {len(by_session(events)):,} sessions in {seconds:.0f} s,"
        f" {len(taken)} snapshots: {len(breaches)} breaches",
    )
    return len(events)


def _run_on_both(
    databases: Databases, folder: Path, crowd: Crowd, figures: Figures, *, stories: int, grace: int
) -> int:
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(_run, kind, databases, folder, crowd, figures=figures, stories=stories, grace=grace)
            for kind in SERVED
        ]
        return sum(run.result() for run in runs)


def test_a_history_breaks_no_invariant(databases: Databases, tmp_path: Path, crowd: Crowd, figures: Figures) -> None:
    """A short one of every story, on both databases at once."""
    assert _run_on_both(databases, tmp_path, crowd, figures, stories=48, grace=1) > 1_200


@pytest.mark.stress
@pytest.mark.parametrize("grace", [0, 2])
def test_a_long_history_breaks_no_invariant(
    grace: int, databases: Databases, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """Where every use rotates, and where a session rotates once in more than two seconds."""
    assert _run_on_both(databases, tmp_path, crowd, figures, stories=900, grace=grace) > 28_000
