"""Browsers that bind their sessions, unbound ones beside them, thieves with one cookie, both, or a key of their own.

`NUOVO_TEST_STRESS=1` runs the full number of sessions.
"""

from dataclasses import replace

import pytest

from domain.model.proofs import DeviceBinding
from domain.model.sessions import SessionPolicy
from tests.figures import Figures
from tests.simulation.bound_browsers import KINDS, Device, Outcome, honest, stolen
from tests.simulation.browsers import AWFUL, IN_ORDER, OVERTAKING, Weather
from tests.simulation.conftest import STRESS

WAKE_UPS = 200
SESSIONS = 1_000 if STRESS else 40
OFFER = SessionPolicy(device_binding=DeviceBinding.OFFER)
POLICIES = {"offer": OFFER, "require": replace(OFFER, device_binding=DeviceBinding.REQUIRE)}
WEATHERS = {"in order": IN_ORDER, "overtaking": OVERTAKING, "awful": AWFUL}


def simulate(policy: SessionPolicy, weather: Weather, device: Device | None = None) -> Outcome:
    return honest(policy, range(SESSIONS), WAKE_UPS, weather, device or Device())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("weather", "at_most"), [("in order", 0), ("overtaking", 0), ("awful", 1)])
def test_hardly_an_honest_session_is_killed_by_its_binding(
    policy: str, weather: str, at_most: int, figures: Figures
) -> None:
    """Presences that end, cannot be renewed or are lost on the way; tabs that were not told: nobody is logged out."""
    outcome = simulate(POLICIES[policy], WEATHERS[weather])
    figures.add(f"browsers that bind, {policy}, {weather}", outcome)
    assert outcome.killed * 1_000 <= at_most * outcome.sessions + (at_most and 1_000)
    assert outcome.locked_out == 0
    assert outcome.bound >= outcome.sessions * (0.7 if policy == "offer" else 0.95)


def test_a_browser_that_forgets_its_key_is_locked_out_and_ends_nothing(figures: Figures) -> None:
    """In one of a thousand renewals; its user signs in again."""
    outcome = simulate(OFFER, OVERTAKING, Device(forgets=0.001))
    figures.add("browsers that bind, offer, one renewal of 1,000 makes them forget their key", outcome)
    assert outcome.locked_out
    assert outcome.killed * 100 <= outcome.sessions


@pytest.mark.parametrize("kind", KINDS)
def test_a_thief_has_at_most_the_presence(kind: str, figures: Figures) -> None:
    """Nobody is served with a bound token after the presence that they stole; nobody binds first and escapes."""
    outcome = stolen(OFFER, kind, range(SESSIONS), WAKE_UPS // 4, OVERTAKING)
    ends = ", ".join(f"{count:,} {end}" for end, count in sorted(outcome.ends.items()))
    figures.add(
        f"thieves with {kind}",
        f"{outcome.sessions:,} thefts: {ends}; served with a bound token {outcome.of_bound:,} times,"
        f" {outcome.too_late:,} of them without a key",
    )
    assert outcome.too_late == 0
    assert outcome.ends.get("escaped", 0) == 0
    assert outcome.ends.get("caught", 0)
    if kind == KINDS[0]:
        assert outcome.of_bound == 0
