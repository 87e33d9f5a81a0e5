"""The built-in users, a hash in each bucket: for trying the service out, and for applications that have no table."""

from typing import Any

from domain.model.users import User
from infrastructure.redis.cluster import Cluster, Run
from infrastructure.redis.keys import BUCKETS, Bucket
from infrastructure.redis.scripts import Script
from ports.user_directory import UserDirectory
from ports.users import Users


class RedisUsers(Users, UserDirectory):
    """Users by identifier, each active or not."""

    def __init__(self, cluster: Cluster) -> None:
        """Take a cluster; nothing is connected yet."""
        self._cluster = cluster
        self._put = Script.load("put_user")

    def find(self, user_id: str) -> User | None:
        """Read the user's field."""
        bucket = Bucket.of(user_id)
        active = self._cluster.call(bucket, ("HGET", bucket.users, user_id), confirm=False)
        return None if active is None else _user_of(user_id.encode(), active)

    def put(self, user: User) -> User | None:
        """Write the user's field."""
        bucket = Bucket.of(user.id)
        before = self._cluster.run(Run(self._put, bucket, [bucket.users], [user.id, int(user.active)]))
        return None if before is None else _user_of(user.id.encode(), before)

    def remove(self, user_id: str) -> bool:
        """Remove the user's field."""
        bucket = Bucket.of(user_id)
        return bool(self._cluster.call(bucket, ("HDEL", bucket.users, user_id)))

    def list(self) -> list[User]:
        """Read all buckets."""
        found: list[Any] = []
        for bucket in map(Bucket, range(BUCKETS)):
            found += self._cluster.call(bucket, ("HGETALL", bucket.users), confirm=False)
        return sorted((_user_of(*pair) for pair in zip(found[::2], found[1::2], strict=True)), key=lambda user: user.id)


def _user_of(user_id: bytes, active: bytes) -> User:
    return User(id=user_id.decode(), active=active == b"1")
