"""The invariants hold, and every check can fail: each broken variant is found by the check that is meant for it."""

from collections.abc import Callable, Iterator

import pytest

from domain.model.errors import NuovoError
from domain.model.sessions import SessionPolicy
from tests.fakes.sessions import FakeSessions
from tests.figures import Figures
from tests.simulation import broken, checks
from tests.simulation.conftest import STRESS
from tests.simulation.interleavings import Explorer, World, stolen_worlds
from tests.simulation.lifecycles import Lifecycles

Check = Callable[[checks.NewStore], int]

POLICIES = {
    "grace and recovery": SessionPolicy(),
    "grace alone": SessionPolicy(lost_answer_recovery=0),
    "recovery alone": SessionPolicy(replay_grace=0),
    "neither": SessionPolicy(replay_grace=0, lost_answer_recovery=0),
    "an odd grace": SessionPolicy(replay_grace=15),
}
CHECKS: list[Check] = [
    checks.tabs,
    checks.thieves,
    checks.one_second,
    checks.clock_set_back,
    checks.apart,
    checks.purge,
    checks.healed,
    checks.purged,
    checks.lost_row,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_invariant(check: Check, figures: Figures) -> None:
    figures.add(f"check: {check.__name__.replace('_', ' ')}", f"{check(FakeSessions):,}")


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_client_and_thief_are_never_both_served_again_after_they_part(
    policy: SessionPolicy, figures: Figures, request: pytest.FixtureRequest
) -> None:
    """Any token stolen, whoever goes first, in every order of waits and words; each answer as the history wants it."""
    explorer = Explorer(policy, FakeSessions())
    steps = 6 if STRESS else 3
    layers = list(explorer.explore(stolen_worlds(explorer, 2), steps))
    figures.add(
        f"interleavings of client and thief, {steps} steps, {request.node.callspec.id}",
        f"{layers[-1].interleavings:,} in {sum(layer.states for layer in layers):,} states",
    )
    assert len(layers) == steps


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_client_alone_is_refused_only_for_what_no_promise_covers(
    policy: SessionPolicy, figures: Figures, request: pytest.FixtureRequest
) -> None:
    """Newest and older tokens, lost answers, waits: served within the grace and the recovery, whatever came before."""
    explorer = _Faithful(policy, FakeSessions())
    layers = list(explorer.explore(_alone(explorer), 8 if STRESS else 5))
    figures.add(
        f"orders of a client alone, {len(layers)} steps, {request.node.callspec.id}", f"{layers[-1].interleavings:,}"
    )
    assert layers[-1].states > 1


def test_what_is_over_stays_over(figures: Figures) -> None:
    """Logouts, purges, clocks, policies and lost rotations in every order: nothing brings an ended session back."""
    events = 5 if STRESS else 4
    lifecycles = Lifecycles(FakeSessions())
    lifecycles.run(events)
    figures.add(f"orders of {events} events round the end of a session", f"{lifecycles.states:,} states")


@pytest.mark.parametrize(
    ("variant", "check"),
    [
        (broken.TakesAnyGeneration, checks.interleavings),
        (broken.TakesAnyGeneration, checks.one_second),
        (broken.GivesOneGenerationTwice, checks.interleavings),
        (broken.GivesOneGenerationTwice, checks.thieves),
        (broken.LosesItsMarks, checks.interleavings),
        (broken.LosesItsMarks, checks.tabs),
        (broken.KeepsOneMark, checks.interleavings),
        (broken.MovesItsMarksAlways, checks.interleavings),
        (broken.MovesItsMarksAlways, checks.tabs),
        (broken.MarksTheWrongGeneration, checks.interleavings),
        (broken.MarksTheWrongGeneration, checks.tabs),
        (broken.RevokesNothing, checks.interleavings),
        (broken.RevokesNothing, checks.lifecycles),
        (broken.RevokesNothing, checks.clock_set_back),
        (broken.RevokesTheWholeUser, checks.apart),
        (broken.HealsTheRevoked, checks.lifecycles),
        (broken.ForgetsRevocationsOnPurge, checks.lifecycles),
        (broken.ForgetsRevocationsOnPurge, checks.purge),
        (broken.LeavesNoPurgeMark, checks.lifecycles),
        (broken.ForgetsCutOffsOnPurge, checks.lifecycles),
        (broken.EndsOnlyThePast, checks.lifecycles),
        (broken.LeavesNoPurgeMark, checks.purged),
        (broken.KeepsHealedRowsTooShort, checks.healed),
        (broken.LeavesNoTombstone, checks.lost_row),
        (broken.ExtendsTheGrace, checks.interleavings),
        (broken.ExtendsTheGrace, checks.one_second),
        (broken.NeverRefuses, checks.interleavings),
        (broken.NeverRefuses, checks.thieves),
        (broken.RefusesWithoutEnding, checks.interleavings),
        (broken.SharesLate, checks.interleavings),
        (broken.RecoversForEver, checks.interleavings),
        (broken.RecoversForEver, checks.one_second),
        (broken.RecoversNothing, checks.interleavings),
        (broken.RecoversNothing, checks.tabs),
        (broken.GraceOutlivesRevocation, checks.lifecycles),
        (broken.ComparesTimesOfIssue, checks.one_second),
        (broken.ClockStretchesGrace, checks.clock_set_back),
    ],
)
def test_each_broken_variant_is_caught(variant: checks.NewStore, check: Check) -> None:
    with pytest.raises((AssertionError, NuovoError)):
        check(variant)


def test_every_variant_and_every_check_is_used(request: pytest.FixtureRequest) -> None:
    """No variant that nobody catches, no check that catches nobody."""
    marker = test_each_broken_variant_is_caught.pytestmark[0]  # type: ignore[attr-defined]
    used = {value for pair in marker.args[1] for value in pair}
    variants = {
        value
        for value in vars(broken).values()
        if isinstance(value, type) and issubclass(value, FakeSessions) and value is not FakeSessions
    }
    assert used >= {*variants, *CHECKS, checks.interleavings, checks.lifecycles}


class _Faithful(Explorer):
    """Nobody but the client speaks: it is refused only for what no promise covers."""

    def say(self, world: World, who: str, generation: int, wait: int, *, lost: bool = False) -> World:
        after = super().say(world, who, generation, wait, lost=lost)
        if after.history.dead and not world.history.dead:
            grace, recovery = self.policy.replay_grace, self.policy.lost_answer_recovery
            promised = recovery if generation == world.honest.newest else grace - grace // 2
            assert after.now - world.history.superseded_at(generation) > promised, after.trace
        return after


def _alone(explorer: Explorer) -> Iterator[World]:
    yield explorer.start()
