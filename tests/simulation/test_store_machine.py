"""The store in memory and each other one, told the same, one step at a time: answers and rows stay equal."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from domain.model.users import User
from tests.builders import KEY, OTHER_KEY, WHOLE_LIST, first_token
from tests.fakes.clock import START
from tests.simulation.conftest import STRESS
from tests.simulation.test_session_machine import SETTINGS
from tests.stores import SERVED, Store, Stores
from tests.wrong.databases import WRONG, emptied

_Answer = TypeVar("_Answer")
Keys: TypeAlias = tuple[str | None, str | None]
USERS, NAMES = ("ada", "bob"), ("a", "b", "c")
SPANS = st.sampled_from([0, 1, 7, 15, 16, 30, 31, 3_600, 15 * 86_400, 70 * 86_400, -1, -16, -3_600, -(10**8)])
POLICIES = st.sampled_from(
    [
        SessionPolicy(),
        SessionPolicy(replay_grace=0),
        SessionPolicy(refresh_token_ttl=60, session_ttl=3_600),
        SessionPolicy(rotation=False),
    ]
)
KEYS = st.sampled_from([None, None, KEY, OTHER_KEY])
"""To which key a step would bind its session."""
HELD = st.sampled_from([None, None, None, KEY, OTHER_KEY, ""])
"""Which key a step takes for the session's, unless it is what the store holds."""
BACK, GUESSES = st.sampled_from([0, 0, 0, 1, 2, 5]), st.sampled_from([0, 0, 0, 0, 1, None])
OF_USER, NAMED, REASONS = st.sampled_from(USERS), st.sampled_from(NAMES), st.sampled_from(RevocationReason)


class StoreMachine(RuleBasedStateMachine):
    """Steps from tokens that were issued, and from those of writes that were lost; some with wrong conditions.

    Two users have sessions of the same names: user and session are one key.
    """

    memory: Callable[[], Store]
    other: Callable[[], Store]

    @initialize()
    def begin(self) -> None:
        self.stores = self.memory(), self.other()
        self.now = START
        self.tokens: list[RefreshToken] = []
        for user in USERS:
            self.both(lambda store, user=user: store.directory.put(User(id=user)))  # type: ignore[misc]

    def both(self, operation: Callable[[Store], _Answer]) -> _Answer:
        expected, answer = map(operation, self.stores)
        assert answer == expected
        return expected

    @rule(span=SPANS)
    def set_clock(self, span: int) -> None:
        self.now = max(0, self.now + span)

    @rule(name=NAMED, user=OF_USER, policy=POLICIES, key=KEYS, is_lost=st.booleans())
    def start(self, name: str, user: str, policy: SessionPolicy, key: str | None, *, is_lost: bool) -> None:
        """Start a session, or know a token of one whose start was lost; what was started before is started again."""
        known = [token for token in self.tokens if (token.user_id, token.session_id) == (user, name)]
        new = replace(first_token(user, now=self.now, policy=policy), session_id=name, key_thumbprint=key)
        token = known[0] if known else new
        if not is_lost:
            self.both(lambda store: store.sessions.start(Session.recalled(token)))
        self.tokens.append(token)

    @rule(back=BACK, ahead=st.integers(1, 3))
    def lose_rotations(self, back: int, ahead: int) -> None:
        """Know a token that is further than the store."""
        if back < len(self.tokens):
            token = self.tokens[-1 - back]
            self.tokens.append(replace(token, generation=token.generation + ahead))

    @rule(
        back=BACK, policy=POLICIES, guess=GUESSES, keys=st.tuples(HELD, KEYS), alone=st.booleans(), again=st.booleans()
    )
    def rotate(
        self, back: int, policy: SessionPolicy, guess: int | None, keys: Keys, *, alone: bool, again: bool
    ) -> None:
        """Step from a token, for what the store holds or for something else; `alone`, without a look at the user."""
        if back < len(self.tokens):
            self._rotate(self.tokens[-1 - back], policy, guess, keys, alone=alone)
            if again:
                self._rotate(self.tokens[-1], policy, guess, keys, alone=alone)

    def _rotate(
        self, token: RefreshToken, policy: SessionPolicy, guess: int | None, keys: Keys, *, alone: bool
    ) -> None:
        session = self.both(lambda store: store.sessions.get(token.user_id, token.session_id)).session
        replaces = None if guess is None or session is None else session.token.generation + guess
        held = None if session is None else session.token.key_thumbprint
        step = rotate(
            token, now=self.now, policy=policy, replaces=replaces, held_key=held if keys[0] is None else keys[0]
        )
        if keys[1] is not None:
            step = replace(step, successor=replace(step.successor, key_thumbprint=keys[1]))
        if self.both(lambda store: (store.sessions if alone else store.rotations).rotate(step)) is not None:
            self.tokens.append(step.successor)

    @rule(user=OF_USER, active=st.sampled_from([True, True, False, None]))
    def change_user(self, user: str, active: bool | None) -> None:
        if active is None:
            self.both(lambda store: store.directory.remove(user))
        else:
            self.both(lambda store: store.directory.put(User(id=user, active=active)))

    @rule(back=BACK, reason=REASONS)
    def revoke(self, back: int, reason: RevocationReason) -> None:
        if back < len(self.tokens):
            token = self.tokens[-1 - back]
            self.both(lambda store: store.sessions.revoke(token, at=self.now, reason=reason))

    @rule(name=NAMED, user=OF_USER, reason=REASONS)
    def end(self, name: str, user: str, reason: RevocationReason) -> None:
        self.both(lambda store: store.sessions.end(user, name, at=self.now, reason=reason))

    @rule(user=OF_USER, spare=st.sampled_from([None, *NAMES]))
    def end_all(self, user: str, spare: str | None) -> None:
        self.both(lambda store: store.sessions.end_all(user, at=self.now, spare=spare))

    @rule(back=BACK)
    def end_the_others(self, back: int) -> None:
        if back < len(self.tokens):
            token = self.tokens[-1 - back]
            self.both(lambda store: store.sessions.end_all(token.user_id, at=self.now, spare=token.session_id))

    @rule(ago=st.sampled_from([0, 1, 3_600, 100 * 86_400, 100 * 86_400]))
    def end_everybody(self, ago: int) -> None:
        self.both(lambda store: store.sessions.end_everybody(started_by=self.now - ago, at=self.now))

    @rule(ahead=st.sampled_from([0, 0, 100 * 86_400]))
    def purge(self, ahead: int) -> None:
        self.both(lambda store: sum(store.sessions.purge(until=self.now + ahead)))

    @invariant()
    def rows_are_equal(self) -> None:
        if not hasattr(self, "stores"):
            return
        for user in USERS:
            self.both(lambda store, user=user: store.sessions.list_live(user, WHOLE_LIST, now=self.now))  # type: ignore[misc]
            for name in NAMES:
                self.both(lambda store, user=user, name=name: store.sessions.get(user, name))  # type: ignore[misc]

    def teardown(self) -> None:
        for store in self.stores:
            store.close()


def machine_over(stores: Stores, other: Callable[[], Store]) -> type[StoreMachine]:
    memory = stores["fake"]
    places = {"memory": staticmethod(lambda: memory.open(memory.shared())), "other": staticmethod(other)}
    return type("Machine", (StoreMachine,), places)


@pytest.mark.parametrize("kind", SERVED)
def test_every_store_does_as_the_one_in_memory_does(kind: str, stores: Stores) -> None:
    machine = machine_over(stores, lambda: stores[kind].open(stores[kind].shared()))
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=500 if STRESS else 25))


@pytest.mark.stress
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_database_does_not(wrong: str, stores: Stores) -> None:
    store = WRONG[wrong](stores["sqlite"].new())
    machine = machine_over(stores, lambda: emptied(store))
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(
            machine, settings=settings(SETTINGS, max_examples=5_000, derandomize=True, phases=[Phase.generate])
        )
