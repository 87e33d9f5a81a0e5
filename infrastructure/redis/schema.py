"""The form of what is kept."""

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import Bucket

_VERSION = 1
_NAME = "0001_sessions"
_BUCKET = Bucket(0)
_KEY = "{0}v"


class RedisSchema:
    """Brings a cluster to the form that the stores expect, and tells whether it has it."""

    def __init__(self, cluster: Cluster) -> None:
        """Take a cluster; nothing is connected yet."""
        self._cluster = cluster

    def pending(self) -> list[str]:
        """Return the names of the steps that have not been taken. Raises `StoreUnavailableError`."""
        version = self._cluster.call(_BUCKET, ("GET", _KEY), confirm=False)
        if version is not None and int(version) > _VERSION:
            raise StoreUnavailableError("the data was written by a newer version of Nuovo")
        return [_NAME] if version is None else []

    def migrate(self) -> list[str]:
        """Take the pending steps and return their names. Several may be started at once: each step is taken once."""
        is_first = self._cluster.call(_BUCKET, ("SET", _KEY, _VERSION, "NX"))
        return [_NAME] if is_first else []
