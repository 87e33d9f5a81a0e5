"""Where users are looked up."""

from abc import ABC, abstractmethod

from domain.model.users import User


class Users(ABC):
    """The application's users. This service only ever reads them."""

    @abstractmethod
    def find(self, user_id: str) -> User | None:
        """Return the user of this identifier, or `None` if there is none.

        An identifier that the store's own type cannot hold is nobody's. Raises `StoreUnavailableError` if the store
        cannot tell.
        """
