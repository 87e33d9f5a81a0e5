"""The model, the fake and both databases do the same, whatever they are told, step by step."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Rotation, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from infrastructure.peewee.sessions import PeeweeSessions
from ports.sessions import Sessions
from tests.builders import new_session, new_user_id
from tests.peewee.conftest import DATABASES, MigratedUrl
from tests.peewee.engines import Engines
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions

Operation = Callable[[Sessions], object]

SPANS = st.sampled_from([0, 1, 7, 14, 15, 16, 29, 30, 31, 100, 3600, -1, -15, -16, -100])
"""Seconds between two steps: about the marks' spacing, and a clock that is set back."""
DAYS = itertools.count(START, 86_400)
"""Each example has a day of its own, because the mark of a purge stays."""


class Stores:
    """One store of each kind, all told the same."""

    def __init__(self, *stores: Sessions) -> None:
        self._stores = stores

    def all_answer(self, operation: Operation) -> object:
        """Run an operation on every store and return what they all answered."""
        first, *others = [operation(store) for store in self._stores]
        for other in others:
            assert other == first
        return first

    def look(self, session: Session) -> Standing:
        standing = self.all_answer(lambda store: store.get(session.id, session.user_id))
        assert isinstance(standing, Standing)
        return standing


@pytest.fixture
def stores(migrated_url_of: MigratedUrl) -> Iterator[Stores]:
    """Keep the stores for all examples of a test: each example has users and sessions of its own."""
    engines = Engines()
    yield Stores(FakeSessions(), *(PeeweeSessions(engines.open(migrated_url_of(kind))) for kind in DATABASES))
    engines.close()


each_example_has_its_own = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(
    steps=st.lists(st.tuples(SPANS, st.sampled_from(["current", "current", "parent", "ahead"])), max_size=12),
    grace=st.sampled_from([0, 1, 2, 30, 31, 300]),
)
@each_example_has_its_own
def test_every_rotation_leaves_the_row_that_the_model_tells(
    stores: Stores, steps: list[tuple[int, str]], grace: int
) -> None:
    """Rotations, recoveries and healings in any order, with any clock: marks and counters included."""
    policy = SessionPolicy(replay_grace=grace, refresh_token_ttl=5000, session_ttl=9000)
    session, now = new_session(policy=policy), START
    stores.all_answer(lambda store: store.start(session))
    for span, presented in steps:
        now += span
        generation = {
            "current": session.generation,
            "parent": max(1, session.parent_generation),
            "ahead": session.generation + 3,
        }[presented]
        token = replace(session.current_token(), generation=generation)
        rotation = rotate(token, now=now, policy=policy, replaces=session.generation)

        assert stores.all_answer(partial(take, rotation)) is True
        assert stores.look(session).session == session.rotated(rotation)
        session = session.rotated(rotation)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["start", "advance", "advance", "restore", "revoke", "end", "end_all", "purge"]),
            st.integers(0, 3),
            st.integers(-2, 2),
            SPANS,
        ),
        max_size=25,
    )
)
@each_example_has_its_own
def test_all_stores_give_the_same_answers(stores: Stores, steps: list[tuple[str, int, int, int]]) -> None:
    """Any methods in any order, right and wrong generations, two users with two sessions each."""
    now = next(DAYS)
    policy = SessionPolicy(refresh_token_ttl=2000, session_ttl=5000)
    users = [new_user_id(), new_user_id()]
    sessions = [new_session(users[number % 2], now=now, policy=policy) for number in range(4)]
    for name, number, offset, span in steps:
        now += span
        session = sessions[number]
        held = stores.look(session).session or session
        token = replace(held.current_token(), generation=max(1, held.generation + offset))
        replaces = None if name == "restore" else held.generation + offset // 2
        operations: dict[str, Operation] = {
            "start": partial(start, session),
            "advance": partial(take, rotate(token, now=now, policy=policy, replaces=replaces)),
            "restore": partial(take, rotate(token, now=now, policy=policy, replaces=replaces)),
            "revoke": partial(revoke, token, now),
            "end": partial(end, session.id, [None, *users][offset], now),
            "end_all": partial(end_all, session.user_id, now),
            "purge": partial(purge, now + 1000 * offset),
        }

        stores.all_answer(operations[name])

        for other in sessions:
            stores.look(other)
        stores.all_answer(partial(list_live, session.user_id, now))


def start(session: Session, store: Sessions) -> None:
    store.start(session)


def take(rotation: Rotation, store: Sessions) -> bool:
    return store.advance(rotation)


def revoke(token: RefreshToken, at: int, store: Sessions) -> bool:
    return store.revoke(token, at=at, reason=RevocationReason.LOGOUT)


def end(session_id: str, owner: str | None, at: int, store: Sessions) -> bool:
    return store.revoke_by_id(session_id, owner=owner, at=at, reason=RevocationReason.ENDED_BY_USER)


def end_all(user_id: str, at: int, store: Sessions) -> None:
    store.end_all(user_id, at=at)


def purge(until: int, store: Sessions) -> int:
    return sum(store.purge(until=until))


def list_live(user_id: str, now: int, store: Sessions) -> list[Session]:
    return store.list_live(user_id, now=now)
