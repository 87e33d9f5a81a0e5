"""Recorded histories of many clients against gunicorn with several workers, on every kind of store."""

import time
from collections.abc import Sequence
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
from tests.stress.clients import PUBLIC_URL
from tests.stress.crowd import Crowd, Target, ended, snapshot_of, snapshots
from tests.stress.history import Call, Event, is_bound
from tests.stress.stories import EVERY

_BINDING = {"NUOVO_DEVICE_BINDING": "offer", "NUOVO_PUBLIC_URL": PUBLIC_URL}


def _run(
    kind: str,
    stores: Stores,
    folder: Path,
    crowd: Crowd,
    *,
    figures: Figures,
    stories: int,
    grace: int,
    binds: bool,
) -> int:
    """Play stories, hold what was seen against the invariants, and return how many calls there were."""
    url = stores[kind].new()
    beside = stores[kind].open(url)
    users = [f"user-{number}" for number in range(stories)]
    for user in users:
        beside.directory.put(User(id=user))
    environment = {"NUOVO_REPLAY_GRACE": f"{grace}", "NUOVO_LOST_ANSWER_RECOVERY": "600"}
    if binds:
        environment |= _BINDING
    folder = folder / kind
    folder.mkdir()
    rules = Rules(grace=grace, recovery=600)
    begun = time.monotonic()
    with (
        Nuovo(folder, url, workers=3, environment=environment) as nuovo,
        snapshots(partial(snapshot_of, beside), 0.2) as taken,
    ):
        target = Target(url=nuovo.url, credential=nuovo.service_credential, rules=rules, binds=binds)
        events = ended(crowd.begin(target, EVERY, users, seed=stories))
    seconds = time.monotonic() - begun
    breaches = breaches_of(events, rules, snapshots=taken)
    assert not breaches, "\n".join(map(str, breaches))
    bound = _bound(events) if binds else {}
    assert all(count > stories // 10 for count in bound.values()), bound
    figures.add(
        f"history on {kind}, grace of {grace} s{', with bindings' if binds else ''}: 3 client processes, 3 workers",
        f"{len(events):,} calls on {len(by_session(events)):,} sessions in {seconds:.0f} s,"
        f" {len(taken)} snapshots{''.join(f', {count:,} {what}' for what, count in bound.items())}:"
        f" {len(breaches)} breaches",
    )
    return len(events)


def _bound(events: Sequence[Event]) -> dict[str, int]:
    """Return how many sessions were bound from their start and later, and how often thieves lacked the key."""
    answers = [event for event in events if event.answer is not None and is_bound(event.answer)]
    by_dpop = {event.session for event in answers if event.call is Call.SIGN_IN}
    by_dbsc = {event.session for event in answers} - by_dpop
    refusals = sum(event.unproven for event in events)
    return {"sessions bound by DPoP": len(by_dpop), "by DBSC": len(by_dbsc), "thefts refused": refusals}


def _run_on(
    kinds: Sequence[str],
    stores: Stores,
    folder: Path,
    crowd: Crowd,
    figures: Figures,
    *,
    stories: int,
    grace: int,
    binds: bool = False,
) -> int:
    with ThreadPoolExecutor(len(kinds)) as pool:
        runs = [
            pool.submit(_run, kind, stores, folder, crowd, figures=figures, stories=stories, grace=grace, binds=binds)
            for kind in kinds
        ]
        return sum(run.result() for run in runs)


def test_a_history_breaks_no_invariant(stores: Stores, tmp_path: Path, crowd: Crowd, figures: Figures) -> None:
    """A short one of every story, on every kind of store at once."""
    assert _run_on(SERVED, stores, tmp_path, crowd, figures, stories=48, grace=1) > 600 * len(SERVED)


def test_a_history_of_bound_sessions_breaks_no_invariant(
    stores: Stores, tmp_path: Path, crowd: Crowd, figures: Figures
) -> None:
    """A short one on one kind of store: half of the sessions are bound, and nobody is served without their keys."""
    assert _run_on(SERVED[:1], stores, tmp_path, crowd, figures, stories=48, grace=0, binds=True) > 600


@pytest.mark.stress
@pytest.mark.parametrize("binds", [False, True], ids=["bearers", "bound"])
@pytest.mark.parametrize("grace", [0, 2])
def test_a_long_history_breaks_no_invariant(
    stores: Stores, tmp_path: Path, crowd: Crowd, figures: Figures, *, grace: int, binds: bool
) -> None:
    """Where every use rotates, and where a session rotates once in more than two seconds."""
    calls = _run_on(SERVED, stores, tmp_path, crowd, figures, stories=900, grace=grace, binds=binds)
    assert calls > 14_000 * len(SERVED)
