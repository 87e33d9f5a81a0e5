"""Gunicorn's own messages, in the form of the service's log."""

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from entrypoints.settings import SettingsError, load_settings
from infrastructure.logs import configure_logging


class StructuredLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Hands messages on to the root logger. Requests are logged by the service itself."""

    def setup(self, cfg: Any) -> None:
        """Set the log up in the configured form. Called again at a reload."""
        self.cfg = cfg
        try:
            settings = load_settings()
            configure_logging(as_json=settings.log_format == "json", level=settings.log_level)
        except SettingsError:
            configure_logging(as_json=True, level="INFO")  # the workers report the problems
        self.error_log.propagate = True
        # APPSEC: at DEBUG gunicorn logs addresses, and a token may have strayed into one.
        self.error_log.setLevel(logging.INFO)
        self.error_log.handlers = []
        self.access_log.propagate = False

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write nothing: a refresh has its own line in the security log."""
