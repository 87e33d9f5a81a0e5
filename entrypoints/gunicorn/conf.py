"""Gunicorn's settings, by its own names. `nuovo serve` uses them; command-line options override them.

A worker does one thing at a time, over one connection to the database (docs/decisions/0006). Slow clients are the
affair of the proxy in front.
"""

import shutil
from pathlib import Path
from typing import Any

from entrypoints.cli.demo import DEMO_FOLDER_PREFIX
from entrypoints.gunicorn.listeners import bound_waits, warn_if_public
from entrypoints.gunicorn.logger import StructuredLogger
from entrypoints.gunicorn.reload import make_reload_safe
from entrypoints.settings import load_settings

wsgi_app = "entrypoints.wsgi:app"
worker_class = "entrypoints.gunicorn.worker.Worker"
logger_class = StructuredLogger
workers = 2
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


def when_ready(server: Any) -> None:
    """Prepare the listeners and the reload."""
    bound_waits(server.LISTENERS)
    warn_if_public(server.LISTENERS, server.log)
    make_reload_safe(server)


def on_exit(server: Any) -> None:
    """Delete what a demonstration has made."""
    folder = Path.cwd()
    # Both must hold: nobody's own folder may go because of its name.
    if folder.name.startswith(DEMO_FOLDER_PREFIX) and load_settings().demo:
        shutil.rmtree(folder, ignore_errors=True)
