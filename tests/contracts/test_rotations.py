"""What the step of a refresh promises, wherever users and sessions are kept: in one place, or each in its own."""

import itertools
from dataclasses import dataclass, replace

import pytest

from domain.model.claims import Claims
from domain.model.sessions import RevocationReason, Rotation, Session, SessionPolicy
from domain.model.users import User
from infrastructure.two_places import RotationsInTwoPlaces
from ports.rotations import Rotations
from ports.sessions import Sessions
from ports.user_directory import UserDirectory
from tests.builders import first_token, held, new_session, next_rotation, restoring_rotation
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions
from tests.fakes.users import FakeUsers
from tests.race import Race, Turn
from tests.stores import KINDS, Opened

ADA, OFF = User(id="ada"), User(id="ada", active=False)
CLAIMS = {"amr": ["pwd"], "role": "of the session"}
PLACES = [*KINDS, *(f"{a}+{b}" for a, b in itertools.permutations(KINDS, 2))]


@dataclass
class Places:
    sessions: Sessions
    directory: UserDirectory
    rotations: Rotations


@pytest.fixture(params=PLACES)
def places(request: pytest.FixtureRequest, opened: Opened) -> Places:
    """Return sessions of each kind, with users in the same place or in another; `ada` is a user."""
    of_sessions, _, of_users = request.param.partition("+")
    store = opened(of_sessions)
    places = Places(store.sessions, store.directory, store.rotations)
    if of_users:
        other = opened(of_users)
        places = Places(store.sessions, other.directory, RotationsInTwoPlaces(other.users, store.sessions))
    places.directory.put(ADA)
    return places


def started(places: Places, user_id: str = "ada") -> Session:
    session = new_session(user_id, claims=CLAIMS)
    places.sessions.start(session)
    return session


def test_the_session_of_an_active_user_rotates_once(places: Places) -> None:
    session = started(places)
    rotation = next_rotation(session)

    assert places.rotations.rotate(rotation) == CLAIMS
    assert places.rotations.rotate(rotation) is None

    assert held(places.sessions, session.token) == session.rotated(rotation)


def test_the_session_of_anybody_else_does_not_rotate(places: Places) -> None:
    """Unknown, switched off, removed: the moment that the application says so."""
    unknown, session = started(places, "eve"), started(places)
    assert places.rotations.rotate(next_rotation(unknown)) is None

    places.directory.put(OFF)
    assert places.rotations.rotate(next_rotation(session)) is None
    places.directory.remove("ada")
    assert places.rotations.rotate(next_rotation(session)) is None
    assert held(places.sessions, session.token) == session

    places.directory.put(ADA)
    assert places.rotations.rotate(next_rotation(session)) == CLAIMS


def test_whatever_the_store_refuses_is_refused(places: Places) -> None:
    """Another generation, a young session, a revoked one and one that was cut off."""
    young, revoked, cut_off = started(places), started(places), started(places)
    rotation = next_rotation(young)
    assert places.rotations.rotate(rotation) == CLAIMS
    young = young.rotated(rotation)
    assert places.rotations.rotate(replace(rotation, replaces=7)) is None
    assert places.rotations.rotate(next_rotation(young, now=young.token.issued_at + 30)) is None
    assert held(places.sessions, young.token) == young

    places.sessions.revoke(revoked.token, at=START, reason=RevocationReason.LOGOUT)
    assert places.rotations.rotate(next_rotation(revoked)) is None

    places.sessions.end_all("ada", at=START)
    assert places.rotations.rotate(next_rotation(cut_off)) is None


def test_a_lost_session_comes_back_only_for_an_active_user(places: Places) -> None:
    """Its claims are lost with its row."""
    of_ada, of_eve = first_token("ada"), first_token("eve")

    assert places.rotations.rotate(restoring_rotation(of_ada)) == {}
    assert places.rotations.rotate(restoring_rotation(of_eve)) is None

    restored = held(places.sessions, of_ada)
    assert restored is not None
    assert restored.token == restoring_rotation(of_ada).successor
    assert held(places.sessions, of_eve) is None
    places.directory.put(OFF)
    assert places.rotations.rotate(restoring_rotation(first_token("ada"))) is None


def test_a_store_that_lost_writes_is_moved_forward(places: Places) -> None:
    """Also while rotation is off, when the token stays what it is."""
    for policy in (SessionPolicy(), SessionPolicy(rotation=False)):
        session = started(places)
        ahead = replace(session.token, generation=5)
        rotation = replace(restoring_rotation(ahead, policy=policy), replaces=1)

        assert places.rotations.rotate(rotation) == CLAIMS

        assert held(places.sessions, session.token) == session.rotated(rotation)


def test_one_of_many_rotates_the_session_of_an_active_user(places: Places, race: Race) -> None:
    session = started(places)

    def get_then_rotate(turn: Turn) -> bool:
        now_held = held(places.sessions, session.token)
        assert now_held is not None
        turn.wait_for_all()
        has_won = places.rotations.rotate(next_rotation(now_held)) is not None
        turn.wait_for_all()
        return has_won

    rounds = 5
    winners = [results.count(True) for results in race.run(get_then_rotate, rounds=rounds)]
    assert winners == [1] * rounds


def test_the_users_claims_count_before_the_sessions() -> None:
    """In two places; where they share one, the statement that brings both is tested beside its store."""
    user, sessions = User(id="ada", claims={"role": "of the user", "tenant": 7}), FakeSessions()
    session = new_session("ada", claims=CLAIMS)
    sessions.start(session)

    claims = RotationsInTwoPlaces(FakeUsers(user), sessions).rotate(next_rotation(session))

    assert claims == {"amr": ["pwd"], "role": "of the user", "tenant": 7}


def test_in_two_places_the_store_of_sessions_is_not_asked_for_a_user_who_is_not_active() -> None:
    """So that a user who is gone costs no write, and the answer of one place never stands for the other's."""

    class Untouched(FakeSessions):
        def rotate(self, rotation: Rotation) -> Claims | None:
            raise AssertionError

    rotations = RotationsInTwoPlaces(FakeUsers(OFF), Untouched())

    assert rotations.rotate(next_rotation(new_session("ada"))) is None
    assert rotations.rotate(next_rotation(new_session("eve"))) is None
