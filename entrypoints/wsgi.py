"""The WSGI application for a server: `gunicorn entrypoints.wsgi:app`."""

import sys

from entrypoints.bootstrap import build
from entrypoints.kept_settings import kept_settings
from entrypoints.settings import SettingsError
from infrastructure.logs import configure_logging

_APP_LOAD_ERROR = 4
"""The exit status with which gunicorn's workers say that starting them again is useless."""

try:
    _settings = kept_settings()
    configure_logging(as_json=_settings.log_format == "json", level=_settings.log_level)
    app = build(_settings).app()
except SettingsError as error:
    for problem in error.problems:
        print(problem, file=sys.stderr)  # noqa: T201  before there is a log to write to
    sys.exit(_APP_LOAD_ERROR)
