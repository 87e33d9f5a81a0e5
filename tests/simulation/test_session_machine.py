"""A session under arbitrary use, held against its whole history: whatever Hypothesis thinks of, one step at a time."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.model.decisions import Decision
from domain.model.errors import InvalidRefreshTokenError
from domain.model.sessions import SessionPolicy
from tests.fakes.clock import START
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation import broken
from tests.simulation.checks import NewStore
from tests.simulation.conftest import STRESS
from tests.simulation.oracle import History, Trade, Verdict

SETTINGS = settings(
    max_examples=1_000 if STRESS else 60,
    stateful_step_count=60 if STRESS else 40,
    deadline=None,
    database=None,
    derandomize=not STRESS,
    print_blob=STRESS,
    suppress_health_check=list(HealthCheck),
)
WAITS = st.sampled_from([0, 1, 7, 14, 15, 16, 29, 30, 31, 600, 43_200, 86_400, 86_401])
LIFE = 400 * 86_400


class SessionMachine(RuleBasedStateMachine):
    """Two sessions of one user; any token of theirs may be presented at any time."""

    new_store: NewStore = FakeSessions

    @initialize(grace=st.sampled_from([0, 1, 15, 30, 300]), recovery=st.sampled_from([0, 1, 86_400]), leeway=st.just(0))
    def sign_in(self, grace: int, recovery: int, leeway: int) -> None:
        self.service = FakeService(
            policy=SessionPolicy(
                replay_grace=grace,
                lost_answer_recovery=recovery,
                leeway=leeway,
                refresh_token_ttl=LIFE,
                session_ttl=LIFE,
            ),
            sessions=self.new_store(),
        )
        self.tokens = [[self._sign_in()], [self._sign_in()]]
        self.histories = [History(), History()]

    @rule(wait=WAITS)
    def wait(self, wait: int) -> None:
        if self.service.clock.time + wait < START + LIFE:
            self.service.clock.advance(wait)

    @rule(session=st.integers(0, 1), back=st.integers(0, 3), wait=st.sampled_from([0, 0, 1, 7, 31]))
    def present(self, session: int, back: int, wait: int) -> None:
        """Present one of the newest tokens, or the oldest."""
        self.wait(wait)
        tokens, history = self.tokens[session], self.histories[session]
        index = max(0, len(tokens) - 1 - back)
        # Tokens left behind have no place in the list: generations are what counts.
        generation = self.service.tokens.read_refresh_token(tokens[index]).generation
        now = self.service.clock.time
        verdict = history.judge(generation, now, self.service.policy)
        try:
            answer = self.service.refresh(tokens[index]).refresh_token
        except InvalidRefreshTokenError:
            assert verdict in (Verdict.DEATH, Verdict.CURRENT_OR_DEATH)
            self.histories[session] = History(history.trades, dead=True)
            return
        assert answer is not None
        if answer in tokens:
            assert verdict in (Verdict.CURRENT, Verdict.CURRENT_OR_DEATH)
            assert answer == tokens[-1]
            return
        assert verdict is Verdict.NEW
        issued = self.service.tokens.read_refresh_token(answer).generation
        assert issued == history.current + 1
        tokens.append(answer)
        self.histories[session] = History((*history.trades, Trade(generation, issued, now)))

    @precondition(lambda self: self.service.clock.time > START)
    @rule(session=st.integers(0, 1), back=st.integers(0, 3))
    def log_out(self, session: int, back: int) -> None:
        tokens, history = self.tokens[session], self.histories[session]
        self.service.revoke(tokens[max(0, len(tokens) - 1 - back)])
        self.histories[session] = History(history.trades, dead=True)

    @rule()
    def purge(self) -> None:
        for removed in self.service.purge():
            assert removed == 0

    @invariant()
    def at_most_one_token_is_live(self) -> None:
        """In every snapshot one token of a session may advance it, none if the session is over."""
        if not hasattr(self, "tokens"):
            return
        service = self.service
        for tokens, history in zip(self.tokens, self.histories, strict=True):
            read = [service.tokens.read_refresh_token(token) for token in tokens]
            standing = service.sessions.get(read[0].session_id, "ada")
            decisions = [standing.decide(t, now=service.clock.time, policy=service.policy) for t in read]
            assert decisions.count(Decision.ADVANCE) == (not history.dead)

    def _sign_in(self) -> str:
        token = self.service.start("ada").refresh_token
        assert token is not None
        return token


def test_a_session_does_what_its_history_says() -> None:
    run_state_machine_as_test(SessionMachine, settings=SETTINGS)


@pytest.mark.parametrize(
    "variant",
    [
        broken.TakesAnyGeneration,
        broken.LosesItsMarks,
        broken.MovesItsMarksAlways,
        broken.RevokesNothing,
        broken.RevokesTheWholeUser,
        broken.ExtendsTheGrace,
        broken.NeverRefuses,
        broken.RefusesWithoutEnding,
        broken.SharesLate,
        broken.RecoversForEver,
        broken.RecoversNothing,
        broken.GraceOutlivesRevocation,
        broken.ComparesTimesOfIssue,
    ],
)
def test_a_broken_variant_does_not(variant: type[FakeSessions]) -> None:
    machine = type("Broken", (SessionMachine,), {"new_store": variant})
    with pytest.raises((AssertionError, StopIteration)):
        run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=2_000, phases=[Phase.generate]))
