"""Sessions in a Redis Cluster: a hash each, one script on one server per call."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.sessions import CutOff, RevocationReason, Rotation, Session
from domain.model.tokens import MAX_SESSION_TTL, RefreshToken
from infrastructure.redis.cluster import Cluster, Value
from infrastructure.redis.keys import BUCKETS, Bucket
from infrastructure.redis.rows import fields_of, session_of
from infrastructure.redis.scripts import Script
from ports.sessions import Page, Sessions

_BATCH = 500
_NEWER_THAN_ALL = (2**62, "")
_FROM_THE_FIRST = "-"


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
        place = _Place(session.token.user_id, session.token.session_id)
        self._cluster.run(
            self._start,
            place.bucket,
            [*place.keys_of_new, place.bucket.fence],
            [*_naming(session), *fields_of(session)],
        )

    def rotate(self, rotation: Rotation, *, of_built_in_user: bool = False) -> Claims | None:
        """Change the hash that holds the replaced generation; add one only where there is none.

        `of_built_in_user` takes the step only for a user of the built-in ones who is active.
        """
        place = _Place(rotation.successor.user_id, rotation.successor.session_id)
        if rotation.replaces is None:
            return self._bring_back(rotation, place)
        keys = [place.session, place.cut_off]
        if of_built_in_user:
            keys.append(place.bucket.users)
        claims = self._cluster.run(self._rotate, place.bucket, keys, _step_of(rotation, rotation.replaces))
        return None if claims is None else orjson.loads(claims)

    def get(self, user_id: str, session_id: str) -> Standing:
        """Read the hash, the user's cut-off and the purge mark by one script, and be sure that nobody knows better."""
        place = _Place(user_id, session_id)
        bucket = place.bucket
        row, cut_off, mark = self._cluster.run(
            self._get, bucket, [place.session, place.cut_off, bucket.mark, bucket.fence], []
        )
        return Standing(
            session=session_of(user_id, session_id, row) if row else None,
            cut_off=_cut_off_of(*cut_off),
            purged_until=None if mark is None else int(mark),
        )

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """Mark the hash revoked, or add a revoked one where there is none."""
        place = _Place(token.user_id, token.session_id)
        tombstone = Session.recalled(token).revoked(at=at, reason=reason)
        return self._was_ended(
            place,
            [place.session, place.bucket.fence, *place.keys_of_new[1:]],
            [at, reason.value, *_naming(tombstone), *fields_of(tombstone)],
        )

    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        """Mark the hash revoked."""
        place = _Place(user_id, session_id)
        return self._was_ended(place, [place.session, place.bucket.fence], [at, reason.value])

    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        """Move the user's cut-off forward, past every session in the user's list."""
        place = _Place(user_id)
        keys = [place.cut_off, place.index, place.bucket.holders]
        return int(self._cluster.run(self._end_all, place.bucket, keys, [user_id, at, spare or "", place.sessions]))

    def list_live(self, user_id: str, page: Page, *, now: int) -> list[Session]:
        """Read on in the user's list. Nothing is decided by it, so it is not confirmed."""
        place = _Place(user_id)
        found = self._cluster.run(
            self._list_live,
            place.bucket,
            [place.index, place.cut_off],
            [place.sessions, now, *(page.after or _NEWER_THAN_ALL), page.limit],
            confirm=False,
        )
        return [session_of(user_id, id_.decode(), row) for id_, row in zip(found[::2], found[1::2], strict=True)]

    def owner_of(self, session_id: str) -> str | None:
        """Look through all users of all buckets."""
        for bucket in map(Bucket, range(BUCKETS)):
            for page in self._pages(bucket, self._owner_of, [bucket.indexes, session_id], []):
                if len(page) > 1:
                    return str(page[1].decode())
        return None

    def purge(self, *, until: int) -> Iterator[int]:
        """Walk through the buckets, some hundred sessions at a time, so that no server is held up for long."""
        # All marks are confirmed before the first session goes: what is forgotten must never count as new.
        for bucket in map(Bucket, range(BUCKETS)):
            self._cluster.run(self._mark, bucket, [bucket.mark, bucket.fence], [until])
        for bucket in map(Bucket, range(BUCKETS)):
            prefixes = [bucket.indexes, bucket.sessions, bucket.cut_offs]
            for _, removed in self._pages(bucket, self._purge, prefixes, [until, until - MAX_SESSION_TTL]):
                yield removed

    def _bring_back(self, rotation: Rotation, place: "_Place") -> Claims | None:
        restored = Session.recalled(rotation.successor).rotated(rotation)
        was_restored = self._cluster.run(
            self._restore,
            place.bucket,
            [*place.keys_of_new, place.cut_off, place.bucket.mark],
            [*_naming(restored), rotation.presented.expires_at, *fields_of(restored)],
        )
        return restored.claims if was_restored else None

    def _was_ended(self, place: "_Place", keys: Sequence[str], arguments: Sequence[Value]) -> bool:
        return bool(self._cluster.run(self._end, place.bucket, keys, arguments))

    def _pages(
        self, bucket: Bucket, script: Script, before: Sequence[Value], after: Sequence[Value]
    ) -> Iterator[list[Any]]:
        """Run a script on some of a bucket's users after the others. It answers the last one whom it has looked at."""
        place = _FROM_THE_FIRST
        while True:
            page = self._cluster.run(script, bucket, [bucket.holders], [*before, place, _BATCH, *after], confirm=False)
            if not page or page[0] is None:
                return
            yield page
            place = f"({page[0].decode()}"


class _Place:
    """The keys of a user, and of one session."""

    __slots__ = ("bucket", "cut_off", "index", "session", "sessions")

    def __init__(self, user_id: str, session_id: str = "") -> None:
        self.bucket = Bucket.of(user_id)
        self.sessions = f"{self.bucket.sessions}{user_id}:"
        self.session = self.sessions + session_id
        self.index = self.bucket.indexes + user_id
        self.cut_off = self.bucket.cut_offs + user_id

    @property
    def keys_of_new(self) -> list[str]:
        """Where a session is written that is added."""
        return [self.session, self.index, self.bucket.holders]


def _naming(session: Session) -> tuple[str, str, int]:
    token = session.token
    return token.user_id, token.session_id, token.started_at


def _step_of(rotation: Rotation, replaces: int) -> list[Value]:
    """Return what `rotate.lua` is given."""
    token, young = rotation.successor, rotation.unless_rotated_in
    step: dict[str, Value] = {
        "generation": token.generation,
        "parent_generation": rotation.parent_generation,
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    }
    return [
        token.user_id,
        token.session_id,
        token.started_at,
        replaces,
        young.start,
        young.stop,
        rotation.kept_until,
        *(part for pair in step.items() for part in pair),
    ]


def _cut_off_of(ended_at: bytes | None, spared: bytes | None) -> CutOff | None:
    if ended_at is None:
        return None
    return CutOff(ended_at=int(ended_at), spared=None if spared is None else spared.decode())
