"""Refresh tokens of the system that an application comes from."""

from abc import ABC, abstractmethod

from domain.model.adoption import ForeignToken


class ForeignTokens(ABC):
    """Reads what another system issued, as strictly as this service reads its own. It never writes there."""

    @abstractmethod
    def find(self, presented: str) -> ForeignToken | None:
        """Return the refresh token in `presented`, or `None` if it is not an authentic one of that system.

        Expired and revoked ones are found, too. The same token is found as the same session every time. Untrusted text
        of any size and content is taken, and nothing in it is believed before it is known to be authentic. Raises
        `StoreUnavailableError` if tokens are looked up and the store cannot tell.
        """

    @abstractmethod
    def is_revoked(self, foreign: ForeignToken) -> bool:
        """Tell whether that system had revoked what `find` has found.

        Raises `StoreUnavailableError` if it cannot be asked: a blocklist that cannot be read clears nobody.
        """


class NoForeignTokens(ForeignTokens):
    """There is no other system: nothing is found."""

    def find(self, presented: str) -> None:
        """Return `None`."""

    def is_revoked(self, foreign: ForeignToken) -> bool:
        """Answer what nobody asks."""
        return True


NO_FOREIGN_TOKENS = NoForeignTokens()
