"""What must hold does, and every check can fail: each wrong rule and store is caught by the checks meant for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from domain.model.errors import NuovoError
from domain.model.sessions import SessionPolicy, rotate
from domain.use_cases import refresh_access_token
from infrastructure.two_places import RotationsInTwoPlaces
from tests.fakes.sessions import FakeSessions
from tests.figures import Figures
from tests.simulation import bindings, checks
from tests.simulation.conftest import STRESS
from tests.simulation.interleavings import Explorer, stolen_worlds
from tests.simulation.lifecycles import Lifecycles
from tests.wrong import rules, stores

ROOT = Path(__file__).parents[2]
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
    checks.bindings,
    checks.lost_bindings,
    checks.races,
    checks.one_second,
    checks.one_grace,
    checks.spans,
    checks.clock_set_back,
    checks.clock_ahead,
    checks.apart,
    checks.spared,
    checks.disabled,
    checks.kept,
    checks.healing,
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
    """Any token stolen, whoever goes first, in every order of waits and words; each answer as the model has it."""
    explorer = Explorer(policy, FakeSessions())
    steps = 6 if STRESS else 3
    layers = list(explorer.explore(stolen_worlds(explorer, 2), steps))
    figures.add(
        f"interleavings of client and thief, {steps} steps, {request.node.callspec.id}",
        f"{layers[-1].interleavings:,} in {sum(layer.states for layer in layers):,} states",
    )
    assert len(layers) == steps


@pytest.mark.parametrize("policy", bindings.POLICIES)
def test_a_bound_session_is_served_for_its_key_alone(policy: str, figures: Figures) -> None:
    """With a thief who has no key, one of their own, or for a while the device's as well, in every order.

    Client and thief are never both served again after they part, whoever binds first; and whoever is refused with a
    token of theirs, later than the grace, ends the session.
    """
    steps = 5 if STRESS else 3
    taken = bindings.robbed(FakeSessions(), steps, policy).taken
    figures.add(f"orders of device and thief that may bind, {steps} steps, {policy}", f"{taken:,}")


def test_a_bound_session_stays_bound_whatever_is_lost(figures: Figures) -> None:
    """Rows that fall back or are lost, settings that change to any other, between any two steps."""
    steps = 5 if STRESS else 3
    taken = bindings.robbed_and_broken(FakeSessions(), steps).taken
    figures.add(f"orders of device and thief that may bind, lost rows, changed settings, {steps} steps", f"{taken:,}")


def test_a_device_alone_loses_its_session_only_as_is_documented(figures: Figures) -> None:
    """Without presence it is told so, and goes on when it proves its key."""
    steps = 6 if STRESS else 4
    histories = bindings.alone(FakeSessions(), steps)
    figures.add(f"orders of a device alone that may bind, {steps} steps", f"{histories.taken:,}")
    page = " ".join((ROOT / "docs/reliability.md").read_text(encoding="utf-8").split())
    assert len(histories.ended_alone) == 3
    assert [reason for reason in histories.ended_alone if reason not in page] == []


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_client_alone_is_never_refused(
    policy: SessionPolicy, figures: Figures, request: pytest.FixtureRequest
) -> None:
    """Newest and older tokens, lost answers, waits: served while grace and recovery last, whatever came before."""
    explorer = Explorer(policy, FakeSessions(), client_alone=True)
    layers = list(explorer.explore([explorer.start()], 8 if STRESS else 5))
    figures.add(
        f"orders of a client alone, {len(layers)} steps, {request.node.callspec.id}", f"{layers[-1].interleavings:,}"
    )


def test_a_clock_that_is_ahead_for_one_rotation_lets_no_two_be_served(figures: Figures) -> None:
    """By seconds, an hour, more than a recovery, at any step: outside the grace of the parting one alone is served."""
    explorer = Explorer(SessionPolicy(), FakeSessions(), ahead=(20, 3_600, 100_000))
    steps = 5 if STRESS else 2
    layers = list(explorer.explore(stolen_worlds(explorer, 2), steps))
    figures.add(
        f"interleavings of client and thief, {steps} steps, a clock ahead at one of them",
        f"{layers[-1].interleavings:,} in {sum(layer.states for layer in layers):,} states",
    )
    assert len(layers) == steps


def test_what_is_over_stays_over(figures: Figures) -> None:
    """Endings, purges, clocks, policies, lost rotations and rows in every order: nothing brings a session back."""
    events = 5 if STRESS else 3
    lifecycles = Lifecycles(FakeSessions())
    lifecycles.run(events)
    figures.add(f"orders of {events} events round the end of a session", f"{lifecycles.states:,} states")


CAUGHT_BY: dict[type[FakeSessions], tuple[Check, ...]] = {
    rules.OverlooksRevocations: (checks.lifecycles, checks.races),
    rules.OverlooksCutOffs: (checks.lifecycles, checks.races),
    rules.OverlooksTheSpare: (checks.spared,),
    rules.OverlooksPurges: (checks.purged, checks.lifecycles),
    rules.HealsBeforeItRefuses: (checks.lifecycles,),
    rules.RefusesWhatItLost: (checks.healing,),
    rules.EndsWhatItLost: (checks.healing,),
    rules.HandsOutWhatItHas: (checks.healing,),
    rules.RotatesAnyway: (checks.kept,),
    rules.KeepsEveryToken: (checks.kept,),
    rules.RepeatsNothing: (checks.interleavings, checks.tabs, checks.one_grace),
    rules.RepeatsTheParentAlone: (checks.interleavings, checks.tabs, checks.one_grace),
    rules.RepeatsTheCurrentAlone: (checks.interleavings, checks.tabs, checks.one_grace),
    rules.RepeatsForAnyOlder: (checks.interleavings,),
    rules.RepeatsForEver: (checks.interleavings, checks.spans),
    rules.RepeatsASecondLess: (checks.spans,),
    rules.RepeatsASecondMore: (checks.spans,),
    rules.ExtendsTheGrace: (checks.interleavings,),
    rules.StretchesSpansWithTheClock: (checks.clock_set_back, checks.clock_ahead),
    rules.ComparesTimesOfIssue: (checks.one_second,),
    rules.RecoversNothing: (checks.interleavings, checks.tabs, checks.spans),
    rules.RecoversForEver: (checks.interleavings, checks.spans),
    rules.RecoversASecondLess: (checks.spans,),
    rules.RecoversAnyOlder: (checks.interleavings, checks.thieves),
    rules.SharesTheLostSuccessor: (checks.interleavings,),
    rules.TakesReuseForALostAnswer: (checks.interleavings, checks.thieves),
    rules.SharesWithAThief: (checks.interleavings, checks.one_second),
    rules.RefusesReuseAlone: (checks.interleavings, checks.one_second),
    rules.AsksForNoKey: (checks.bindings,),
    rules.BelievesAnyKey: (checks.bindings,),
    rules.BelievesAnotherSessionsPresence: (checks.bindings,),
    rules.AsksTheTokenAlone: (checks.bindings,),
    rules.AsksTheRowAlone: (checks.lost_bindings,),
    rules.EndsWhateverLacksItsKey: (checks.bindings,),
    rules.CallsAMissingKeyTheEnd: (checks.lost_bindings,),
    rules.ForgivesWhatWasLeftBehind: (checks.bindings,),
    rules.EndsATabThatWasNotTold: (checks.bindings,),
    rules.HandsOutUnboundTokens: (checks.lost_bindings,),
    rules.HealsNoOtherKey: (checks.lost_bindings,),
    rules.RequiresNothing: (checks.bindings,),
    rules.RequiresABindingOfTokensAlone: (checks.lost_bindings,),
    rules.RequiresABindingOfWhatRotatesAlone: (checks.kept,),
    rules.RepeatsNothingUnbound: (checks.lost_bindings,),
    rules.ReplacesKeys: (checks.bindings,),
    stores.StepsOfAnotherKey: (checks.lost_bindings,),
    stores.ForgetsTheKey: (checks.bindings,),
    stores.RestoresUnbound: (checks.lost_bindings,),
    stores.StepsFromAnyGeneration: (checks.interleavings, checks.one_second),
    stores.StepsFromAnyOlderGeneration: (checks.interleavings, checks.one_second),
    stores.StepsWhileYoung: (checks.interleavings, checks.one_grace),
    stores.StepsOfTheRevoked: (checks.lifecycles, checks.races),
    stores.StepsOfTheCutOff: (checks.lifecycles, checks.races),
    stores.RefusesTheSpared: (checks.spared,),
    stores.RestoresWhatWasPurged: (checks.races,),
    stores.RestoresOverWhatIsThere: (checks.races,),
    stores.GivesOneGenerationTwice: (checks.interleavings,),
    stores.ForgetsTheParent: (checks.interleavings, checks.tabs),
    stores.ForgetsWhenItRotated: (checks.interleavings, checks.one_grace),
    stores.KeepsHealedRowsTooShort: (checks.healed,),
    stores.AnswersBeforeItWrites: (checks.interleavings,),
    stores.RevokesNothing: (checks.lifecycles, checks.clock_set_back),
    stores.RollsBackReuse: (checks.interleavings, checks.one_second),
    stores.RevokesTheWholeUser: (checks.apart,),
    stores.LeavesNoTombstone: (checks.lost_row,),
    stores.CutsOffTheUnborn: (checks.apart,),
    stores.CutsOffOnlyThePast: (checks.lifecycles,),
    stores.SparesNobody: (checks.spared,),
    stores.SparesWhatWasEnded: (checks.lifecycles,),
    stores.RevivesAtSignIn: (checks.apart,),
    stores.PurgesRevocations: (checks.lifecycles,),
    stores.PurgesByExpiry: (checks.lifecycles, checks.purge),
    stores.LeavesNoPurgeMark: (checks.lifecycles, checks.purged),
    stores.PurgesCutOffs: (checks.lifecycles,),
    stores.CallsTroubleInvalid: (checks.tabs,),
}
"""Of every wrong rule and store, the checks that catch it."""


@pytest.mark.parametrize(
    ("variant", "check"),
    [pytest.param(v, check, id=f"{v.__name__}-{check.__name__}") for v, found in CAUGHT_BY.items() for check in found],
)
def test_each_wrong_variant_is_caught(variant: checks.NewStore, check: Check) -> None:
    with pytest.raises((AssertionError, NuovoError)):
        check(variant)


def test_a_step_that_asks_for_no_user_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RotationsInTwoPlaces, "rotate", lambda step, rotation: step._sessions.rotate(rotation))
    with pytest.raises(AssertionError):
        checks.disabled(FakeSessions)


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        # Nearly every token is traded without a look at the row: whoever has no key must not get there.
        ("may_rotate_unseen", lambda *_, **__: True),
        # The key that was proven is not written.
        ("rotate", lambda token, **others: rotate(token, **(others | {"proven": None}))),
        # What the row says of the key is not minded.
        ("rotate", lambda token, **others: rotate(token, **(others | {"held_key": None}))),
    ],
)
def test_a_refresh_that_forgets_the_key_is_caught(
    part: str, wrong: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_access_token, part, wrong)
    with pytest.raises((AssertionError, NuovoError)):
        checks.bindings(FakeSessions)


def test_every_check_is_used() -> None:
    """No check that catches nobody."""
    assert {*(check for found in CAUGHT_BY.values() for check in found), checks.disabled} >= set(CHECKS)
