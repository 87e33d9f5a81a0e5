"""`/metrics` of a service of several workers, some of which die."""

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.client import Client
from tests.e2e.server import USER, Nuovo, wait_for
from tests.prometheus.test_metrics import ROTATED, samples

SECRET = secrets.token_urlsafe(48)
ENVIRONMENT = {"NUOVO_METRICS_CREDENTIALS": SECRET, "NUOVO_REPLAY_GRACE": "0"}
STATEMENTS = 'nuovo_database_statement_duration_seconds_count{database="sessions"}'
STARTED = 'nuovo_sessions_started_total{actor="service"}'


@pytest.fixture
def nuovo(prepared_url: str, tmp_path: Path) -> Iterator[Nuovo]:
    with Nuovo(tmp_path, prepared_url, workers=2, environment=ENVIRONMENT) as nuovo:
        yield nuovo


def metrics_of(nuovo: Nuovo) -> dict[str, float]:
    """Scrape, over a connection of its own, so that any worker may answer."""
    with Client(nuovo.url) as client:
        answer = client.get("/metrics", SECRET)
    assert answer.status == 200
    return samples(answer.body)


def folder_of(nuovo: Nuovo) -> Path:
    """Return where the workers count, as the kernel knows it. Some may not have begun."""

    def folders() -> set[Path]:
        maps = [psutil.Process(pid).memory_maps(grouped=False) for pid in nuovo.worker_pids]
        return {Path(each.path).parent for worker in maps for each in worker if "/nuovo-metrics." in each.path}

    (folder,) = wait_for("a worker that counts", folders)
    return folder


def refresh_a_few_times(nuovo: Nuovo, times: int) -> None:
    with Client(nuovo.url) as client:
        token = client.sign_in(nuovo.service_credential, USER).refresh_token
    for _ in range(times):
        with Client(nuovo.url) as client:
            token = client.refresh(token).refresh_token


def test_every_scrape_has_everything_whoever_answers_and_whoever_dies(nuovo: Nuovo) -> None:
    refresh_a_few_times(nuovo, 20)
    scrapes = [metrics_of(nuovo) for _ in range(10)]
    assert {(found[ROTATED], found[STARTED]) for found in scrapes} == {(20, 1)}
    assert all(found[STATEMENTS] > 20 for found in scrapes), "whatever the store"

    for round_ in (1, 2, 3):
        before = nuovo.worker_pids
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers alone", lambda: nuovo.worker_pids and not nuovo.worker_pids & before)  # noqa: B023
        nuovo.await_ok("/health/ready")
        refresh_a_few_times(nuovo, 10)
        assert metrics_of(nuovo)[ROTATED] == 20 + 10 * round_
    assert len(list(folder_of(nuovo).iterdir())) == 4, "dead workers leave no files over"


def test_a_reload_forgets_nothing_and_an_end_leaves_nothing(nuovo: Nuovo) -> None:
    refresh_a_few_times(nuovo, 5)
    before = nuovo.worker_pids
    nuovo.hup()
    wait_for("new workers alone", lambda: nuovo.worker_pids and not nuovo.worker_pids & before)
    nuovo.await_ok("/health/ready")
    refresh_a_few_times(nuovo, 5)
    assert metrics_of(nuovo)[ROTATED] == 10

    folder = folder_of(nuovo)
    assert nuovo.stop() == 0
    assert not folder.exists()


def test_what_a_killed_service_left_is_removed_by_the_next_and_what_others_use_is_not(
    nuovo: Nuovo, prepared_url: str, tmp_path: Path
) -> None:
    with Nuovo(tmp_path, prepared_url, environment=ENVIRONMENT) as other:
        refresh_a_few_times(other, 3)
        lives = folder_of(other)
        left = folder_of(nuovo)
        nuovo.kill()
        assert left.exists()
        foreign = left.with_name(f"{left.name}-foreign")
        foreign.symlink_to(tmp_path)
        try:
            nuovo.start()
            assert foreign.is_symlink()
        finally:
            foreign.unlink()
        assert not left.exists()
        assert folder_of(nuovo).exists()
        assert lives.exists()
        assert metrics_of(other)[ROTATED] == 3


def test_the_settings_and_the_state_are_told(nuovo: Nuovo) -> None:
    found = metrics_of(nuovo)
    assert found["nuovo_ready"] == 1
    (settings,) = (name for name in found if name.startswith("nuovo_settings_info"))
    assert 'replay_grace="0"' in settings
    assert 'rotation="true"' in settings
    assert any(name.startswith("nuovo_build_info{") for name in found)
    assert USER not in str(found)
