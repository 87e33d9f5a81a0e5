"""How gunicorn serves Nuovo in production. `nuovo serve` uses it; command-line options override it."""

import logging
import shutil
import socket
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

from entrypoints.cli.demo import DEMO_FOLDER_PREFIX
from entrypoints.settings import SettingsError, load_settings
from infrastructure.logs import configure_logging

_READ_TIMEOUT = 10
"""Seconds that a connection may stall while a request is read; longer ones would hold a thread for ever."""


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


def when_ready(server: Any) -> None:
    """Give accepted connections, which inherit it from the listeners, a limit on every read."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _READ_TIMEOUT, 0))


def on_exit(server: Any) -> None:
    """Delete what a demonstration has made."""
    folder = Path.cwd()
    # Both must hold: nobody's own folder may go because of its name.
    if folder.name.startswith(DEMO_FOLDER_PREFIX) and load_settings().demo:
        shutil.rmtree(folder, ignore_errors=True)
