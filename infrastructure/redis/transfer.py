"""Sessions in a Redis Cluster, as something to move from and to."""

from collections.abc import Iterator
from typing import Any

from domain.model.errors import UnknownPlaceError
from domain.model.sessions import CutOff, Session
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import BUCKETS, Bucket, Place
from infrastructure.redis.rows import cut_off_of, fields_of, naming, session_of, step_of
from infrastructure.redis.scripts import Script
from infrastructure.redis.walks import walk
from ports.transfer import Part, Transfer


class RedisTransfer(Transfer):
    """Bucket after bucket, user after user. A place is a bucket's number and a user."""

    def __init__(self, cluster: Cluster) -> None:
        """Take a cluster; nothing is connected yet."""
        self._cluster = cluster
        self._export = Script.load("export")
        self._adopt = Script.load("adopt")
        self._adopt_cut_off = Script.load("adopt_cut_off")
        self._mark = Script.load("mark")

    def export(self, after: str = "") -> Iterator[Part]:
        """Walk through the buckets, each user with all of their sessions."""
        number, _, user_id = after.partition(" ")
        if after and not number.isdecimal():
            raise UnknownPlaceError
        first = int(number or 0)
        for bucket in map(Bucket, range(first, BUCKETS)):
            prefixes = [bucket.indexes, bucket.sessions, bucket.cut_offs]
            from_user = user_id if bucket.number == first else ""
            for last, (mark, *users) in walk(
                self._cluster, self._export, bucket, prefixes, keys=[bucket.mark], after=from_user
            ):
                yield _part_of(f"{bucket.number} {last}", mark, users)

    def adopt(self, session: Session) -> None:
        """Add the hash, or those of its fields that are not there, and the further step."""
        token, step = session.token, step_of(session.token, session.parent_generation)
        place = Place(token.user_id, token.session_id)
        self._cluster.run(
            self._adopt,
            place.bucket,
            [*place.keys_of_new, place.bucket.mark, place.bucket.fence],
            [*naming(token), session.kept_until, token.generation, len(step), *step, *fields_of(session)],
        )

    def adopt_cut_off(self, user_id: str, cut_off: CutOff) -> None:
        """Add the cut-off, or join it with the one that is there."""
        place = Place(user_id)
        self._cluster.run(
            self._adopt_cut_off,
            place.bucket,
            [place.cut_off, place.index, place.bucket.holders],
            [user_id, cut_off.ended_at, cut_off.spared or ""],
        )

    def adopt_purge(self, until: int) -> None:
        """Write the mark of every bucket."""
        for bucket in map(Bucket, range(BUCKETS)):
            self._cluster.run(self._mark, bucket, [bucket.mark, bucket.fence], [until])


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
