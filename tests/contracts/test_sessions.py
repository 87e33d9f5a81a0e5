"""What every store of sessions promises: a start, a step, a look. See also the other modules of this name."""

from dataclasses import replace

import pytest

from domain.model.decisions import Standing
from domain.model.sessions import MAX_SESSION_TTL, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import new_id
from ports.sessions import Sessions
from tests.builders import after_steps, new_session, new_user_id, next_step, restoring_step
from tests.fakes.clock import START

LOGOUT = RevocationReason.LOGOUT


def started(sessions: Sessions, steps: int = 0) -> Session:
    """Start a session, take so many steps, and return what the store should hold."""
    session = new_session()
    sessions.start(session)
    for _ in range(steps):
        rotation = next_step(session)
        assert sessions.advance(rotation)
        session = session.rotated(rotation)
    return session


def stored(sessions: Sessions, session: Session) -> Session | None:
    return sessions.get(session.id, session.user_id).session


def test_a_started_session_is_kept_as_it_is(sessions: Sessions) -> None:
    session = new_session(device="Ada's téléphone 📱")

    sessions.start(session)

    assert sessions.get(session.id, session.user_id) == Standing(session=session, cut_off=None, purged_until=None)


def test_nothing_is_known_of_a_session_that_was_never_started(sessions: Sessions) -> None:
    started(sessions)

    unknown = sessions.get(new_id(), new_user_id())

    assert unknown == Standing(session=None, cut_off=None, purged_until=None)


def test_starting_a_session_again_changes_nothing(sessions: Sessions) -> None:
    """A start may be repeated after an error, even when the session has gone on in between."""
    session = started(sessions)
    rotation = next_step(session)
    sessions.advance(rotation)

    sessions.start(session)
    sessions.start(replace(session, device="another", user_id=new_user_id()))

    assert stored(sessions, session) == session.rotated(rotation)


def test_a_step_from_the_held_generation_is_taken(sessions: Sessions) -> None:
    session = started(sessions)
    rotation = next_step(session)

    assert sessions.advance(rotation)

    assert stored(sessions, session) == session.rotated(rotation)


def test_a_step_is_taken_once(sessions: Sessions) -> None:
    """Repeated after an error, it is refused and harms nothing."""
    session = started(sessions)
    rotation = next_step(session)
    sessions.advance(rotation)

    assert not sessions.advance(rotation)

    assert stored(sessions, session) == session.rotated(rotation)


@pytest.mark.parametrize("replaces", [None, 1, 2, 4, 5])
def test_a_step_from_another_generation_is_not_taken(sessions: Sessions, replaces: int | None) -> None:
    session = started(sessions, steps=2)
    assert session.generation == 3

    assert not sessions.advance(replace(next_step(session), replaces=replaces))

    assert stored(sessions, session) == session


def test_a_step_from_a_generation_is_not_taken_where_there_is_no_row(sessions: Sessions) -> None:
    session = new_session()

    assert not sessions.advance(next_step(session))

    assert stored(sessions, session) is None


def test_a_step_from_nothing_brings_back_what_its_token_tells(sessions: Sessions) -> None:
    """A store that lost the whole row has the session again, one generation further."""
    token = after_steps(new_session(), 6).current_token()
    rotation = restoring_step(token)

    assert sessions.advance(rotation)

    restored = sessions.get(token.session_id, token.user_id).session
    assert restored == Session.recalled(rotation.token()).rotated(rotation)
    assert restored.current_token() == rotation.token()
    assert restored.lost_generations == 7


def test_a_step_from_nothing_is_taken_once(sessions: Sessions) -> None:
    token = new_session().current_token()
    first, second = restoring_step(token), restoring_step(token, now=token.issued_at + 5)
    sessions.advance(first)

    assert not sessions.advance(second)

    restored = sessions.get(token.session_id, token.user_id).session
    assert restored is not None
    assert restored.current_token() == first.token()


def test_a_step_moves_a_store_that_lost_writes_forward_and_counts_them(sessions: Sessions) -> None:
    behind = started(sessions, steps=1)
    ahead = after_steps(behind, 5)
    healing = rotate(ahead.current_token(), now=START + 60, policy=SessionPolicy(), replaces=behind.generation)

    assert sessions.advance(healing)

    healed = stored(sessions, behind)
    assert healed == behind.rotated(healing)
    assert healed.generation == ahead.generation + 1
    assert healed.lost_generations == 5


def test_a_recovering_step_leaves_a_successor_behind(sessions: Sessions) -> None:
    """It replaces the successor that never arrived, and its parent is the token that was presented again."""
    before = started(sessions)
    lost = next_step(before)
    sessions.advance(lost)
    after_loss = before.rotated(lost)
    recovering = rotate(before.current_token(), now=START + 3600, policy=SessionPolicy(), replaces=lost.generation)

    assert sessions.advance(recovering)

    recovered = stored(sessions, before)
    assert recovered == after_loss.rotated(recovering)
    assert (recovered.parent_generation, recovered.generation) == (1, 3)


def test_a_step_of_a_revoked_session_is_not_taken(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.current_token(), at=START + 5, reason=LOGOUT)

    assert not sessions.advance(next_step(session))

    assert stored(sessions, session) == session.revoked(at=START + 5, reason=LOGOUT)


def test_a_step_of_a_session_that_was_cut_off_is_not_taken(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.end_all(session.user_id, at=START + 5)

    assert not sessions.advance(next_step(session))

    assert stored(sessions, session) == session


def test_a_session_whose_row_was_lost_does_not_come_back_after_a_cut_off(sessions: Sessions) -> None:
    session = new_session()
    sessions.end_all(session.user_id, at=session.started_at)

    assert not sessions.advance(restoring_step(session.current_token()))

    assert stored(sessions, session) is None


@pytest.mark.parametrize(("after_the_purge", "comes_back"), [(0, False), (1, True)])
def test_a_session_comes_back_only_if_no_purge_can_have_forgotten_it(
    sessions: Sessions, after_the_purge: int, comes_back: bool
) -> None:
    session = new_session()
    list(sessions.purge(until=session.expires_at - after_the_purge))

    assert sessions.advance(restoring_step(session.current_token())) is comes_back


def test_a_purge_does_not_stop_a_session_that_the_store_holds(sessions: Sessions) -> None:
    """The mark of a purge speaks about rows that may be gone, not about one that is there."""
    session = replace(new_session(), kept_until=START + MAX_SESSION_TTL)
    sessions.start(session)
    list(sessions.purge(until=session.ends_at))

    assert sessions.advance(next_step(session))


def test_sessions_do_not_disturb_each_other(sessions: Sessions) -> None:
    mine = started(sessions)
    of_the_same_user, of_another = new_session(mine.user_id), new_session()
    sessions.start(of_the_same_user)
    sessions.start(of_another)

    sessions.advance(next_step(mine))
    sessions.revoke(mine.current_token(), at=START + 1, reason=LOGOUT)

    assert stored(sessions, of_the_same_user) == of_the_same_user
    assert stored(sessions, of_another) == of_another


def test_a_look_tells_the_cut_off_of_the_user_it_names(sessions: Sessions) -> None:
    session, other_user = started(sessions), new_user_id()
    sessions.end_all(other_user, at=START + 7)

    assert sessions.get(session.id, other_user) == Standing(session=session, cut_off=START + 7, purged_until=None)
    assert sessions.get(new_id(), other_user) == Standing(session=None, cut_off=START + 7, purged_until=None)


@pytest.mark.parametrize("user_id", ["7", "🦉" * 255, "o'brien; DROP TABLE nuovo_sessions --", '%s ? :1 \\ "x"'])
def test_identifiers_of_users_are_only_ever_values(sessions: Sessions, user_id: str) -> None:
    session = new_session(user_id, device=user_id[:255])
    sessions.end_all(user_id, at=START - 1)
    sessions.start(session)

    assert sessions.advance(next_step(session))
    assert [found.id for found in sessions.list_live(user_id, now=START)] == [session.id]


def test_the_longest_values_are_kept(sessions: Sessions) -> None:
    """The last second of the year 9999 and the largest generation."""
    last = 253_402_300_799
    token = replace(
        new_session().current_token(),
        generation=2**31 - 2,
        started_at=last - MAX_SESSION_TTL,
        ends_at=last,
        issued_at=last - 1,
        expires_at=last,
    )
    rotation = restoring_step(token)

    assert sessions.advance(rotation)

    restored = sessions.get(token.session_id, token.user_id).session
    assert restored is not None
    assert restored.current_token() == rotation.token()
