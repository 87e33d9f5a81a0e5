"""Honest browsers, and thieves beside them, under this service's rule and under those of others.

`NUOVO_TEST_STRESS=1` runs the full number of sessions.
"""

import pytest

from tests.figures import Figures
from tests.simulation.browsers import Weather
from tests.simulation.campaign import Plunder, Tally, honest, on_all_cores, stolen
from tests.simulation.conftest import STRESS
from tests.simulation.rules import RULES

WAKE_UPS = 200
SESSIONS = 8_000 if STRESS else 200
OTHERS = sorted(set(RULES) - {"nuovo"})
IN_ORDER, OVERTAKING = Weather(), Weather(overtaking=True)


def simulate(rule: str, weather: Weather, sessions: int = SESSIONS) -> Tally:
    if STRESS:
        return sum(on_all_cores(honest, rule, sessions, WAKE_UPS, weather), Tally())
    return honest(rule, range(sessions), WAKE_UPS, weather)


def rob(rule: str, weather: Weather = IN_ORDER, sessions: int = SESSIONS) -> Plunder:
    if STRESS:
        return sum(on_all_cores(stolen, rule, sessions, WAKE_UPS // 4, weather), Plunder())
    return stolen(rule, range(sessions), WAKE_UPS // 4, weather)


def test_no_honest_session_is_ever_killed(figures: Figures) -> None:
    """Tabs on one jar, slow and lost answers, reloads, retries from 2 s to the next morning: nobody is logged out."""
    tally = simulate("nuovo", IN_ORDER)
    figures.add("honest browsers: nuovo", tally)
    assert tally.killed == 0
    assert tally.wake_ups == tally.sessions * WAKE_UPS


@pytest.mark.parametrize("weather", [IN_ORDER, OVERTAKING], ids=["in order", "overtaking"])
def test_every_thief_is_caught_once_both_have_spoken_again(weather: Weather, figures: Figures) -> None:
    """No thief and client are both served again, a grace after they parted: whoever comes second ends the session."""
    plunder = rob("nuovo", weather)
    figures.add(f"thieves: nuovo{', answers that overtake' if weather.overtaking else ''}", plunder)
    assert plunder.ends["escaped"] == 0
    assert plunder.ends["caught"] > plunder.ends.total() / 2


@pytest.mark.stress
@pytest.mark.parametrize("rule", OTHERS)
def test_the_rules_of_others_kill_honest_sessions_or_let_thieves_escape(rule: str, figures: Figures) -> None:
    """The same browsers and thieves tell the rules apart, so what they do not find in ours is not there."""
    tally, plunder = simulate(rule, IN_ORDER), rob(rule)
    figures.add(f"honest browsers: {rule}", tally)
    figures.add(f"thieves: {rule}", plunder)
    assert tally.killed or plunder.ends["escaped"]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_answers_that_overtake_each_other(rule: str, figures: Figures) -> None:
    """A late answer puts an old token back into the jar: each rule is compared by how many sessions that costs."""
    tally = simulate(rule, OVERTAKING, SESSIONS // 4)
    figures.add(f"honest browsers, answers that overtake: {rule}", tally)
    assert tally.sessions == SESSIONS // 4
