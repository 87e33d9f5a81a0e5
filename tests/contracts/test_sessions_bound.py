"""What every store of sessions promises about the key that a session is bound to."""

from dataclasses import replace

import pytest

from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from ports.sessions import Sessions
from tests.builders import (
    KEY,
    OTHER_KEY,
    WHOLE_LIST,
    after_rotations,
    binding_rotation,
    bound,
    held,
    new_session,
    next_rotation,
    restoring_rotation,
)
from tests.fakes.clock import START
from tests.race import Race, Turn

CLAIMS = {"amr": ["pwd"]}


def started(sessions: Sessions, key: str | None = None) -> Session:
    session = new_session(claims=CLAIMS)
    session = session if key is None else bound(session, key)
    sessions.start(session)
    return session


def test_a_session_is_bound_at_its_start(sessions: Sessions) -> None:
    session = started(sessions, KEY)

    standing = sessions.get(session.token.user_id, session.token.session_id)
    assert standing == Standing(session=session, cut_off=None, purged_until=None)
    assert standing.held_key == KEY
    assert sessions.list_live(session.token.user_id, WHOLE_LIST, now=START) == [session]


def test_a_rotation_binds_a_session(sessions: Sessions) -> None:
    """And gives its claims, as any other does."""
    session = started(sessions)
    rotation = binding_rotation(session)

    assert sessions.rotate(rotation) == CLAIMS

    assert held(sessions, session.token) == session.rotated(rotation)
    assert session.rotated(rotation).token.key_thumbprint == KEY


def test_a_bound_session_goes_on_for_whoever_holds_its_key(sessions: Sessions) -> None:
    session = started(sessions, KEY)
    for _ in range(3):
        rotation = next_rotation(session)
        assert sessions.rotate(rotation) == CLAIMS
        session = session.rotated(rotation)

    assert held(sessions, session.token) == session
    assert session.token.key_thumbprint == KEY


@pytest.mark.parametrize("held_key", [None, OTHER_KEY, "", KEY.lower(), KEY[:-1]])
def test_a_bound_session_takes_no_step_for_another_key(sessions: Sessions, held_key: str | None) -> None:
    """Whatever the step would bind it to: its own key, another, or none."""
    session = started(sessions, KEY)
    for key in (KEY, OTHER_KEY, None):
        rotation = next_rotation(session)
        step = replace(rotation, held_key=held_key, successor=replace(rotation.successor, key_thumbprint=key))

        assert sessions.rotate(step) is None

    assert held(sessions, session.token) == session


def test_an_unbound_session_takes_the_step_of_a_bound_token(sessions: Sessions) -> None:
    """A store that lost the binding is told by the token, and bound again."""
    session = started(sessions)
    rotation = next_rotation(bound(session))

    assert sessions.rotate(rotation) == CLAIMS

    assert held(sessions, session.token) == session.rotated(rotation)


def test_a_key_is_replaced_by_whoever_names_the_one_that_is_held(sessions: Sessions) -> None:
    session = started(sessions, KEY)
    rotation = next_rotation(session)
    rotation = replace(rotation, successor=replace(rotation.successor, key_thumbprint=OTHER_KEY))

    assert sessions.rotate(rotation) == CLAIMS

    session = session.rotated(rotation)
    assert held(sessions, session.token) == session
    assert sessions.rotate(replace(next_rotation(session), held_key=KEY)) is None


@pytest.mark.parametrize("policy", [SessionPolicy(), SessionPolicy(rotation=False)])
def test_a_lost_row_comes_back_bound(sessions: Sessions, policy: SessionPolicy) -> None:
    """With what the token says, also while rotation is off."""
    token = bound(after_rotations(new_session(), 4)).token
    rotation = restoring_rotation(token, policy=policy)

    assert sessions.rotate(rotation) == {}

    restored = held(sessions, token)
    assert restored == Session.recalled(rotation.successor).rotated(rotation)
    assert restored.token.key_thumbprint == KEY


def test_a_lost_row_comes_back_bound_for_a_token_that_was_not(sessions: Sessions) -> None:
    """If its sender proved a key for it."""
    token = new_session().token
    rotation = restoring_rotation(token)
    rotation = replace(rotation, successor=replace(rotation.successor, key_thumbprint=KEY))

    assert sessions.rotate(rotation) == {}

    restored = held(sessions, token)
    assert restored is not None
    assert restored.token == rotation.successor


def test_a_store_that_lost_writes_is_given_the_key_with_them(sessions: Sessions) -> None:
    session = started(sessions)
    ahead = bound(after_rotations(session, 5)).token
    healing = rotate(ahead, now=START + 60, policy=SessionPolicy(), replaces=1)

    assert sessions.rotate(healing) == CLAIMS

    assert held(sessions, session.token) == session.rotated(healing)


def test_an_ending_leaves_the_key(sessions: Sessions) -> None:
    """A tombstone of a row that was lost has it, too."""
    session, lost = started(sessions, KEY), bound(new_session())
    for each in (session, lost):
        assert sessions.revoke(each.token, at=START + 5, reason=RevocationReason.REUSE)

        revoked = held(sessions, each.token)
        assert revoked is not None
        assert revoked.token.key_thumbprint == KEY
        assert sessions.rotate(next_rotation(each)) is None


def test_a_purge_keeps_the_key_of_what_it_keeps(sessions: Sessions) -> None:
    session = started(sessions, KEY)
    list(sessions.purge(until=START))

    assert held(sessions, session.token) == session


def test_one_of_many_keys_binds_a_session(sessions: Sessions, race: Race) -> None:
    """However many devices try at once."""
    session = started(sessions)

    def bind(turn: Turn) -> bool:
        now_held = held(sessions, session.token)
        assert now_held is not None
        key = f"{turn.contender:043d}"
        rotation = next_rotation(now_held)
        step = replace(rotation, successor=replace(rotation.successor, key_thumbprint=key))
        turn.wait_for_all()
        has_won = sessions.rotate(step) is not None
        turn.wait_for_all()
        return has_won

    rounds = 3
    assert [results.count(True) for results in race.run(bind, rounds=rounds)] == [1] * rounds
