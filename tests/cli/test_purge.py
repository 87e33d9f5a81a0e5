"""`nuovo purge --every`: a companion of the service that never ends by itself."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from domain.model.errors import StoreUnavailableError
from tests.cli.conftest import Nuovo
from tests.fakes.service import FakeService


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give the tests' own handlers of signals back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time fly, and remember how long it was waited."""
    spans: list[float] = []

    def wait(event: object, timeout: float) -> None:
        spans.append(timeout)

    monkeypatch.setattr("entrypoints.cli.purge.Event.wait", wait)
    return spans


def term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def in_turn(*purges: Callable[[], list[int]]) -> Callable[[], Iterator[int]]:
    """Return a purge that does these things, one a call, each giving the sizes of its batches."""
    turns = iter(purges)
    return lambda: iter(next(turns)())


def last(*batches: int) -> list[int]:
    term()
    return list(batches)


def test_it_purges_again_and_again_until_it_is_told_to_stop(
    nuovo: Nuovo, service: FakeService, waited: list[float]
) -> None:
    service.purge = in_turn(lambda: [5, 2], list, lambda: last(3))  # type: ignore[assignment]

    result = nuovo("purge", "--every", "1d")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"Removed {count} expired sessions." for count in (7, 0, 3)]
    assert waited[:2] == [86_400, 86_400]


def test_it_stops_between_two_batches(nuovo: Nuovo, service: FakeService, waited: list[float]) -> None:
    service.purge = in_turn(lambda: last(4, 500, 500))  # type: ignore[assignment]
    assert nuovo("purge", "--every", "12h", "--json").stdout == '{"removed":4}\n'


@pytest.mark.parametrize(("every", "pause"), [("1d", 60), ("10", 10)])
def test_a_database_that_is_away_does_not_end_it(
    nuovo: Nuovo, service: FakeService, waited: list[float], every: str, pause: int
) -> None:
    """It is tried again soon, and said in words."""

    def away() -> list[int]:
        raise StoreUnavailableError("the server refuses connections")

    service.purge = in_turn(away, lambda: last(1))  # type: ignore[assignment]

    result = nuovo("purge", "--every", every)

    assert (result.exit_code, result.stdout) == (0, "Removed 1 expired sessions.\n")
    assert result.stderr == (
        f"The database cannot do this: the server refuses connections. Next try in {pause} seconds.\n"
    )
    assert waited[0] == pause


@pytest.mark.parametrize("span", ["", "0", "-1", "1w", "1.5h", "d", "367d", "9" * 40])
def test_it_wants_a_span(nuovo: Nuovo, span: str) -> None:
    result = nuovo("purge", "--every", span)
    assert result.exit_code == 2
    assert "a number of seconds, or one with a unit (15m, 12h, 1d)" in result.stderr


def test_it_sleeps_no_longer_than_it_is_told_to_stop(nuovo: Nuovo, service: FakeService) -> None:
    """With the real clock: a day's sleep ends at once."""

    def soon() -> list[int]:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        return []

    signal.signal(signal.SIGALRM, lambda *_: term())
    service.purge = in_turn(soon)  # type: ignore[assignment]
    assert nuovo("purge", "--every", "1d").exit_code == 0
