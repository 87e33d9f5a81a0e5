"""Reloading the service. `tests/stress` kills and stops it, in a short form there, too."""

import os
import signal
from pathlib import Path

from tests.e2e.client import Client
from tests.e2e.database import Databases
from tests.e2e.server import USER, Nuovo, wait_for

NEW_KEY = "NUOVO_SECRET_KEY=9s_bxWnCqSJxZyc0GAbWp3GVhtg2hrKXqMXykvG7q1Y"


def test_a_reload_changes_the_key_and_logs_nobody_out(tmp_path: Path, databases: Databases) -> None:
    """The old key becomes a previous one in `.env`, then is dropped: only what it signed last is refused then."""
    env_file = tmp_path / ".env"
    nuovo = Nuovo(tmp_path, databases.new("sqlite"))
    old_key = nuovo.environment.pop("NUOVO_SECRET_KEY")

    def reload(settings: str) -> None:
        env_file.write_text(settings, encoding="utf-8")
        nuovo.reload()
        nuovo.await_ok("/health/ready")

    env_file.write_text(f"NUOVO_SECRET_KEY={old_key}", encoding="utf-8")
    with nuovo:
        with Client(nuovo.url) as client:
            active, idle = (client.sign_in(nuovo.service_credential, USER).refresh_token for _ in range(2))

        reload(f"{NEW_KEY}\nNUOVO_PREVIOUS_SECRET_KEYS={old_key}")
        with Client(nuovo.url) as client:
            renewed = client.refresh(active)
            assert renewed.status == 200
            assert renewed.refresh_token.partition(".")[0] != active.partition(".")[0]  # the key's id is in there

        reload(NEW_KEY)
        with Client(nuovo.url) as client:
            assert client.refresh(renewed.refresh_token).status == 200
            assert client.refresh(idle).status == 401


def test_a_reload_with_a_wrong_setting_changes_nothing_and_says_why(tmp_path: Path, databases: Databases) -> None:
    """As nginx does it. Gunicorn by itself would end the service, since its new workers cannot start."""
    env_file = tmp_path / ".env"
    with Nuovo(tmp_path, databases.new("sqlite")) as nuovo:
        before = nuovo.worker_pids
        env_file.write_text("NUOVO_LEEWAY=much", encoding="utf-8")
        nuovo.hup()
        nuovo.await_log("Nothing was reloaded, the old settings stay: NUOVO_LEEWAY: must be whole seconds")
        assert nuovo.worker_pids == before
        nuovo.await_ok("/health/ready")

        for pid in before:  # whoever takes their place has their settings
            os.kill(pid, signal.SIGKILL)
        wait_for("new workers alone", lambda: nuovo.worker_pids and not nuovo.worker_pids & before)
        nuovo.await_ok("/health/ready")

        env_file.write_text("NUOVO_LEEWAY=1", encoding="utf-8")
        nuovo.reload()
        nuovo.await_ok("/health/ready")
