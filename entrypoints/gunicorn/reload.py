"""A reload (HUP) as nginx does it: wrong settings change nothing, and old workers serve until the new ones do.

Gunicorn by itself would end the service over a setting with which new workers cannot start, and stop the old ones
while the new ones are still loading.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from entrypoints.kept_settings import keep_settings
from entrypoints.settings import SettingsError

_SIGN_OF_LIFE_POLL = 0.02


def make_reload_safe(server: Any) -> None:
    """Replace how gunicorn's arbiter `server` reloads."""
    server.reload = partial(_reload, server, server.reload)


def _reload(server: Any, reload: Callable[[], None]) -> None:
    try:
        keep_settings()
    except SettingsError as error:
        problems = "; ".join(error.problems)
        server.log.error("Nothing was reloaded, the old settings stay: %s", problems)  # noqa: TRY400  words, no trace
        return
    stop_surplus = server.manage_workers
    server.manage_workers = partial(_stop_when_new_ones_serve, server, stop_surplus)
    try:
        reload()
    finally:
        server.manage_workers = stop_surplus


def _stop_when_new_ones_serve(server: Any, stop_surplus: Callable[[], None]) -> None:
    """Let workers beyond the wanted number stop once each of the youngest has entered its loop, or has had its time."""
    youngest = sorted(server.WORKERS.values(), key=lambda worker: worker.age)[-server.cfg.workers :]
    # A worker's first sign of life comes when it listens.
    silent = {worker: worker.tmp.last_update() for worker in youngest}
    give_up_at = time.monotonic() + server.cfg.timeout
    while silent and time.monotonic() < give_up_at:
        time.sleep(_SIGN_OF_LIFE_POLL)
        server.reap_workers()
        silent = {
            worker: sign
            for worker, sign in silent.items()
            if worker.pid in server.WORKERS and worker.tmp.last_update() == sign
        }
    stop_surplus()
