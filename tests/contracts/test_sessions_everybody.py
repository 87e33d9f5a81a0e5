"""What every store of sessions promises about ending everybody's."""

from domain.model.sessions import RevocationReason
from domain.model.tokens import MAX_SESSION_TTL, new_id
from ports.sessions import Sessions
from tests.builders import WHOLE_LIST, new_session, new_user_id, next_rotation, restoring_rotation
from tests.fakes.clock import START


def test_sessions_of_all_users_are_over_that_had_started_by_then(sessions: Sessions) -> None:
    """A session of the same second is covered, one of the next is not."""
    earlier, same = new_session(now=START - 1), new_session(now=START)
    later = new_session(earlier.token.user_id, now=START + 1)
    for session in (earlier, same, later):
        sessions.start(session)

    assert sessions.end_everybody(started_by=START, at=START) in (2, None)

    for session in (earlier, same):
        assert sessions.rotate(next_rotation(session)) is None
    assert sessions.rotate(next_rotation(later)) is not None
    assert [live.token.session_id for live in sessions.list_live(earlier.token.user_id, WHOLE_LIST, now=START + 1)] == [
        later.token.session_id
    ]
    assert sessions.list_live(same.token.user_id, WHOLE_LIST, now=START) == []


def test_a_session_whose_row_was_lost_stays_over(sessions: Sessions) -> None:
    """It started after the backup that was restored, so nothing is known of it, its revocation included."""
    lost, newer = new_session(now=START), new_session(now=START + 1)
    sessions.end_everybody(started_by=START, at=START + 5)

    assert sessions.rotate(restoring_rotation(lost.token)) is None
    assert sessions.rotate(restoring_rotation(newer.token)) is not None


def test_whoever_reads_a_standing_is_told(sessions: Sessions) -> None:
    session = new_session()
    assert sessions.get(session.token.user_id, session.token.session_id).everybody_cut_off is None

    sessions.end_everybody(started_by=START, at=START)

    standing = sessions.get(session.token.user_id, session.token.session_id)
    assert standing.everybody_cut_off == START
    assert standing.cut_off is None


def test_it_never_moves_back(sessions: Sessions) -> None:
    sessions.end_everybody(started_by=START, at=START)
    sessions.end_everybody(started_by=START - 100, at=START)

    assert sessions.get(new_user_id(), new_id()).everybody_cut_off == START


def test_what_is_over_already_is_not_counted(sessions: Sessions) -> None:
    revoked, expired, cut_off, live = (new_session(now=START) for _ in range(4))
    for session in (revoked, cut_off, live):
        sessions.start(session)
    sessions.start(new_session(now=START - 365 * 86_400))
    sessions.revoke(revoked.token, at=START, reason=RevocationReason.LOGOUT)
    sessions.end_all(cut_off.token.user_id, at=START)

    assert sessions.end_everybody(started_by=START, at=START) in (1, None)
    assert sessions.end_everybody(started_by=START, at=START) in (0, None)
    assert sessions.list_live(expired.token.user_id, WHOLE_LIST, now=START) == []


def test_nobody_is_spared_by_it_and_nobody_revived_later(sessions: Sessions) -> None:
    """Not a session that its user's own cut-off spares, before or after."""
    spared = new_session()
    sessions.start(spared)
    user_id, session_id = spared.token.user_id, spared.token.session_id
    sessions.end_all(user_id, at=START, spare=session_id)
    assert sessions.rotate(next_rotation(spared)) is not None
    sessions.end_everybody(started_by=START, at=START)

    sessions.end_all(user_id, at=START + 1, spare=session_id)

    assert sessions.list_live(user_id, WHOLE_LIST, now=START) == []
    assert sessions.get(user_id, session_id).everybody_cut_off == START


def test_it_is_forgotten_when_nothing_that_it_covers_can_be_left(sessions: Sessions) -> None:
    sessions.end_everybody(started_by=START, at=START)
    for until, expected in ((START + MAX_SESSION_TTL - 1, START), (START + MAX_SESSION_TTL, None)):
        for _ in sessions.purge(until=until):
            pass
        assert sessions.get(new_user_id(), new_id()).everybody_cut_off == expected
