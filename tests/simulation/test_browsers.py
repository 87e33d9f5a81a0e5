"""Honest browsers, and thieves beside them, under this service's rule and under those of others.

`NUOVO_TEST_STRESS=1` runs the full number of sessions.
"""

import pytest

from tests.figures import Figures
from tests.simulation.browsers import AWFUL, IN_ORDER, OVERTAKING, Weather
from tests.simulation.campaign import Plunder, Tally, honest, on_all_cores, stolen
from tests.simulation.conftest import STRESS
from tests.simulation.rules import GRACES, RULES

WAKE_UPS = 200
SESSIONS = 4_000 if STRESS else 100
OTHERS = sorted(set(RULES) - {"nuovo"})
WEATHERS = {"in order": IN_ORDER, "overtaking": OVERTAKING, "awful": AWFUL}


def simulate(rule: str, weather: Weather, sessions: int = SESSIONS) -> Tally:
    if STRESS:
        return sum(on_all_cores(honest, rule, sessions, WAKE_UPS, weather), Tally())
    return honest(rule, range(sessions), WAKE_UPS, weather)


def rob(rule: str, weather: Weather, sessions: int = SESSIONS) -> Plunder:
    if STRESS:
        return sum(on_all_cores(stolen, rule, sessions, WAKE_UPS // 4, weather), Plunder())
    return stolen(rule, range(sessions), WAKE_UPS // 4, weather)


@pytest.mark.parametrize(("weather", "at_most"), [("in order", 0), ("overtaking", 0), ("awful", 1)])
def test_hardly_an_honest_session_is_ever_killed(weather: str, at_most: int, figures: Figures) -> None:
    """Tabs on one jar, slow and lost answers, reloads, retries from 2 s to the next morning: nobody is logged out.

    In awful weather, where journeys take up to twice the grace, one session in a thousand may be.
    """
    tally = simulate("nuovo", WEATHERS[weather])
    figures.add(f"honest browsers, {weather}: nuovo", tally)
    assert tally.killed * 1_000 <= at_most * tally.sessions + (at_most and 1_000)
    assert tally.killed or tally.wake_ups == tally.sessions * WAKE_UPS


@pytest.mark.parametrize("weather", WEATHERS)
def test_every_thief_is_caught_once_both_have_spoken_again(weather: str, figures: Figures) -> None:
    """No thief and client are both served again, a grace after they parted: whoever comes second ends the session."""
    plunder = rob("nuovo", WEATHERS[weather])
    figures.add(f"thieves, {weather}: nuovo", plunder)
    assert plunder.ends["escaped"] == 0
    assert plunder.ends["caught"] > plunder.ends.total() / 2


@pytest.mark.stress
@pytest.mark.parametrize("rule", OTHERS)
def test_the_rules_of_others_kill_honest_sessions_or_let_thieves_escape(rule: str, figures: Figures) -> None:
    """The same browsers and thieves tell the rules apart, so what they do not find in ours is not there."""
    found = 0
    for name, weather in WEATHERS.items():
        tally, plunder = simulate(rule, weather, SESSIONS // 4), rob(rule, weather, SESSIONS // 4)
        figures.add(f"honest browsers, {name}: {rule}", tally)
        figures.add(f"thieves, {name}: {rule}", plunder)
        found += tally.killed + plunder.ends["escaped"]
    assert found


@pytest.mark.stress
@pytest.mark.parametrize("rule", GRACES)
def test_a_grace_that_is_shorter_than_the_journeys(rule: str, figures: Figures) -> None:
    """What it costs, in awful weather, and without a grace in each."""
    for name, weather in WEATHERS.items() if rule.endswith(" 0 s") else [("awful", AWFUL)]:
        figures.add(f"honest browsers, {name}: {rule}", simulate(rule, weather, SESSIONS // 4))
