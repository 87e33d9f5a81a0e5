"""Sessions in a Redis Cluster: a hash each, one script on one server per call."""

from collections.abc import Iterator

import orjson

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Rotation, Session
from domain.model.tokens import MAX_SESSION_TTL, RefreshToken
from infrastructure.redis.cluster import Cluster, Run
from infrastructure.redis.connections import Value
from infrastructure.redis.keys import Bucket, Place
from infrastructure.redis.rows import cut_off_of, fields_of, naming, session_of, step_of
from infrastructure.redis.scripts import Script
from infrastructure.redis.walks import PART, in_each_bucket, walk
from ports.sessions import Page, Sessions

_NEWER_THAN_ALL = (2**62, "")


class RedisSessions(Sessions):
    """Sessions on the Redis Cluster protocol. What a method has returned is confirmed by the replicas asked for."""

    def __init__(self, cluster: Cluster) -> None:
        """Take a cluster; nothing is connected yet."""
        self._cluster = cluster
        self._start = Script.load("start")
        self._rotate = Script.load("rotate")
        self._restore = Script.load("restore")
        self._get = Script.load("get")
        self._end = Script.load("end")
        self._end_all = Script.load("end_all")
        self._list_live = Script.load("list_live")
        self._owner_of = Script.load("owner_of")
        self._mark = Script.load("mark")
        self._purge = Script.load("purge")

    def start(self, session: Session) -> None:
        """Add the hash, and the session to its user's list."""
        place = Place.of(session.token)
        keys = [*place.keys_of_new, place.bucket.fence]
        self._cluster.run(Run(self._start, place.bucket, keys, [*naming(session.token), *fields_of(session)]))

    def rotate(self, rotation: Rotation, *, of_built_in_user: bool = False) -> Claims | None:
        """Change the hash that holds the replaced generation; add one only where there is none.

        `of_built_in_user` takes the step only for a user of the built-in ones who is active.
        """
        place = Place.of(rotation.successor)
        if rotation.replaces is None:
            return self._bring_back(rotation, place)
        keys = [place.session, place.cut_off, place.bucket.everybody]
        if of_built_in_user:
            keys.append(place.bucket.users)
        claims = self._cluster.run(
            Run(self._rotate, place.bucket, keys, _conditions_and_step(rotation, rotation.replaces))
        )
        return None if claims is None else orjson.loads(claims)

    def get(self, user_id: str, session_id: str) -> Standing:
        """Read hash, cut-offs and purge mark by one script, and be sure that nobody knows better."""
        place = Place(user_id, session_id)
        bucket = place.bucket
        keys = [place.session, place.cut_off, bucket.everybody, bucket.mark, bucket.fence]
        row, cut_off, everybody, mark = self._cluster.run(Run(self._get, place.bucket, keys))
        return Standing(
            session=session_of(user_id, session_id, row) if row else None,
            cut_off=cut_off_of(*cut_off),
            purged_until=None if mark is None else int(mark),
            everybody_cut_off=None if everybody is None else int(everybody),
        )

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """Mark the hash revoked, or add a revoked one where there is none."""
        place = Place.of(token)
        tombstone = Session.recalled(token).revoked(at=at, reason=reason)
        keys = [place.session, place.bucket.fence, place.index, place.bucket.holders]
        arguments: list[Value] = [at, reason.value, *naming(token), *fields_of(tombstone)]
        return bool(self._cluster.run(Run(self._end, place.bucket, keys, arguments)))

    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        """Mark the hash revoked."""
        place = Place(user_id, session_id)
        keys = [place.session, place.bucket.fence]
        return bool(self._cluster.run(Run(self._end, place.bucket, keys, [at, reason.value])))

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        """Move the user's cut-off forward, past every session in the user's list."""
        place = Place(user_id)
        keys = [place.cut_off, place.index, place.bucket.holders, place.bucket.everybody]
        arguments: list[Value] = [user_id, at, spare or "", place.sessions]
        return int(self._cluster.run(Run(self._end_all, place.bucket, keys, arguments)))

    def end_everybody(self, *, started_by: int, at: int) -> None:
        """Write the cut-off into every bucket. Whoever is told nothing may do it again: some buckets may have it."""

        def mark(bucket: Bucket) -> Run:
            return Run(self._mark, bucket, [bucket.everybody, bucket.fence], [started_by])

        for _ in in_each_bucket(self._cluster, mark, confirm=True):
            pass

    def list_live(self, user_id: str, page: Page, *, now: int) -> list[Session]:
        """Read on in the user's list. Nothing is decided by it, so it is not confirmed."""
        place = Place(user_id)
        keys = [place.index, place.cut_off, place.bucket.everybody]
        arguments: list[Value] = [place.sessions, now, *(page.after or _NEWER_THAN_ALL), page.limit]
        found = self._cluster.run(Run(self._list_live, place.bucket, keys, arguments), confirm=False)
        return [session_of(user_id, id_.decode(), row) for id_, row in zip(found[::2], found[1::2], strict=True)]

    def owner_of(self, session_id: str) -> str | None:
        """Look through all users of all buckets."""

        def look(bucket: Bucket) -> Run:
            return Run(self._owner_of, bucket, [bucket.holders], [PART, bucket.indexes, session_id])

        return next((user_id for _, user_id, is_theirs in walk(self._cluster, look) if is_theirs), None)

    def purge(self, *, until: int) -> Iterator[int]:
        """Walk through the buckets, some hundred sessions at a time, so that no server is held up for long."""

        def mark(bucket: Bucket) -> Run:
            return Run(self._mark, bucket, [bucket.mark, bucket.fence], [until])

        def purge(bucket: Bucket) -> Run:
            prefixes = [bucket.indexes, bucket.sessions, bucket.cut_offs]
            return Run(
                self._purge,
                bucket,
                [bucket.holders, bucket.everybody],
                [PART, *prefixes, until, until - MAX_SESSION_TTL],
            )

        # All marks are confirmed before the first session goes: what is forgotten must never count as new.
        for _ in in_each_bucket(self._cluster, mark, confirm=True):
            pass
        for _, _, (removed,) in walk(self._cluster, purge):
            yield removed

    def _bring_back(self, rotation: Rotation, place: Place) -> Claims | None:
        restored = Session.recalled(rotation.successor).rotated(rotation)
        keys = [*place.keys_of_new, place.cut_off, place.bucket.everybody, place.bucket.mark]
        arguments = [*naming(rotation.successor), rotation.presented.expires_at, *fields_of(restored)]
        return restored.claims if self._cluster.run(Run(self._restore, place.bucket, keys, arguments)) else None


def _conditions_and_step(rotation: Rotation, replaces: int) -> list[Value]:
    """Return what `rotate.lua` is given."""
    token, young = rotation.successor, rotation.unless_rotated_in
    step = step_of(token, rotation.parent_generation)
    held_key = rotation.held_key or ""
    return [*naming(token), replaces, young.start, young.stop, rotation.kept_until, held_key, *step]
