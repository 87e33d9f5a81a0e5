"""Sessions in a Redis Cluster, as something to move from and to."""

from collections.abc import Callable, Iterator
from typing import Any

from domain.model.errors import UnknownPlaceError
from domain.model.sessions import EVERYBODY, CutOff, Session
from infrastructure.redis.cluster import Cluster, Run
from infrastructure.redis.connections import Value
from infrastructure.redis.keys import BUCKETS, Bucket, Place
from infrastructure.redis.rows import cut_off_of, fields_of, naming, session_of, step_of
from infrastructure.redis.scripts import Script
from infrastructure.redis.walks import PART, in_each_bucket, walk
from ports.transfer import Part, Transfer

_LAST = f"{BUCKETS} "
"""The place after all buckets."""


class RedisTransfer(Transfer):
    """Bucket after bucket, user after user. A place is a bucket's number and a user."""

    def __init__(self, cluster: Cluster) -> None:
        """Take a cluster; nothing is connected yet."""
        self._cluster = cluster
        self._export = Script.load("export")
        self._get = Script.load("get")
        self._adopt = Script.load("adopt")
        self._adopt_cut_off = Script.load("adopt_cut_off")
        self._mark = Script.load("mark")

    def export(self, after: str = "") -> Iterator[Part]:
        """Walk through the buckets, each user with all of their sessions."""
        number, _, user_id = after.partition(" ")
        if after and not number.isdecimal():
            raise UnknownPlaceError

        def export(bucket: Bucket) -> Run:
            prefixes = [bucket.indexes, bucket.sessions, bucket.cut_offs]
            return Run(self._export, bucket, [bucket.holders, bucket.mark], [PART, *prefixes])

        for bucket, last, (mark, *users) in walk(self._cluster, export, first=int(number or 0), after=user_id):
            yield _part_of(f"{bucket.number} {last}", mark, users)
        if after != _LAST:
            yield from self._everybody()

    def _everybody(self) -> Iterator[Part]:
        """Give everybody's cut-off, which each bucket has."""
        bucket = Bucket(0)
        keys = ["{0}", "{0}", bucket.everybody, bucket.mark, bucket.fence]
        _, _, everybody, _ = self._cluster.run(Run(self._get, bucket, keys))
        if everybody is not None:
            yield Part(place=_LAST, cut_offs={EVERYBODY: CutOff(ended_at=int(everybody))})

    def adopt(self, session: Session) -> None:
        """Add the hash, or those of its fields that are not there, and the further step."""
        token, step = session.token, step_of(session.token, session.parent_generation)
        place = Place.of(token)
        keys = [*place.keys_of_new, place.bucket.mark, place.bucket.fence]
        numbers = [session.kept_until, token.generation, len(step)]
        self._cluster.run(Run(self._adopt, place.bucket, keys, [*naming(token), *numbers, *step, *fields_of(session)]))

    def adopt_cut_off(self, user_id: str, cut_off: CutOff) -> None:
        """Add the cut-off, or join it with the one that is there. Everybody's is one of every bucket."""
        if user_id == EVERYBODY:
            self._mark_each(lambda bucket: bucket.everybody, cut_off.ended_at)
            return
        place = Place(user_id)
        keys = [place.cut_off, place.index, place.bucket.holders]
        arguments: list[Value] = [user_id, cut_off.ended_at, cut_off.spared or ""]
        self._cluster.run(Run(self._adopt_cut_off, place.bucket, keys, arguments))

    def adopt_purge(self, until: int) -> None:
        """Write the mark of every bucket."""
        self._mark_each(lambda bucket: bucket.mark, until)

    def _mark_each(self, key: Callable[[Bucket], str], until: int) -> None:
        def mark(bucket: Bucket) -> Run:
            return Run(self._mark, bucket, [key(bucket), bucket.fence], [until])

        for _ in in_each_bucket(self._cluster, mark, confirm=True):
            pass


def _part_of(place: str, mark: bytes | None, users: list[Any]) -> Part:
    sessions, cut_offs = list[Session](), dict[str, CutOff]()
    for name, cut_off, found in users:
        user_id = name.decode()
        sessions += (
            session_of(user_id, id_.decode(), row) for id_, row in zip(found[::2], found[1::2], strict=True) if row
        )
        if (joined := cut_off_of(*cut_off)) is not None:
            cut_offs[user_id] = joined
    return Part(place=place, sessions=sessions, cut_offs=cut_offs, purged_until=None if mark is None else int(mark))
