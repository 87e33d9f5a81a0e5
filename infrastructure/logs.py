"""Logs: one event, one line, on standard error."""

import json
import logging
import sys
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

from domain.model.errors import RefusalCause
from domain.model.sessions import RevocationReason
from ports.security_log import OCCASION, Happening, SecurityEvent, SecurityLog

_WARNINGS = frozenset(
    {
        Happening.HEALED,
        Happening.EVERYBODY_ENDED,
        Happening.SERVICE_REFUSED,
        RevocationReason.REUSE,
        RefusalCause.REUSED,
        RefusalCause.KEY_NOT_PROVEN,
        RefusalCause.UNKNOWN_KEY,
        RefusalCause.BAD_SIGNATURE,
        RefusalCause.BAD_CLAIMS,
        RefusalCause.PROOF_ELSEWHERE,
    }
)
"""Happenings and causes that somebody should look at. All else is what honest clients do, or anybody can send."""
_FIELDS = tuple(field.name for field in fields(SecurityEvent) if field.name != "happening")


class StructlogSecurityLog(SecurityLog):
    """Writes security events as log lines, with the identifier of the request that caused them."""

    def __init__(self) -> None:
        """Use the logging that `configure_logging` has set up."""
        self._log = structlog.get_logger("nuovo.security").bind()

    def record(self, event: SecurityEvent) -> None:
        """Write the event's fields, leaving out those it does not have."""
        said = {name: value for name in _FIELDS if (value := getattr(event, name)) is not None}
        if event.actor is not None:
            said["actor"] = str(event.actor)
        # An answer does not depend on its log line: a full disk or a closed pipe is the operator's trouble.
        try:  # noqa: SIM105  `suppress` takes longer
            self._log.log(level_of(event), event.happening, **said)
        except Exception:  # noqa: BLE001, S110
            pass


def level_of(event: SecurityEvent) -> int:
    """Return how much an event matters, as the standard library's levels say it."""
    return logging.WARNING if event.happening in _WARNINGS or event.cause in _WARNINGS else logging.INFO


def configure_logging(*, as_json: bool, level: str) -> None:
    """Send structlog's events and those of the standard library to standard error, in one form.

    `level` is a name such as `INFO`. With `as_json` each event is one JSON object on one line, whatever it holds.
    """
    shared: list[Any] = [_complete] if as_json else [_complete, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    trace: Any = structlog.processors.format_exc_info if as_json else structlog.processors.StackInfoRenderer()
    renderer: Any = (
        _json_line
        if as_json
        # APPSEC: the default formatter would print local variables, tokens among them.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, trace, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=_bytes_factory if as_json else structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    text_renderer: Any = _json_text if as_json else renderer
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, trace, text_renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Peewee logs every statement with its values at DEBUG.
    logging.getLogger("peewee").setLevel(max(logging.INFO, root.level))


def _bytes_factory(*_args: object) -> structlog.BytesLogger:
    return structlog.BytesLogger(sys.stderr.buffer)


def _complete(_logger: object, method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add what is known of the request, how much the event matters, and when it happened.

    orjson writes the time as ISO text, in a tenth of the time that `isoformat` takes.
    """
    event.update(OCCASION.get())
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    return event


def _json_line(_logger: object, _method: str, event: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z)
    except TypeError:  # text that no UTF-8 can hold, which the standard library escapes
        return json.dumps(event, default=str).encode("ascii")


def _json_text(logger: object, method: str, event: dict[str, Any]) -> str:
    return _json_line(logger, method, event).decode()
