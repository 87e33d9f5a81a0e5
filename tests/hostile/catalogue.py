"""Every hostile token by name, once for each kind."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.hostile import headers, payloads, shapes
from tests.hostile.forge import Kind
from tests.hostile.headers import Named

GROUPS: dict[str, Callable[[Kind], Iterator[Named]]] = {
    "algorithms": headers.algorithm_cases,
    "keys": headers.key_cases,
    "extensions": headers.extension_cases,
    "parts": shapes.part_cases,
    "alphabets": shapes.alphabet_cases,
    "signatures": shapes.signature_cases,
    "sizes": shapes.size_cases,
    "types of claims": payloads.type_cases,
    "meaning of claims": payloads.meaning_cases,
    "spelling of claims": payloads.spelling_cases,
}
SIGNED_BY_US = ("types of claims", "meaning of claims", "spelling of claims")


@cache
def tokens(kind: Kind, group: str) -> tuple[Named, ...]:
    """Return the group's tokens, names first."""
    return tuple(GROUPS[group](kind))


def every_token(kind: Kind) -> Iterator[Named]:
    """Yield the whole catalogue, names first."""
    for group in GROUPS:
        for name, text in tokens(kind, group):
            yield f"{group}: {name}", text
