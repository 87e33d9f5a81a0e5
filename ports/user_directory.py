"""Where the built-in users are kept, for applications that have none of their own."""

from abc import ABC, abstractmethod

from domain.model.users import User


class UserDirectory(ABC):
    """The users that an operator adds by hand. Every method raises `StoreUnavailableError`."""

    @abstractmethod
    def put(self, user: User) -> User | None:
        """Add a user, or switch an existing one on or off; return them as they were before, or `None` if new."""

    @abstractmethod
    def remove(self, user_id: str) -> bool:
        """Remove a user and tell whether there was one."""

    @abstractmethod
    def list(self) -> list[User]:
        """Return all users by identifier."""
