"""Every kind of store does what the model and the fake do, whatever it is told, one call after another."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Rotation, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from ports.sessions import Page, Sessions
from tests.builders import WHOLE_LIST, new_session, new_user_id
from tests.fakes.clock import START
from tests.stores import KINDS, Opened

Operation = Callable[[Sessions], object]

SPANS = st.sampled_from([0, 1, 2, 29, 30, 31, 100, 3600, -1, -30, -31, -100])
"""Seconds between two calls: about a grace, and a clock that is set back."""
DAYS = itertools.count(START, 86_400)
"""Each example has a day of its own, because the mark of a purge stays."""


class Alike:
    """One store of each kind, all told the same."""

    def __init__(self, stores: list[Sessions]) -> None:
        self._stores = stores

    def all_answer(self, operation: Operation) -> object:
        """Run an operation on every store and return what they all answered."""
        first, *others = [operation(store) for store in self._stores]
        for other in others:
            assert other == first
        return first

    def look(self, token: RefreshToken) -> Standing:
        standing = self.all_answer(lambda store: store.get(token.user_id, token.session_id))
        assert isinstance(standing, Standing)
        return standing


@pytest.fixture
def alike(opened: Opened) -> Alike:
    """Keep the stores for all examples of a test: each example has users and sessions of its own."""
    return Alike([opened(kind).sessions for kind in KINDS])


each_example_has_its_own = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(
    calls=st.lists(st.tuples(SPANS, st.sampled_from(["current", "current", "parent", "ahead"])), max_size=12),
    grace=st.sampled_from([0, 1, 2, 30, 31, 300]),
    rotation=st.booleans(),
)
@each_example_has_its_own
def test_every_rotation_leaves_the_row_that_the_model_tells(
    alike: Alike, calls: list[tuple[int, str]], grace: int, *, rotation: bool
) -> None:
    """Rotations, recoveries and healings in any order, with any clock; a young session does not rotate."""
    policy = SessionPolicy(replay_grace=grace, refresh_token_ttl=5000, session_ttl=9000, rotation=rotation)
    session, now = new_session(policy=policy, claims={"n": 1}), START
    alike.all_answer(lambda store: store.start(session))
    for span, presented in calls:
        now += span
        current = session.token
        generation = {
            "current": current.generation,
            "parent": max(1, session.parent_generation),
            "ahead": current.generation + 3,
        }[presented]
        step = rotate(replace(current, generation=generation), now=now, policy=policy, replaces=current.generation)
        is_usual = presented == "current" and session.is_young(now=now, grace=grace)

        taken = alike.all_answer(partial(take, step))

        if is_usual:
            assert taken is None
        else:
            assert taken == {"n": 1}
            session = session.rotated(step)
        assert alike.look(current).session == session


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(
                ["start", "rotate", "rotate", "restore", "revoke", "end", "end_all", "end_others", "purge"]
            ),
            st.integers(0, 3),
            st.integers(-2, 2),
            SPANS,
        ),
        max_size=25,
    )
)
@each_example_has_its_own
def test_all_stores_give_the_same_answers(alike: Alike, calls: list[tuple[str, int, int, int]]) -> None:
    """Any methods in any order, right and wrong generations, two users with two sessions each."""
    now = next(DAYS)
    policy = SessionPolicy(refresh_token_ttl=2000, session_ttl=5000)
    users = [new_user_id(), new_user_id()]
    sessions = [new_session(users[number % 2], now=now, policy=policy) for number in range(4)]
    for name, number, offset, span in calls:
        now += span
        session = sessions[number]
        held = alike.look(session.token).session or session
        token = replace(held.token, generation=max(1, held.token.generation + offset))
        replaces = None if name == "restore" else held.token.generation + offset // 2
        step = rotate(token, now=now, policy=policy, replaces=replaces)
        other = sessions[number + offset if number + offset in range(4) else 0]
        operations: dict[str, Operation] = {
            "start": partial(start, session),
            "rotate": partial(take, step),
            "restore": partial(take, step),
            "revoke": partial(revoke, token, now),
            "end": partial(end, users[offset % 2], session.token.session_id, now),
            "end_all": partial(end_all, token.user_id, now, None),
            "end_others": partial(end_all, token.user_id, now, other.token.session_id),
            "purge": partial(purge, now + 1000 * offset),
        }

        alike.all_answer(operations[name])

        for each in sessions:
            alike.look(each.token)
            alike.all_answer(partial(owner_of, each.token.session_id))
        whole = alike.all_answer(partial(list_live, token.user_id, WHOLE_LIST, now))
        page = alike.all_answer(partial(list_live, token.user_id, Page(limit=1), now))
        assert isinstance(whole, list)
        assert page == whole[:1]


def start(session: Session, store: Sessions) -> None:
    store.start(session)


def take(rotation: Rotation, store: Sessions) -> Claims | None:
    return store.rotate(rotation)


def revoke(token: RefreshToken, at: int, store: Sessions) -> bool:
    return store.revoke(token, at=at, reason=RevocationReason.LOGOUT)


def end(user_id: str, session_id: str, at: int, store: Sessions) -> bool:
    return store.end(user_id, session_id, at=at, reason=RevocationReason.ENDED_BY_USER)


def end_all(user_id: str, at: int, spare: str | None, store: Sessions) -> int:
    return store.end_all(user_id, at=at, spare=spare)


def purge(until: int, store: Sessions) -> int:
    return sum(store.purge(until=until))


def list_live(user_id: str, page: Page, now: int, store: Sessions) -> list[Session]:
    return store.list_live(user_id, page, now=now)


def owner_of(session_id: str, store: Sessions) -> str | None:
    return store.owner_of(session_id)
