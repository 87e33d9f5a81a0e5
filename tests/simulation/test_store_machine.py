"""The store in memory and each database, told the same, one step at a time: answers and rows stay equal."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import methodcaller
from typing import TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from domain.model.sessions import RevocationReason, Rotation, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from ports.sessions import Sessions
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions
from tests.simulation.conftest import STRESS
from tests.simulation.test_session_machine import SETTINGS

_Answer = TypeVar("_Answer")
TABLES = ("nuovo_sessions", "nuovo_cut_offs", "nuovo_purges")
USERS = st.sampled_from(["ada", "bob"])
NAMES = st.sampled_from(["a", "b", "c", "d"])
SPANS = st.sampled_from([0, 1, 7, 15, 16, 30, 31, 3_600, 15 * 86_400, 70 * 86_400, -1, -16, -3_600, -(10**8)])
REASONS = st.sampled_from(RevocationReason)
POLICIES = st.sampled_from(
    [SessionPolicy(), SessionPolicy(replay_grace=0), SessionPolicy(refresh_token_ttl=60, session_ttl=3_600)]
)


class StoreMachine(RuleBasedStateMachine):
    """Steps are taken from tokens that were really issued, current and stale, with right and wrong conditions."""

    database: Callable[[], Sessions]

    @initialize()
    def begin(self) -> None:
        self.fake, self.real = FakeSessions(), self.database()
        self.now = START
        self.tokens: list[RefreshToken] = []

    def both(self, operation: Callable[[Sessions], _Answer]) -> _Answer:
        expected = operation(self.fake)
        assert operation(self.real) == expected
        return expected

    @rule(span=SPANS)
    def set_clock(self, span: int) -> None:
        self.now = max(0, self.now + span)

    @rule(name=NAMES, user=USERS, policy=POLICIES)
    def start(self, name: str, user: str, policy: SessionPolicy) -> None:
        id_ = f"{user}-{name}"
        cut_off = self.both(lambda store: store.get(id_, user)).cut_off
        session = Session.start(session_id=id_, user_id=user, device=name, now=self.now, cut_off=cut_off, policy=policy)
        self.both(lambda store: store.start(session))
        self.tokens.append(session.current_token())

    @rule(data=st.data(), policy=POLICIES, guess=st.sampled_from([None, 0, 0, 0, 1]))
    def advance(self, data: st.DataObject, policy: SessionPolicy, guess: int | None) -> None:
        """Step from a token, for what the store holds or for something else."""
        if not self.tokens:
            return
        token = data.draw(st.sampled_from(self.tokens[-8:]))
        session = self.both(lambda store: store.get(token.session_id, token.user_id)).session
        replaces = None if guess is None or session is None else session.generation + guess
        step: Rotation = rotate(token, now=self.now, policy=policy, replaces=replaces)
        if self.both(lambda store: store.advance(step)):
            self.tokens.append(step.token())

    @rule(data=st.data(), reason=REASONS)
    def revoke(self, data: st.DataObject, reason: RevocationReason) -> None:
        if self.tokens:
            token = data.draw(st.sampled_from(self.tokens))
            self.both(lambda store: store.revoke(token, at=self.now, reason=reason))

    @rule(name=NAMES, user=USERS, owner=st.sampled_from([None, "ada", "bob"]), reason=REASONS)
    def revoke_by_id(self, name: str, user: str, owner: str | None, reason: RevocationReason) -> None:
        id_ = f"{user}-{name}"
        self.both(lambda store: store.revoke_by_id(id_, owner=owner, at=self.now, reason=reason))

    @rule(user=USERS)
    def end_all(self, user: str) -> None:
        self.both(lambda store: store.end_all(user, at=self.now))

    @rule(data=st.data())
    def lose_rotations(self, data: st.DataObject) -> None:
        """Put both stores back to an earlier token of a session that is live."""
        if not self.tokens:
            return
        token = data.draw(st.sampled_from(self.tokens))
        known = self.both(lambda store: store.get(token.session_id, token.user_id)).session
        if known is not None and known.revoked_at is None:
            row = Session.recalled(token)
            for store in (self.fake, self.real):
                replace_row(store, row)

    @rule()
    def purge(self) -> None:
        self.both(lambda store: list(store.purge(until=self.now)))

    @invariant()
    def rows_are_equal(self) -> None:
        if not hasattr(self, "fake"):
            return
        for user in ("ada", "bob"):
            self.both(methodcaller("list_live", user, now=self.now))
            for name in ("a", "b", "c", "d"):
                self.both(methodcaller("get", f"{user}-{name}", user))


def replace_row(store: Sessions, row: Session) -> None:
    if isinstance(store, FakeSessions):
        store.lose_writes(row)
        return
    assert isinstance(store, PeeweeSessions)
    engine = store._engine
    mark = "%s" if "postgres" in type(engine).__name__.lower() else "?"
    engine.peewee.execute_sql(f"DELETE FROM nuovo_sessions WHERE id = {mark}", (row.id,))  # noqa: S608
    store.start(row)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    Schema(engine).migrate()
    yield engine
    engine.drop_connection()


def machine_over(engine: Engine, sessions: type[PeeweeSessions]) -> type[StoreMachine]:
    store = sessions(engine)

    def emptied() -> Sessions:
        for table in TABLES:
            engine.peewee.execute_sql(f"DELETE FROM {table}")  # noqa: S608
        return store

    return type("OverDatabase", (StoreMachine,), {"database": staticmethod(emptied)})


def test_a_database_does_as_the_store_in_memory_does(engine: Engine) -> None:
    run_state_machine_as_test(
        machine_over(engine, PeeweeSessions), settings=settings(SETTINGS, max_examples=500 if STRESS else 25)
    )


class _ForgetsWhoOwns(PeeweeSessions):
    def revoke_by_id(self, session_id: str, *, owner: str | None, at: int, reason: RevocationReason) -> bool:
        return super().revoke_by_id(session_id, owner=None, at=at, reason=reason)


class _AdvancesWhateverTheGeneration(PeeweeSessions):
    def advance(self, rotation: Rotation) -> bool:
        session = self.get(rotation.session_id, rotation.user_id).session
        if session is not None and rotation.replaces is not None:
            rotation = replace(rotation, replaces=session.generation, generation=session.generation + 1)
        return super().advance(rotation)


class _PurgesByExpiryAlone(PeeweeSessions):
    def purge(self, *, until: int) -> Iterator[int]:
        self._engine.peewee.execute_sql(f"DELETE FROM nuovo_sessions WHERE expires_at <= {until:d}")  # noqa: S608
        yield from super().purge(until=until)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("variant", [_ForgetsWhoOwns, _AdvancesWhateverTheGeneration, _PurgesByExpiryAlone])
def test_a_broken_database_does_not(engine: Engine, variant: type[PeeweeSessions]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            machine_over(engine, variant),
            settings=settings(SETTINGS, max_examples=500, phases=[Phase.generate]),
        )
