"""How all users of a bucket are walked through, some at a time, so that no server is held up for long."""

from collections.abc import Iterator, Sequence
from typing import Any

from infrastructure.redis.cluster import Cluster, Value
from infrastructure.redis.keys import Bucket
from infrastructure.redis.scripts import Script

BATCH = 500
"""How many sessions a script looks at, roughly: a user's are looked at together."""
_FROM_THE_FIRST = "-"


def walk(
    cluster: Cluster,
    script: Script,
    bucket: Bucket,
    before: Sequence[Value],
    after_it: Sequence[Value] = (),
    *,
    keys: Sequence[str] = (),
    after: str = "",
) -> Iterator[tuple[str, list[Any]]]:
    """Run a script on some users after the others, and yield who was last, and what it answers beside.

    It is given the bucket's holders and `keys`, and the arguments `before`, where to go on, how many, and `after_it`.
    """
    place = f"({after}" if after else _FROM_THE_FIRST
    while True:
        arguments = [*before, place, BATCH, *after_it]
        last, *answer = cluster.run(script, bucket, [bucket.holders, *keys], arguments, confirm=False)
        if last is None:
            return
        yield last.decode(), answer
        place = f"({last.decode()}"
