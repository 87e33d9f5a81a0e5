"""What every clock promises."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from infrastructure.clock import SystemClock
from ports.clock import Clock
from tests.fakes.clock import START, FakeClock

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("make", [FakeClock, SystemClock])
def test_the_time_is_in_whole_seconds_since_the_epoch(make: Callable[[], Clock]) -> None:
    now = make().now()

    assert type(now) is int
    assert now > datetime(2025, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("instant", "seconds"),
    [
        (NOON, 1_906_545_600),
        (NOON + timedelta(microseconds=999_999), 1_906_545_600),
        (NOON + timedelta(seconds=1), 1_906_545_601),
        (NOON.astimezone(), 1_906_545_600),
    ],
)
def test_a_second_counts_until_it_is_over_wherever_the_machine_is(instant: datetime, seconds: int) -> None:
    with freeze_time(instant, tz_offset=-5):
        assert SystemClock().now() == seconds


def test_a_clock_that_is_set_back_says_so() -> None:
    fake, system = FakeClock(), SystemClock()
    fake.advance(-3600)
    with freeze_time(NOON) as frozen:
        frozen.move_to(NOON - timedelta(hours=1))

        assert system.now() == 1_906_545_600 - 3600
    assert fake.now() == START - 3600
