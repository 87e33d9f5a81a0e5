"""How gunicorn serves Nuovo in production. `nuovo serve` uses it; command-line options override it."""

import logging
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from entrypoints.cli.demo import DEMO_FOLDER_PREFIX
from entrypoints.settings import SettingsError, load_settings
from infrastructure.logs import configure_logging

_READ_TIMEOUT = 10
"""Seconds that a thread may wait for a client where gunicorn ends TLS; elsewhere nobody waits for one."""
_SIGN_OF_LIFE_POLL = 0.02


class StructuredLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's own messages in the form of the service's log. Requests are logged by the service itself."""

    def setup(self, cfg: Any) -> None:
        """Hand messages on to the root logger, which writes them in the configured form."""
        self.cfg = cfg
        try:
            settings = load_settings()
            configure_logging(as_json=settings.log_format == "json", level=settings.log_level)
        except SettingsError:
            configure_logging(as_json=True, level="INFO")  # the workers report the problems
        self.error_log.propagate = True
        # At DEBUG gunicorn logs addresses, and a token may have strayed into one.
        self.error_log.setLevel(logging.INFO)
        self.error_log.handlers = []
        self.access_log.propagate = False

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write nothing: a refresh has its own line in the security log."""


logger_class = StructuredLogger
worker_class = "entrypoints.gunicorn_worker.BufferingWorker"
workers = 2
threads = 1
timeout = 30
graceful_timeout = 25
keepalive = 5
# The control socket would be one more way in.
control_socket_disable = True
# A faster parser that happens to be installed must not decide how requests are read.
http_parser = "python"
# Nobody is believed about whom they forward for, unless the operator names the proxy.
forwarded_allow_ips = ""


def on_starting(server: Any) -> None:
    """Make a folder in which the workers count for `/metrics`."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="nuovo-metrics-")


def pre_fork(server: Any, worker: Any) -> None:
    """Give the next worker a number that no living one has: it goes on in a dead one's files."""
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in count(1) if slot not in taken)
    os.environ["PROMETHEUS_WORKER_SLOT"] = str(worker.slot)


def when_ready(server: Any) -> None:
    """Give accepted connections, which inherit it from the listeners, a limit on every read; make reloads safe."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _READ_TIMEOUT, 0))
    server.reload = partial(_reload, server, server.reload)


def _reload(server: Any, reload: Callable[[], None]) -> None:
    """Reload as nginx does: wrong settings change nothing, and the old workers serve until the new ones do.

    Gunicorn by itself would end the service over a setting with which new workers cannot start, and stop the old ones
    while the new ones are still loading.
    """
    try:
        load_settings()
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


def on_exit(server: Any) -> None:
    """Delete what the workers have counted, and what a demonstration has made."""
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
    folder = Path.cwd()
    # Both must hold: nobody's own folder may go because of its name.
    if folder.name.startswith(DEMO_FOLDER_PREFIX) and load_settings().demo:
        shutil.rmtree(folder, ignore_errors=True)
