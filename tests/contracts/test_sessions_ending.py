"""What every store of sessions promises about endings: one session, or all of a user's."""

from dataclasses import replace

import pytest

from domain.model.sessions import RevocationReason, Session
from domain.model.tokens import new_id
from ports.sessions import Sessions
from tests.builders import after_steps, new_session, new_user_id, next_step, restoring_step
from tests.fakes.clock import START

LOGOUT, REUSE = RevocationReason.LOGOUT, RevocationReason.REUSE


def started(sessions: Sessions, user_id: str | None = None) -> Session:
    session = new_session(user_id)
    sessions.start(session)
    return session


def stored(sessions: Sessions, session: Session) -> Session | None:
    return sessions.get(session.id, session.user_id).session


@pytest.mark.parametrize("reason", RevocationReason)
def test_a_revocation_is_kept_with_its_time_and_reason(sessions: Sessions, reason: RevocationReason) -> None:
    session = started(sessions)

    assert sessions.revoke(session.current_token(), at=START + 9, reason=reason)

    assert stored(sessions, session) == session.revoked(at=START + 9, reason=reason)


def test_the_first_revocation_stands(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.current_token(), at=START + 9, reason=REUSE)

    assert not sessions.revoke(session.current_token(), at=START + 10, reason=LOGOUT)
    assert not sessions.revoke_by_id(session.id, owner=None, at=START + 11, reason=LOGOUT)

    assert stored(sessions, session) == session.revoked(at=START + 9, reason=REUSE)


def test_any_token_of_a_session_ends_it(sessions: Sessions) -> None:
    """An old one, and one from the future of a store that lost writes."""
    for generation in (1, 3, 9):
        session = after_steps(new_session(), 2)
        sessions.start(session)

        assert sessions.revoke(replace(session.current_token(), generation=generation), at=START, reason=LOGOUT)

        assert stored(sessions, session) == session.revoked(at=START, reason=LOGOUT)


def test_a_session_without_a_row_gets_a_tombstone(sessions: Sessions) -> None:
    """No token of it, presented or not, brings the session back."""
    token = after_steps(new_session(), 4).current_token()

    assert sessions.revoke(token, at=START + 9, reason=LOGOUT)

    tombstone = sessions.get(token.session_id, token.user_id).session
    assert tombstone == Session.recalled(token).revoked(at=START + 9, reason=LOGOUT)
    later = replace(token, generation=token.generation + 2)
    for presented in (token, later):
        assert not sessions.advance(restoring_step(presented))
        assert not sessions.advance(replace(restoring_step(presented), replaces=token.generation))
    assert not sessions.revoke(token, at=START + 10, reason=REUSE)
    assert sessions.get(token.session_id, token.user_id).session == tombstone


def test_starting_does_not_revive_what_was_revoked(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.current_token(), at=START, reason=LOGOUT)

    sessions.start(session)

    assert not sessions.advance(next_step(session))


@pytest.mark.parametrize("is_owner_named", [False, True])
def test_a_session_is_ended_by_its_identifier(sessions: Sessions, is_owner_named: bool) -> None:
    session = started(sessions)
    owner = session.user_id if is_owner_named else None

    assert sessions.revoke_by_id(session.id, owner=owner, at=START + 3, reason=RevocationReason.ENDED_BY_USER)
    assert not sessions.revoke_by_id(session.id, owner=owner, at=START + 4, reason=RevocationReason.ENDED_BY_USER)

    assert stored(sessions, session) == session.revoked(at=START + 3, reason=RevocationReason.ENDED_BY_USER)


def test_nobody_ends_the_session_of_another(sessions: Sessions) -> None:
    session, other = started(sessions), started(sessions)

    assert not sessions.revoke_by_id(session.id, owner=other.user_id, at=START, reason=LOGOUT)

    assert stored(sessions, session) == session


def test_an_unknown_identifier_ends_nothing_and_leaves_nothing(sessions: Sessions) -> None:
    session = new_session()

    assert not sessions.revoke_by_id(session.id, owner=None, at=START, reason=LOGOUT)

    assert stored(sessions, session) is None


def test_all_sessions_of_a_user_end_at_once_and_nobody_elses(sessions: Sessions) -> None:
    user_id = new_user_id()
    ended = [started(sessions, user_id) for _ in range(5)]
    other = started(sessions)

    sessions.end_all(user_id, at=START + 1)

    assert sessions.list_live(user_id, now=START + 2) == []
    assert not any(sessions.advance(next_step(session)) for session in ended)
    assert sessions.advance(next_step(other))


def test_a_session_that_starts_in_the_second_of_a_cut_off_lives(sessions: Sessions) -> None:
    """Ending all and signing in again, twice in one second: only the last session is left."""
    user_id = new_user_id()
    generations = []
    for _ in range(3):
        cut_off = sessions.get(new_id(), user_id).cut_off
        generations.append(new_session(user_id, now=START, cut_off=cut_off))
        sessions.start(generations[-1])
        assert sessions.list_live(user_id, now=START) == [generations[-1]]
        if len(generations) < 3:
            sessions.end_all(user_id, at=START)

    assert [sessions.advance(next_step(session)) for session in generations] == [False, False, True]


def test_a_clock_set_back_spares_no_session(sessions: Sessions) -> None:
    session = started(sessions)

    sessions.end_all(session.user_id, at=START - 86_400)

    assert not sessions.advance(next_step(session))
    assert sessions.list_live(session.user_id, now=START) == []


def test_a_cut_off_never_moves_back(sessions: Sessions) -> None:
    """Repeating one, late or with a clock set back, changes nothing."""
    user_id = new_user_id()
    for at in (START, START, START - 100):
        sessions.end_all(user_id, at=at)

        assert sessions.get(new_id(), user_id).cut_off == START

    sessions.end_all(user_id, at=START + 100)
    assert sessions.get(new_id(), user_id).cut_off == START + 100


def test_live_sessions_are_listed_the_last_used_first(sessions: Sessions) -> None:
    user_id = new_user_id()
    oldest, middle, newest = (new_session(user_id, now=START + second) for second in (0, 10, 20))
    for session in (middle, newest, oldest):
        sessions.start(session)
    rotation = next_step(oldest, now=START + 30)
    sessions.advance(rotation)

    assert sessions.list_live(user_id, now=START + 31) == [oldest.rotated(rotation), newest, middle]


def test_sessions_used_in_the_same_second_are_listed_by_identifier(sessions: Sessions) -> None:
    user_id = new_user_id()
    same_second = [started(sessions, user_id) for _ in range(6)]

    listed = sessions.list_live(user_id, now=START)

    assert [session.id for session in listed] == sorted(session.id for session in same_second)


def test_sessions_that_are_over_are_not_listed(sessions: Sessions) -> None:
    user_id = new_user_id()
    revoked, live = started(sessions, user_id), started(sessions, user_id)
    started(sessions)
    sessions.revoke(revoked.current_token(), at=START, reason=LOGOUT)

    assert sessions.list_live(user_id, now=START) == [live]
    assert sessions.list_live(new_user_id(), now=START) == []


@pytest.mark.parametrize(("before_expiry", "is_listed"), [(1, True), (0, False), (-1, False)])
def test_a_session_is_listed_to_the_second_of_its_expiry(
    sessions: Sessions, before_expiry: int, is_listed: bool
) -> None:
    session = started(sessions)

    listed = sessions.list_live(session.user_id, now=session.expires_at - before_expiry)

    assert listed == ([session] if is_listed else [])
