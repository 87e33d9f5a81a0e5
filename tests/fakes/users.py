"""Users in memory."""

from domain.model.users import User
from ports.user_directory import UserDirectory
from ports.users import Users


class FakeUsers(Users, UserDirectory):
    def __init__(self, *users: User) -> None:
        self.users = {user.id: user for user in users}

    def find(self, user_id: str) -> User | None:
        return self.users.get(user_id)

    def put(self, user: User) -> User | None:
        before, self.users[user.id] = self.users.get(user.id), user
        return before

    def remove(self, user_id: str) -> bool:
        return self.users.pop(user_id, None) is not None

    def list(self) -> list[User]:
        return sorted(self.users.values(), key=lambda user: user.id)
