"""The checker is no rubber stamp: it finds every store and every rule that is wrong in a way that clients can see."""

import random
import secrets
from dataclasses import replace

import pytest

from domain.model.tokens import RefreshToken
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.builders import KEY
from tests.fakes.sessions import FakeSessions
from tests.figures import Figures
from tests.simulation.model import Rules
from tests.stress.history import Call
from tests.stress.in_process import play_in_process
from tests.stress.stories import EVERY, hurried
from tests.wrong import rules, stores

_RULES = Rules(grace=4, recovery=60)
FOUND_BY: dict[type[FakeSessions], set[int]] = {
    rules.OverlooksRevocations: {2, 4},
    rules.OverlooksCutOffs: {2},
    rules.RepeatsNothing: {9},
    rules.RepeatsTheParentAlone: {9},
    rules.RepeatsTheCurrentAlone: {3},
    rules.RepeatsForAnyOlder: {0, 4},
    rules.RepeatsForEver: {0},
    rules.RecoversNothing: {3},
    rules.RecoversAnyOlder: {4},
    rules.SharesTheLostSuccessor: {0, 4},
    rules.TakesReuseForALostAnswer: {4},
    rules.SharesWithAThief: {4},
    rules.RefusesReuseAlone: {4},
    stores.StepsFromAnyGeneration: {0, 1, 4},
    stores.StepsFromAnyOlderGeneration: {0, 4},
    stores.StepsWhileYoung: {0},
    stores.StepsOfTheRevoked: {2, 4},
    stores.StepsOfTheCutOff: {2},
    stores.ForgetsTheParent: {3},
    stores.ForgetsWhenItRotated: {0},
    stores.AnswersBeforeItWrites: {0, 1, 5},
    stores.ReadsThenWrites: {0, 1, 2},
    stores.WritesTheWholeRow: {2},
    stores.RevokesNothing: {2, 4},
    stores.RollsBackReuse: {4},
    stores.RevokesTheWholeUser: {3},
    stores.CutsOffTheUnborn: {3},
    stores.RevivesAtSignIn: {2, 4, 6},
    stores.PurgesRevocations: {2, 4, 8},
    stores.CallsTroubleInvalid: {3},
    stores.FailsWithADefect: {9},
}
"""Of the wrong rules and stores, the invariants of which each breaks one at the least."""


FOUND_BY_THEFT: dict[type[FakeSessions], set[int]] = {
    rules.AsksForNoKey: {7},
    rules.BelievesAnyKey: {7},
    rules.EndsWhateverLacksItsKey: {3},
    rules.CallsAMissingKeyTheEnd: {0},
}
"""The same on bound sessions, whose tokens are presented without the key as well."""


class _Codec(AuthlibTokenCodec):
    def __init__(self) -> None:
        super().__init__(KeyRing(secrets.token_urlsafe(48), []), issuer="nuovo", audience="api", client_id="frontend")


class ForkingCodec(_Codec):
    """Signs the current token as if it were new whenever it is asked for: two tokens of one generation."""

    def write_refresh_token(self, token: RefreshToken) -> str:
        return super().write_refresh_token(replace(token, issued_at=token.issued_at - random.randrange(99)))  # noqa: S311


class UnbindingCodec(_Codec):
    """Writes the key into a session's first tokens, and leaves it out later."""

    def write_refresh_token(self, token: RefreshToken) -> str:
        key = token.key_thumbprint if token.generation < 3 else None
        return super().write_refresh_token(replace(token, key_thumbprint=key))


def test_the_sound_store_breaks_nothing(figures: Figures) -> None:
    """Every story, six times, in a time that leaps."""
    history, breaches = play_in_process(EVERY, _RULES, sessions=FakeSessions(), rounds=6)
    assert not breaches, "\n".join(map(str, breaches))
    assert len(history) > 1500
    figures.add("history of the use cases in one process", f"{len(history):,} calls: {len(breaches)} breaches")


def test_bound_sessions_break_nothing_beside_thieves_who_lack_the_key(figures: Figures) -> None:
    """The same stories on sessions that are bound from the start, each token presented twice without its key first."""
    history, breaches = play_in_process(EVERY, _RULES, sessions=FakeSessions(), rounds=6, key=KEY)
    assert not breaches, "\n".join(map(str, breaches))
    thefts = sum(event.call is Call.STEAL for event in history)
    assert thefts > 2_000
    figures.add(
        "the same on bound sessions, each token tried twice without its key",
        f"{len(history):,} calls, {thefts:,} of them without the key: 0 breaches",
    )


@pytest.mark.parametrize(
    ("wrong", "found_by", "key"),
    [*((*each, None) for each in FOUND_BY.items()), *((*each, KEY) for each in FOUND_BY_THEFT.items())],
    ids=[each.__name__ for each in (*FOUND_BY, *FOUND_BY_THEFT)],
)
def test_every_wrong_variant_is_found_out(
    wrong: type[FakeSessions], found_by: set[int], key: str | None, figures: Figures
) -> None:
    for _ in range(20):  # some are wrong only when two requests meet
        _history, breaches = play_in_process(EVERY, _RULES, sessions=wrong(), rounds=1, key=key)
        if found := {breach.invariant for breach in breaches} & found_by:
            break
    assert found, f"{wrong.__doc__} {[str(breach) for breach in breaches]}"
    figures.add(f"wrong on purpose: {wrong.__name__}", f"found out, by invariants {sorted(found)}")


def test_a_rule_that_compares_times_is_found_out(figures: Figures) -> None:
    """Without a grace, what was issued within one second is as stale as anything."""
    rules_ = Rules(grace=0, recovery=0)
    history, breaches = play_in_process((hurried,), rules_, sessions=FakeSessions(), rounds=20)
    assert not breaches, "\n".join(map(str, breaches))
    figures.add("100 quick rotations without a grace, 20 sessions", f"{len(history):,} calls: 0 breaches")
    _history, breaches = play_in_process((hurried,), rules_, sessions=rules.ComparesTimesOfIssue(), rounds=20)
    assert 4 in {breach.invariant for breach in breaches}
    figures.add("wrong on purpose: ComparesTimesOfIssue", "found out, by invariant 4 in one second")


@pytest.mark.parametrize(("wrong", "found_by", "key"), [(ForkingCodec, 1, None), (UnbindingCodec, 7, KEY)])
def test_a_wrong_codec_is_found_out(wrong: type[_Codec], found_by: int, key: str | None, figures: Figures) -> None:
    _history, breaches = play_in_process(EVERY, _RULES, sessions=FakeSessions(), tokens=wrong(), rounds=1, key=key)
    assert found_by in {breach.invariant for breach in breaches}
    figures.add(f"wrong on purpose: {wrong.__name__}", f"found out, by invariant {found_by}")
