"""A hostile token costs no more than an ordinary refusal.

Counted in function calls, which is exact and the same on every machine; and in time, by the best of many tries and
with a wide bound, which catches what is slow inside a single call.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError
from ports.token_codec import TokenCodec
from tests.hostile.catalogue import GROUPS, tokens
from tests.hostile.forge import ACCESS, REFRESH, Kind, strict_codec
from tests.wrong.readers import ByTheBook, HasNoLimit

KINDS = pytest.mark.parametrize("kind", [REFRESH, ACCESS], ids=lambda kind: kind.name)
TRIES = 15
SLOWER = 25
"""How many times as long as an ordinary refusal is too long. A search through a megabyte takes a hundred times."""


def reader(codec: TokenCodec, kind: Kind) -> Callable[[str], None]:
    read: Callable[[str], object] = codec.read_refresh_token if kind is REFRESH else codec.read_access_token

    def refused(text: str) -> None:
        with suppress(InvalidRefreshTokenError, InvalidAccessTokenError):
            read(text)

    return refused


def calls(work: Callable[[str], None], text: str) -> int:
    """Return how many functions `work` calls, those of C included."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work(text)
    finally:
        sys.setprofile(before)
    return count


def seconds(work: Callable[[str], None], text: str) -> float:
    """Return the shortest of several times."""
    best = float("inf")
    for _ in range(TRIES):
        begun = time.perf_counter()
        work(text)
        best = min(best, time.perf_counter() - begun)
    return best


def ordinary(kind: Kind) -> list[str]:
    """Return tokens that are refused every day: of another service, and of this one but meant for something else."""
    return [kind.honest[:-2] + "AA", kind.saying(type="other"), kind.without("exp")]


def too_slow(codec: TokenCodec, kind: Kind, group: str) -> list[tuple[str, float]]:
    work = reader(codec, kind)
    bound = SLOWER * max(seconds(work, text) for text in ordinary(kind))
    slow = [(name, seconds(work, text)) for name, text in tokens(kind, group)]
    return [(name, spent) for name, spent in slow if spent > bound]


@KINDS
@pytest.mark.parametrize("group", GROUPS)
def test_no_token_makes_more_calls(kind: Kind, group: str) -> None:
    """The yardstick is an honest token of another type, which is read to its end and then refused."""
    work = reader(strict_codec(), kind)
    most = max(calls(work, text) for text in [*ordinary(kind), kind.honest])
    assert [(name, n) for name, text in tokens(kind, group) if (n := calls(work, text)) > most + 8] == []


@KINDS
@pytest.mark.parametrize("group", GROUPS)
def test_no_token_takes_longer(kind: Kind, group: str) -> None:
    assert too_slow(strict_codec(), kind, group) == []


def test_a_reader_without_a_limit_is_caught() -> None:
    assert too_slow(HasNoLimit(), REFRESH, "sizes")
    assert too_slow(ByTheBook(), REFRESH, "sizes") == []
