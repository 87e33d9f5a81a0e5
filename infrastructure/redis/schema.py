"""The form of what is kept, and whether the servers are fit to keep it."""

from collections.abc import Iterator

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import Bucket

_VERSION = 1
_NAME = "0001_sessions"
_BUCKET = Bucket(0)
_KEY = "{0}v"
_OLDEST_SERVER = (7, 0)


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

    def require_fit(self) -> None:
        """Raise `StoreUnavailableError`, saying what to set, unless each master can keep what this service promises."""
        for answer in self._cluster.survey(("INFO",)):
            for problem in _problems_of(_read(answer), replicas=self._cluster.replicas):
                raise StoreUnavailableError(problem)


def _read(info: bytes) -> dict[str, str]:
    lines = info.decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _problems_of(info: dict[str, str], *, replicas: int) -> Iterator[str]:
    version = info.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_SERVER:
        yield f"the server has version {version}; Nuovo needs 7.0 or newer"
    if info.get("cluster_enabled") != "1":
        yield "the server is not part of a cluster; set cluster-enabled yes"
    if info.get("loading") == "1":
        yield "the server is still loading its data"
    if info.get("maxmemory_policy") != "noeviction":
        # APPSEC: a server that evicts forgets revocations.
        yield "the server forgets sessions and their endings when its memory is full; set maxmemory-policy noeviction"
    if not replicas:
        return  # the service keeps a log of its own
    if info.get("aof_enabled") != "1":
        yield "the server keeps no log on its disk; set appendonly yes"
    if info.get("aof_last_write_status", "ok") != "ok":
        yield "the server cannot write its log; look at its disk"
    online = sum("state=online" in value for name, value in info.items() if name.startswith("slave"))
    if online < replicas:
        yield f"a master has {online} replicas that follow it, and {replicas} must confirm what is written"
