"""A session under arbitrary use, held against the model: whatever Hypothesis thinks of, one step at a time."""

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
from domain.model.errors import InvalidRefreshTokenError, StoreUnavailableError
from domain.model.sessions import SessionPolicy
from tests.fakes.clock import START
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation.checks import NewStore
from tests.simulation.conftest import STRESS
from tests.simulation.model import Rules, State, at, refreshed
from tests.wrong import rules, stores

SETTINGS = settings(
    max_examples=1_000 if STRESS else 40,
    stateful_step_count=50 if STRESS else 40,
    deadline=None,
    database=None,
    derandomize=not STRESS,
    print_blob=STRESS,
    suppress_health_check=list(HealthCheck),
)
WAITS = st.sampled_from([0, 1, 7, 14, 15, 16, 29, 30, 31, 600, 43_200, 86_400, 86_401])
LIFE = 400 * 86_400
DEAD = {Decision.REFUSE, Decision.REUSE}
NEW = {Decision.ROTATE, Decision.RECOVER}


class SessionMachine(RuleBasedStateMachine):
    """Two sessions of one user; any token of theirs may be presented at any time."""

    new_store: NewStore = FakeSessions

    @initialize(grace=st.sampled_from([0, 1, 15, 30, 300]), recovery=st.sampled_from([0, 1, 86_400]))
    def sign_in(self, grace: int, recovery: int) -> None:
        policy = SessionPolicy(
            replay_grace=grace, lost_answer_recovery=recovery, refresh_token_ttl=LIFE, session_ttl=LIFE
        )
        self.spans = Rules.of(policy)
        self.service = FakeService(policy=policy, sessions=self.new_store())
        self.tokens = [[str(self.service.sign_in().refresh_token)] for _ in range(2)]
        self.sessions = [State(), State()]

    @rule(wait=WAITS)
    def wait(self, wait: int) -> None:
        if self.service.clock.time + wait < START + LIFE:
            self.service.clock.advance(wait)

    @rule(session=st.integers(0, 1), back=st.integers(0, 3), wait=st.sampled_from([0, 0, 1, 7, 31]))
    def present(self, session: int, back: int, wait: int) -> None:
        """Present one of the newest tokens, or the oldest."""
        self.wait(wait)
        tokens, before = self.tokens[session], self.sessions[session]
        presented = tokens[max(0, len(tokens) - 1 - back)]
        expected, self.sessions[session] = self._outcome(before, presented)
        try:
            answer = str(self.service.refresh(presented).refresh_token)
        except InvalidRefreshTokenError:
            assert expected is None
            return
        assert self._generation(answer) == expected
        if expected == before.generation:
            assert answer == tokens[-1]
        else:
            tokens.append(answer)

    @precondition(lambda self: self.service.clock.time > START)
    @rule(session=st.integers(0, 1), back=st.integers(0, 3))
    def log_out(self, session: int, back: int) -> None:
        tokens = self.tokens[session]
        self.service.revoke(tokens[max(0, len(tokens) - 1 - back)])
        self.sessions[session] = State(dead=True)

    @precondition(lambda self: self.service.clock.time > START)
    @rule(spared=st.sampled_from([None, 0, 1]))
    def end_all(self, spared: int | None) -> None:
        id_ = None if spared is None else self.service.tokens.read_refresh_token(self.tokens[spared][0]).session_id
        self.service.end_all("ada", by=LOGIN, spare=id_)
        for each in {0, 1} - {spared}:
            self.sessions[each] = State(dead=True)

    @rule()
    def purge(self) -> None:
        for removed in self.service.purge():
            assert removed == 0

    @invariant()
    def every_token_is_worth_what_the_model_says(self) -> None:
        """One token at most is handed out, and nobody but its holder and that of its parent has it or gets it."""
        if not hasattr(self, "tokens"):
            return
        service = self.service
        for tokens, session in zip(self.tokens, self.sessions, strict=True):
            for text in {tokens[0], *tokens[-4:]}:
                token = service.tokens.read_refresh_token(text)
                standing = service.sessions.get(token.user_id, token.session_id)
                decision = standing.decide(token, now=service.clock.time, policy=service.policy)
                expected, _ = self._outcome(session, text)
                if expected is None:
                    assert decision in DEAD
                else:
                    assert decision is Decision.REPEAT if expected == session.generation else decision in NEW

    def _outcome(self, session: State, presented: str) -> tuple[int | None, State]:
        now = at(self.service.clock.time)
        (outcome,) = refreshed(session, self._generation(presented), now, self.spans)
        return outcome

    def _generation(self, token: str) -> int:
        return self.service.tokens.read_refresh_token(token).generation


def test_a_session_does_what_the_model_says() -> None:
    run_state_machine_as_test(SessionMachine, settings=SETTINGS)


CAUGHT: list[type[FakeSessions]] = [
    rules.OverlooksRevocations,
    rules.OverlooksCutOffs,
    rules.OverlooksTheSpare,
    rules.RepeatsNothing,
    rules.RepeatsTheParentAlone,
    rules.RepeatsTheCurrentAlone,
    rules.RepeatsForAnyOlder,
    rules.RepeatsTheFirst,
    rules.RepeatsForEver,
    rules.RepeatsASecondLess,
    rules.RepeatsASecondMore,
    rules.ExtendsTheGrace,
    rules.NeverRotates,
    rules.ComparesTimesOfIssue,
    rules.RecoversNothing,
    rules.RecoversForEver,
    rules.RecoversASecondLess,
    rules.RecoversAnyOlder,
    rules.SharesTheLostSuccessor,
    rules.TakesReuseForALostAnswer,
    rules.SharesWithAThief,
    rules.RefusesReuseAlone,
    stores.StepsFromAnyGeneration,
    stores.StepsWhileYoung,
    stores.StepsOfTheRevoked,
    stores.StepsOfTheCutOff,
    stores.RefusesTheSpared,
    stores.RevokesNothing,
    stores.RevokesTheWholeUser,
    stores.SparesNobody,
]


@pytest.mark.parametrize("variant", CAUGHT)
def test_a_wrong_variant_does_not(variant: type[FakeSessions]) -> None:
    machine = type("Wrong", (SessionMachine,), {"new_store": variant})
    with pytest.raises((AssertionError, StoreUnavailableError)):
        run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=2_000, phases=[Phase.generate]))
