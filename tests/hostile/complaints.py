"""What there is to complain of in whoever reads untrusted texts."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from tests.hostile.audit import watched
from tests.hostile.headers import Named

Complaint: TypeAlias = tuple[str, str]
_FILLER = 20_000
"""From how many characters on a text has its filler, which repeats itself, between its two ends."""


def complaints(
    read: Callable[[str], object], cases: Iterable[Named], *refusals: type[Exception]
) -> Iterator[Complaint]:
    """Yield each text that `read` does not refuse, or refuses by another error or with an effect on the world."""
    for name, text in cases:
        with watched() as seen:
            try:
                read(text)
            except refusals as error:
                trouble = "tells the text" if shared_text(repr(error.args), text) else ""
            except Exception as error:  # noqa: BLE001  whatever else it is, it is the finding
                trouble = type(error).__name__
            else:
                trouble = "accepted"
        if trouble or seen:
            yield name, trouble or seen[0]


def shared_text(said: str, text: str, length: int = 16) -> str | None:
    """Return the first `length` characters that both have in a row."""
    if len(text) > _FILLER:
        text = text[: _FILLER // 2] + text[-_FILLER // 2 :]
    windows = (said[begin : begin + length] for begin in range(len(said) - length + 1))
    return next((window for window in windows if window in text), None)
