"""Where users are looked up."""

from abc import ABC, abstractmethod

from domain.model.users import User


class Users(ABC):
    """The application's users. This service only ever reads them."""

    @abstractmethod
    def find(self, user_id: str) -> User | None:
        """Return the user whose identifier is exactly this text, with their claims, or `None` if there is none.

        An identifier that the store's own type cannot hold is nobody's, and so is another spelling of one, whatever
        the store calls equal. Raises `StoreUnavailableError` if the store cannot tell, also because there are several.
        """
