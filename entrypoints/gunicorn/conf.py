"""Gunicorn's settings, by its own names. `nuovo serve` uses them; command-line options override them.

A worker does one thing at a time, over one connection to the database (docs/decisions/0006). Slow clients are the
affair of the proxy in front.
"""

import os
from contextlib import suppress
from itertools import count
from typing import Any

from entrypoints.cli.demo import remove_own_demo
from entrypoints.gunicorn.listeners import bound_waits, warn_if_public
from entrypoints.gunicorn.logger import StructuredLogger
from entrypoints.gunicorn.metrics_folder import make_metrics_folder, remove_metrics_folder
from entrypoints.gunicorn.reload import make_reload_safe
from entrypoints.kept_settings import keep_settings, kept_settings
from entrypoints.settings import SettingsError

wsgi_app = "entrypoints.wsgi:app"
worker_class = "entrypoints.gunicorn.worker.Worker"
logger_class = StructuredLogger
workers = 2
# Who waits behind so many is refused at once, and nginx says 503: a longer queue would only make everybody late.
backlog = 256
timeout = 30
graceful_timeout = 25
# APPSEC: a Unix socket is for its owner and group alone, to which the proxy belongs.
umask = 0o117
# The control socket would be one more way in.
control_socket_disable = True
# A faster parser that happens to be installed must not decide how requests are read.
http_parser = "python"
# Nobody is believed about whom they forward for, unless the operator names the proxy.
forwarded_allow_ips = ""


def on_starting(server: Any) -> None:
    """Keep the settings, so that a worker that is replaced has those of the others, and make a folder for metrics."""
    with suppress(SettingsError):  # the workers report the problems
        keep_settings()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = make_metrics_folder()


def pre_fork(server: Any, worker: Any) -> None:
    """Give the next worker a number that no living one has: it goes on in a dead one's files."""
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in count(1) if slot not in taken)
    os.environ["PROMETHEUS_WORKER_SLOT"] = str(worker.slot)


def when_ready(server: Any) -> None:
    """Prepare the listeners and the reload."""
    bound_waits(server.LISTENERS)
    warn_if_public(server.LISTENERS, server.log)
    make_reload_safe(server)


def on_exit(server: Any) -> None:
    """Delete what the workers have counted, and what a demonstration has made."""
    remove_metrics_folder(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    with suppress(SettingsError):  # with which nothing was served
        settings = kept_settings()
        if settings.demo:
            remove_own_demo(settings.database_url.get_secret_value())
