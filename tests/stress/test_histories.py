"""Recorded histories of many clients against gunicorn with several workers, on every kind of store."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from domain.model.users import User
from tests.e2e.server import Nuovo
from tests.figures import Figures
from tests.simulation.model import Rules
from tests.stores import SERVED, Stores
from tests.stress.checker import breaches_of, by_session
from tests.stress.crowd import Crowd, Target, ended, snapshot_of, snapshots
from tests.stress.stories import EVERY


def _run(kind: str, stores: Stores, folder: Path, crowd: Crowd, *, figures: Figures, stories: int, grace: int) -> int:
    """Play stories, hold what was seen against the invariants, and return how many calls there were."""
    url = stores[kind].new()
    beside = stores[kind].open(url)
    users = [f"user-{number}" for number in range(stories)]
    for user in users:
        beside.directory.put(User(id=user))
    environment = {"NUOVO_REPLAY_GRACE": f"{grace}", "NUOVO_LOST_ANSWER_RECOVERY": "600"}
    folder = folder / kind
    folder.mkdir()
    rules = Rules(grace=grace, recovery=600)
    begun = time.monotonic()
    with (
        Nuovo(folder, url, workers=3, environment=environment) as nuovo,
        snapshots(partial(snapshot_of, beside), 0.2) as taken,
    ):
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


def _run_on_all(stores: Stores, folder: Path, crowd: Crowd, figures: Figures, *, stories: int, grace: int) -> int:
    with ThreadPoolExecutor(len(SERVED)) as pool:
        runs = [
            pool.submit(_run, kind, stores, folder, crowd, figures=figures, stories=stories, grace=grace)
            for kind in SERVED
        ]
        return sum(run.result() for run in runs)


def test_a_history_breaks_no_invariant(stores: Stores, tmp_path: Path, crowd: Crowd, figures: Figures) -> None:
    """A short one of every story, on every kind of store at once."""
    assert _run_on_all(stores, tmp_path, crowd, figures, stories=48, grace=1) > 600 * len(SERVED)


@pytest.mark.stress
@pytest.mark.parametrize("grace", [0, 2])
def test_a_long_history_breaks_no_invariant(
    grace: int, stores: Stores, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """Where every use rotates, and where a session rotates once in more than two seconds."""
    assert _run_on_all(stores, tmp_path, crowd, figures, stories=900, grace=grace) > 14_000 * len(SERVED)
