"""What the system that an application comes from had revoked."""

from abc import ABC, abstractmethod


class Blocklist(ABC):
    """Identifiers of tokens that another system calls revoked. This service only ever reads them."""

    @abstractmethod
    def holds(self, token_id: str) -> bool:
        """Tell whether a token is revoked. Raises `StoreUnavailableError` if that cannot be told."""


class NoBlocklist(Blocklist):
    """The other system kept none."""

    def holds(self, token_id: str) -> bool:
        """Answer that nothing was revoked."""
        return False
