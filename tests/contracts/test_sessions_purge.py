"""What every store of sessions promises about forgetting."""

from dataclasses import replace

import pytest

from domain.model.decisions import Decision
from domain.model.sessions import CutOff, RevocationReason, SessionPolicy
from domain.model.tokens import MAX_SESSION_TTL, new_id
from ports.sessions import Sessions
from tests.builders import POLICY, held, new_session, new_user_id, next_rotation, restoring_rotation
from tests.fakes.clock import START
from tests.race import Race, Turn

LOGOUT = RevocationReason.LOGOUT
SHORT = SessionPolicy(refresh_token_ttl=60, session_ttl=600)


@pytest.mark.parametrize(("seconds_late", "is_forgotten"), [(-1, False), (0, True), (1, True)])
def test_a_session_is_forgotten_in_the_second_that_its_last_token_expires(
    sessions: Sessions, seconds_late: int, is_forgotten: bool
) -> None:
    session = new_session()
    sessions.start(session)

    removed = sum(sessions.purge(until=session.token.expires_at + seconds_late))

    assert removed == int(is_forgotten)
    assert (held(sessions, session.token) is None) is is_forgotten


def test_a_rotation_keeps_a_session(sessions: Sessions) -> None:
    session = new_session()
    sessions.start(session)
    sessions.rotate(next_rotation(session, now=session.token.expires_at - 1))

    assert sum(sessions.purge(until=session.token.expires_at)) == 0


def test_a_shortened_life_does_not_forget_a_token_that_lives_longer(sessions: Sessions) -> None:
    """The next token expires earlier than the one it was traded for, which verifies until its own expiry."""
    session = new_session()
    sessions.start(session)
    sessions.rotate(next_rotation(session, policy=SHORT))

    assert sum(sessions.purge(until=session.token.expires_at - 1)) == 0
    assert sum(sessions.purge(until=session.token.expires_at)) == 1


def test_a_revoked_session_is_kept_to_its_absolute_end(sessions: Sessions) -> None:
    """A token whose own write was lost may live that long."""
    session = new_session()
    sessions.start(session)
    sessions.revoke(session.token, at=START, reason=LOGOUT)

    assert sum(sessions.purge(until=session.token.ends_at - 1)) == 0
    assert sum(sessions.purge(until=session.token.ends_at)) == 1


def test_a_tombstone_is_kept_to_the_absolute_end(sessions: Sessions) -> None:
    session = new_session()
    sessions.revoke(session.token, at=START, reason=LOGOUT)

    assert sum(sessions.purge(until=session.token.ends_at - 1)) == 0
    assert sum(sessions.purge(until=session.token.ends_at)) == 1


def test_many_sessions_are_forgotten_in_small_batches(sessions: Sessions) -> None:
    """None of the live ones among them."""
    count = 701
    live = []
    for number in range(count):
        token = new_session(now=START + (number % 2) * 3600, policy=SHORT).token
        # Not `start`, which waits for the disk every time.
        assert sessions.rotate(restoring_rotation(token, policy=SHORT)) is not None
        if number % 2:
            live.append(token)

    batches = list(sessions.purge(until=START + 3000))

    assert sum(batches) == count - len(live)
    assert len(batches) > 1
    assert max(batches) <= 500
    assert all(held(sessions, token) is not None for token in live)
    assert sum(sessions.purge(until=START + 3000)) == 0


def test_the_mark_of_a_purge_is_there_before_the_first_row_goes(sessions: Sessions) -> None:
    """A purge that is interrupted leaves nothing that could count as new."""
    session = new_session()
    sessions.start(session)

    next(sessions.purge(until=session.token.ends_at))

    assert sessions.get(session.token.user_id, session.token.session_id).purged_until == session.token.ends_at


def test_the_mark_of_a_purge_never_moves_back(sessions: Sessions) -> None:
    for until, expected in ((START, START), (START - 100, START), (START + 1, START + 1)):
        list(sessions.purge(until=until))

        assert sessions.get(new_user_id(), new_id()).purged_until == expected


def test_a_forgotten_revocation_stays_when_the_clock_is_set_back(sessions: Sessions) -> None:
    """No token of the session is worth anything, not even one whose own write was lost."""
    session = new_session()
    sessions.start(session)
    sessions.revoke(session.token, at=START, reason=LOGOUT)
    assert sum(sessions.purge(until=session.token.ends_at)) == 1

    for token in (session.token, replace(session.token, generation=5, expires_at=session.token.ends_at)):
        standing = sessions.get(session.token.user_id, session.token.session_id)
        assert standing.decide(token, now=START + 1, policy=POLICY) is Decision.REFUSE
        assert sessions.rotate(restoring_rotation(token, now=START + 1)) is None
        rotation = replace(restoring_rotation(token, now=START + 1), replaces=token.generation)
        assert sessions.rotate(rotation) is None


def test_a_cut_off_is_kept_while_any_session_that_it_ended_could_live(sessions: Sessions) -> None:
    longest = SessionPolicy(session_ttl=MAX_SESSION_TTL, refresh_token_ttl=MAX_SESSION_TTL)
    session = new_session(policy=longest)
    sessions.start(session)
    sessions.end_all(session.token.user_id, at=START)

    list(sessions.purge(until=session.token.ends_at - 1))
    assert sessions.get(session.token.user_id, session.token.session_id).cut_off == CutOff(ended_at=START)

    list(sessions.purge(until=session.token.ends_at))
    assert sessions.get(session.token.user_id, session.token.session_id).cut_off is None


def test_a_forgotten_cut_off_stays_when_the_clock_is_set_back(sessions: Sessions) -> None:
    session = new_session()
    sessions.start(session)
    sessions.end_all(session.token.user_id, at=START)
    list(sessions.purge(until=START + MAX_SESSION_TTL))

    standing = sessions.get(session.token.user_id, session.token.session_id)
    assert standing.decide(session.token, now=START + 1, policy=POLICY) is Decision.REFUSE
    assert sessions.rotate(restoring_rotation(session.token, now=START + 1)) is None


def test_a_purge_beside_refreshes_forgets_no_rotation(sessions: Sessions, race: Race) -> None:
    """Each session is rotated while it is purged: either the rotation finds no row, or its row stays."""
    rounds = 30
    rows = [new_session(now=START + 1000 * number, policy=SHORT) for number in range(rounds)]
    for session in rows:
        sessions.start(session)

    def purge_or_refresh(turn: Turn) -> bool:
        """Tell whether the row is there, and whether it has rotated."""
        session = rows[turn.number]
        if turn.contender == 0:
            list(sessions.purge(until=session.kept_until))
            turn.wait_for_all()
            return held(sessions, session.token) is not None
        has_rotated = sessions.rotate(next_rotation(session, now=session.kept_until, policy=SHORT)) is not None
        turn.wait_for_all()
        return has_rotated

    for is_there, has_rotated in race.run(purge_or_refresh, rounds=rounds, contenders=2):
        assert is_there is has_rotated
