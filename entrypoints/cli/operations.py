"""What the command line can do with a service."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from domain.use_cases.service import Service
from ports.clock import Clock
from ports.sessions import Sessions
from ports.transfer import Transfer
from ports.user_directory import UserDirectory
from ports.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The use cases and tools of an operator, wired to one database."""

    service: Service
    clock: Clock
    sessions: Sessions
    transfer: Transfer
    users: Users
    directory: UserDirectory
    reads_directory: bool
    """Whether users are looked up in `directory`, and not in a table of the application's own."""
    speaks_dpop: bool
    """Whether proofs of keys can be verified, so that a session may be bound to a key at its start."""
    migrate: Callable[[], list[str]]
    """Apply pending migrations and return their names."""
    check_ready: Callable[[], None]
    """Raise `StoreUnavailableError` unless the service could do its work."""
    elsewhere: Callable[[str], "Operations"]
    """Return the same on another database, with the built-in users; `ValueError`, in words, if its URL is of no use."""
    describe: Callable[[], Iterable[str]]
    """Do as `check_ready`, and tell in words what the service works with and what it cannot do."""
    public_keys: Mapping[str, object]
    """What others verify access tokens with, as a JWK Set (RFC 7517)."""


OpenOperations = Callable[[Mapping[str, str] | None], tuple[Operations, list[tuple[str, str]]]]
"""Return the operations for an environment (the process's own for `None`), and its settings to be shown.

Raises `click.ClickException` with every problem of the settings.
"""
