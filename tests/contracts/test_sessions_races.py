"""What every store of sessions promises however many threads call it at once."""

from domain.model.decisions import Decision
from domain.model.sessions import CutOff, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from ports.sessions import Sessions
from tests.builders import WHOLE_LIST, held, new_session, next_rotation, restoring_rotation
from tests.fakes.clock import START
from tests.race import Race, Turn

ROUNDS = 12
EAGER = SessionPolicy(replay_grace=0)
LOGOUT = RevocationReason.LOGOUT


def refresh_by_looking(sessions: Sessions, session: Session, *, now: int) -> bool:
    """Rotate whatever the store holds now."""
    now_held = held(sessions, session.token)
    assert now_held is not None
    return sessions.rotate(next_rotation(now_held, now=now, policy=EAGER)) is not None


def is_worth_nothing(sessions: Sessions, token: RefreshToken) -> bool:
    standing = sessions.get(token.user_id, token.session_id)
    replaces = standing.session.token.generation if standing.session else None
    rotation = rotate(token, now=START + 60, policy=EAGER, replaces=replaces)
    decision = standing.decide(token, now=START + 60, policy=EAGER)
    return decision is Decision.REFUSE and sessions.rotate(rotation) is None


def test_one_of_many_rotates_a_session(sessions: Sessions, race: Race) -> None:
    session = new_session()
    sessions.start(session)

    def get_then_rotate(turn: Turn) -> bool:
        now_held = held(sessions, session.token)
        assert now_held is not None
        assert now_held.token.generation == turn.number + 1
        turn.wait_for_all()
        has_won = sessions.rotate(next_rotation(now_held)) is not None
        turn.wait_for_all()
        return has_won

    winners = [results.count(True) for results in race.run(get_then_rotate, rounds=ROUNDS)]

    assert winners == [1] * ROUNDS
    after = held(sessions, session.token)
    assert after is not None
    assert (after.token.generation, after.parent_generation) == (ROUNDS + 1, ROUNDS)


def test_no_rotation_is_lost_and_none_is_taken_twice(sessions: Sessions, race: Race) -> None:
    """Without an agreed moment: looks and rotations of all threads interleave as they like."""
    session = new_session()
    sessions.start(session)

    results = race.run(lambda _: refresh_by_looking(sessions, session, now=START), rounds=ROUNDS)

    after = held(sessions, session.token)
    assert after is not None
    assert after.token.generation == 1 + sum(has_won for turn in results for has_won in turn)


def test_one_of_many_brings_back_a_lost_session(sessions: Sessions, race: Race) -> None:
    """Each presents a token of its own generation; the row is that of the one who won."""
    lost = [new_session() for _ in range(ROUNDS)]

    def restore(turn: Turn) -> bool:
        token = lost[turn.number].token
        return sessions.rotate(restoring_rotation(token, now=START + turn.contender)) is not None

    for session, results in zip(lost, race.run(restore, rounds=ROUNDS), strict=True):
        assert results.count(True) == 1
        after = held(sessions, session.token)
        assert after is not None
        assert after.token.issued_at == START + results.index(True)


def test_one_of_many_ends_the_session(sessions: Sessions, race: Race) -> None:
    """With a row in even rounds, as a tombstone in odd ones; the first one's time stands."""
    ended = [new_session() for _ in range(ROUNDS)]
    for session in ended[::2]:
        sessions.start(session)

    def revoke(turn: Turn) -> bool:
        return sessions.revoke(ended[turn.number].token, at=START + turn.contender, reason=LOGOUT)

    for session, results in zip(ended, race.run(revoke, rounds=ROUNDS), strict=True):
        assert results.count(True) == 1
        after = held(sessions, session.token)
        assert after is not None
        assert after.revoked_at == START + results.index(True)


def test_nothing_lives_on_once_a_revocation_has_returned(sessions: Sessions, race: Race) -> None:
    """One thread ends the session while fifteen refresh it as fast as they can."""
    rounds = [new_session() for _ in range(ROUNDS)]
    for session in rounds:
        sessions.start(session)

    def revoke_or_refresh(turn: Turn) -> Session | None:
        session = rounds[turn.number]
        if turn.contender == 7:
            assert sessions.revoke(session.token, at=START, reason=LOGOUT)
            return held(sessions, session.token)
        for _ in range(3):
            refresh_by_looking(sessions, session, now=START)
        return None

    for session, results in zip(rounds, race.run(revoke_or_refresh, rounds=ROUNDS), strict=True):
        after_revoking = results[7]
        assert after_revoking is not None
        assert after_revoking.revoked_at == START
        assert held(sessions, session.token) == after_revoking
        assert is_worth_nothing(sessions, after_revoking.token)


def test_a_lost_session_that_is_brought_back_while_it_is_revoked_is_revoked(sessions: Sessions, race: Race) -> None:
    rounds = [new_session() for _ in range(ROUNDS * 2)]

    def revoke_or_restore(turn: Turn) -> bool:
        token = rounds[turn.number].token
        if turn.contender == 0:
            return sessions.revoke(token, at=START, reason=LOGOUT)
        return sessions.rotate(restoring_rotation(token)) is not None

    for session, (was_revoked, *_) in zip(
        rounds, race.run(revoke_or_restore, rounds=len(rounds), contenders=4), strict=True
    ):
        assert was_revoked
        after = held(sessions, session.token)
        assert after is not None
        assert is_worth_nothing(sessions, after.token)


def test_nothing_lives_on_once_all_sessions_were_ended(sessions: Sessions, race: Race) -> None:
    """What a refresh beside the cut-off was given is dead when the cut-off has returned."""
    rounds = [new_session() for _ in range(ROUNDS)]
    for session in rounds:
        sessions.start(session)

    def end_all_or_refresh(turn: Turn) -> None:
        session = rounds[turn.number]
        if turn.contender == 7:
            sessions.end_all(session.token.user_id, at=START)
            assert sessions.list_live(session.token.user_id, WHOLE_LIST, now=START) == []
        else:
            for _ in range(3):
                refresh_by_looking(sessions, session, now=START)

    race.run(end_all_or_refresh, rounds=ROUNDS)

    for session in rounds:
        after = held(sessions, session.token)
        assert after is not None
        assert is_worth_nothing(sessions, after.token)


def test_starting_one_session_many_times_at_once_adds_it_once(sessions: Sessions, race: Race) -> None:
    """And ending all of a user's sessions at once leaves one cut-off, the latest."""
    rounds = [new_session() for _ in range(ROUNDS)]

    def start_then_end_all(turn: Turn) -> int:
        session = rounds[turn.number]
        sessions.start(session)
        count = len(sessions.list_live(session.token.user_id, WHOLE_LIST, now=START))
        turn.wait_for_all()
        sessions.end_all(session.token.user_id, at=START + turn.contender)
        return count

    for session, counts in zip(rounds, race.run(start_then_end_all, rounds=ROUNDS), strict=True):
        assert set(counts) == {1}
        assert sessions.get(session.token.user_id, session.token.session_id).cut_off == CutOff(ended_at=START + 15)
