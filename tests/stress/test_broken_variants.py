"""The checker is no rubber stamp: it finds every store and every rule that is broken on purpose."""

import pytest

from tests.fakes.sessions import FakeSessions
from tests.figures import Figures
from tests.stress.broken import STORES, ComparesTimes, ForkingCodec
from tests.stress.in_process import play_in_process
from tests.simulation.model import Rules
from tests.stress.stories import EVERY, hurried

_RULES = Rules(grace=4, recovery=60)


def test_the_sound_store_breaks_nothing(figures: Figures) -> None:
    """Every story, six times, in a time that leaps."""
    history, breaches = play_in_process(EVERY, _RULES, sessions=FakeSessions(), rounds=6)
    assert not breaches, "\n".join(map(str, breaches))
    assert len(history) > 1500
    figures.add("history of the use cases in one process", f"{len(history):,} calls: {len(breaches)} breaches")


@pytest.mark.parametrize("broken", STORES, ids=lambda broken: broken.__name__)
def test_every_broken_store_is_found_out(broken: type[FakeSessions], figures: Figures) -> None:
    for _ in range(20):  # some are broken only when two requests meet
        _history, breaches = play_in_process(EVERY, _RULES, sessions=broken(), rounds=1)
        if found := {breach.invariant for breach in breaches} & STORES[broken]:
            break
    assert found, f"{broken.__doc__} {[str(breach) for breach in breaches]}"
    figures.add(f"broken on purpose: {broken.__name__}", f"found out, by invariants {sorted(found)}")


def test_a_rule_that_compares_times_is_found_out(figures: Figures) -> None:
    """Invariant 7: without a grace, what was issued within one second is as stale as anything."""
    rules = Rules(grace=0, recovery=0)
    history, breaches = play_in_process((hurried,), rules, sessions=FakeSessions(), rounds=20)
    assert not breaches, "\n".join(map(str, breaches))
    figures.add("100 quick rotations without a grace, 20 sessions", f"{len(history):,} calls: 0 breaches")
    _history, breaches = play_in_process((hurried,), rules, sessions=ComparesTimes(), rounds=20)
    assert 4 in {breach.invariant for breach in breaches}
    figures.add("broken on purpose: ComparesTimes", "found out, by invariant 4 in one second")


def test_a_forking_codec_is_found_out(figures: Figures) -> None:
    _history, breaches = play_in_process(EVERY, _RULES, sessions=FakeSessions(), tokens=ForkingCodec(), rounds=1)
    assert 1 in {breach.invariant for breach in breaches}
    figures.add("broken on purpose: ForkingCodec", "found out, by invariant 1")
