"""Whether the servers are fit to keep what this service promises."""

from collections.abc import Iterator

from domain.model.errors import StoreUnavailableError
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.schema import RedisSchema

_OLDEST_SERVER = (7, 0)


class RedisReadiness:
    """Tells whether sessions can be refreshed, started and ended, and what else an operator should know."""

    def __init__(self, cluster: Cluster, schema: RedisSchema) -> None:
        """Take a cluster and the form it should have; nothing is connected yet."""
        self._cluster = cluster
        self._schema = schema

    def require(self) -> None:
        """Raise `StoreUnavailableError`, saying what to set, unless the service can do its work now."""
        if pending := self._schema.pending():
            raise StoreUnavailableError(f"migrations are pending: {', '.join(pending)}; run: nuovo migrate")
        for answer in self._cluster.survey(("INFO",)):
            for problem in _problems_of(_read(answer), replicas=self._cluster.replicas):
                raise StoreUnavailableError(problem)

    def remarks(self) -> Iterator[str]:
        """Yield what an operator should know of these servers, in words. Raises `StoreUnavailableError`."""
        masters = [_read(answer) for answer in self._cluster.survey(("INFO",))]
        confirmed = self._cluster.replicas
        yield f"Sessions are kept by {len(masters)} masters; {confirmed or 'no'} replicas confirm each write."
        if confirmed and min(map(_followers, masters)) <= confirmed:
            yield "A master has no replica to spare: when a server is away, its users are answered with 503."


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
    if _followers(info) < replicas:
        yield f"a master has {_followers(info)} replicas that follow it, and {replicas} must confirm what is written"


def _followers(info: dict[str, str]) -> int:
    return sum("state=online" in value for name, value in info.items() if name.startswith("slave"))
