"""How all that a cluster holds is walked through, some users at a time, so that no server is held up for long."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from infrastructure.redis.cluster import Cluster, Run
from infrastructure.redis.keys import BUCKETS, Bucket

PART = 100
"""How many sessions a script looks at, roughly: a user's are looked at together."""
_AT_ONCE = 32
"""Buckets that are begun together. Most are small, and a cluster that is far away is asked as seldom as that allows."""


def in_each_bucket(
    cluster: Cluster, make: Callable[[Bucket], Run], *, first: int = 0, confirm: bool = False
) -> Iterator[tuple[Run, Any]]:
    """Run a script in every bucket from a number on, and yield what was run, and its answer."""
    for number in range(first, BUCKETS, _AT_ONCE):
        runs = [make(Bucket(each)) for each in range(number, min(number + _AT_ONCE, BUCKETS))]
        yield from zip(runs, cluster.run_many(runs, confirm=confirm), strict=True)


def walk(
    cluster: Cluster, make: Callable[[Bucket], Run], *, first: int = 0, after: str = ""
) -> Iterator[tuple[Bucket, str, list[Any]]]:
    """Run a script on some of a bucket's users after the others, bucket after bucket, from a place on.

    The script answers the last user whom it has looked at, or nothing, and more; its first argument is where to go on.
    Yields the bucket, that user, and the rest of the answer.
    """
    place = f"({after}" if after else "-"
    for run, answer in in_each_bucket(
        cluster, lambda bucket: _from_place(make(bucket), place if bucket.number == first else "-"), first=first
    ):
        last, *rest = answer
        while last is not None:
            user_id = last.decode()
            yield run.bucket, user_id, rest
            last, *rest = cluster.run(_from_place(make(run.bucket), f"({user_id}"), confirm=False)


def _from_place(run: Run, place: str) -> Run:
    return replace(run, arguments=(place, *run.arguments))
