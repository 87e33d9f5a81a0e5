"""What the command line can do with a service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domain.use_cases.end_all_sessions import EndAllSessions
from domain.use_cases.end_session import EndSession
from domain.use_cases.list_sessions import ListSessions
from domain.use_cases.purge_expired_sessions import PurgeExpiredSessions
from domain.use_cases.start_session import StartSession
from ports.user_directory import UserDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The use cases and tools of an operator, wired to one database."""

    start: StartSession
    list_sessions: ListSessions
    end: EndSession
    end_all: EndAllSessions
    purge: PurgeExpiredSessions
    users: UserDirectory
    migrate: Callable[[], list[str]]
    """Apply pending migrations and return their names."""
    check_ready: Callable[[], None]
    """Raise `StoreUnavailableError` unless the service could do its work."""


OpenOperations = Callable[[Mapping[str, str] | None], tuple[Operations, list[tuple[str, str]]]]
"""Return the operations for an environment (the process's own for `None`), and its settings to be shown.

Raises `click.ClickException` with every problem of the settings.
"""
