"""What every store of sessions promises however many threads call it at once."""

from domain.model.decisions import Decision
from domain.model.sessions import RevocationReason, Session, rotate
from domain.model.tokens import RefreshToken
from ports.sessions import Sessions
from tests.builders import POLICY, new_session, restoring_step
from tests.race import Race, Turn
from tests.fakes.clock import START

ROUNDS = 12
LOGOUT = RevocationReason.LOGOUT


def refresh_by_looking(sessions: Sessions, session: Session, *, now: int) -> bool:
    """Take a step from whatever the store holds now."""
    held = sessions.get(session.id, session.user_id).session
    assert held is not None
    return sessions.advance(rotate(held.current_token(), now=now, policy=POLICY, replaces=held.generation))


def is_worth_nothing(sessions: Sessions, token: RefreshToken) -> bool:
    standing = sessions.get(token.session_id, token.user_id)
    replaces = standing.session.generation if standing.session else None
    step = rotate(token, now=START + 60, policy=POLICY, replaces=replaces)
    return standing.decide(token, now=START + 60, policy=POLICY) is Decision.REFUSE and not sessions.advance(step)


def test_one_of_many_takes_the_step(sessions: Sessions, race: Race) -> None:
    session = new_session()
    sessions.start(session)

    def get_then_advance(turn: Turn) -> bool:
        held = sessions.get(session.id, session.user_id).session
        assert held is not None
        assert held.generation == turn.number + 1
        turn.wait_for_all()
        won = sessions.advance(rotate(held.current_token(), now=START, policy=POLICY, replaces=held.generation))
        turn.wait_for_all()
        return won

    winners = [results.count(True) for results in race.run(get_then_advance, rounds=ROUNDS)]

    assert winners == [1] * ROUNDS
    held = sessions.get(session.id, session.user_id).session
    assert held is not None
    assert (held.generation, held.parent_generation) == (ROUNDS + 1, ROUNDS)


def test_no_step_is_lost_and_none_is_taken_twice(sessions: Sessions, race: Race) -> None:
    """Without an agreed moment: looks and steps of all threads interleave as they like."""
    session = new_session()
    sessions.start(session)

    results = race.run(lambda _: refresh_by_looking(sessions, session, now=START), rounds=ROUNDS)

    held = sessions.get(session.id, session.user_id).session
    assert held is not None
    assert held.generation == 1 + sum(won for turn in results for won in turn)


def test_one_of_many_brings_back_a_lost_session(sessions: Sessions, race: Race) -> None:
    """Each presents a token of its own generation; the row is that of the one who won."""
    lost = [new_session() for _ in range(ROUNDS)]

    def restore(turn: Turn) -> bool:
        token = lost[turn.number].current_token()
        return sessions.advance(restoring_step(token, now=START + turn.contender))

    for session, results in zip(lost, race.run(restore, rounds=ROUNDS), strict=True):
        assert results.count(True) == 1
        held = sessions.get(session.id, session.user_id).session
        assert held is not None
        assert held.rotated_at == START + results.index(True)


def test_one_of_many_ends_the_session(sessions: Sessions, race: Race) -> None:
    """With a row in even rounds, as a tombstone in odd ones; the first one's time stands."""
    ended = [new_session() for _ in range(ROUNDS)]
    for session in ended[::2]:
        sessions.start(session)

    def revoke(turn: Turn) -> bool:
        return sessions.revoke(ended[turn.number].current_token(), at=START + turn.contender, reason=LOGOUT)

    for session, results in zip(ended, race.run(revoke, rounds=ROUNDS), strict=True):
        assert results.count(True) == 1
        held = sessions.get(session.id, session.user_id).session
        assert held is not None
        assert held.revoked_at == START + results.index(True)


def test_nothing_lives_on_once_a_revocation_has_returned(sessions: Sessions, race: Race) -> None:
    """One thread ends the session while fifteen refresh it as fast as they can."""
    rounds = [new_session() for _ in range(ROUNDS)]
    for session in rounds:
        sessions.start(session)

    def revoke_or_refresh(turn: Turn) -> Session | None:
        session = rounds[turn.number]
        if turn.contender == 7:
            assert sessions.revoke(session.current_token(), at=START, reason=LOGOUT)
            return sessions.get(session.id, session.user_id).session
        for _ in range(3):
            refresh_by_looking(sessions, session, now=START)
        return None

    for session, results in zip(rounds, race.run(revoke_or_refresh, rounds=ROUNDS), strict=True):
        after_revoking = results[7]
        assert after_revoking is not None
        assert after_revoking.revoked_at == START
        assert sessions.get(session.id, session.user_id).session == after_revoking
        assert is_worth_nothing(sessions, after_revoking.current_token())


def test_a_lost_session_that_is_brought_back_while_it_is_revoked_is_revoked(sessions: Sessions, race: Race) -> None:
    rounds = [new_session() for _ in range(ROUNDS * 2)]

    def revoke_or_restore(turn: Turn) -> bool:
        token = rounds[turn.number].current_token()
        if turn.contender == 0:
            return sessions.revoke(token, at=START, reason=LOGOUT)
        return sessions.advance(restoring_step(token))

    for session, (was_revoked, *_) in zip(
        rounds, race.run(revoke_or_restore, rounds=len(rounds), contenders=4), strict=True
    ):
        assert was_revoked
        held = sessions.get(session.id, session.user_id).session
        assert held is not None
        assert is_worth_nothing(sessions, held.current_token())


def test_nothing_lives_on_once_all_sessions_were_ended(sessions: Sessions, race: Race) -> None:
    """What a refresh beside the cut-off was given is dead when the cut-off has returned."""
    rounds = [new_session() for _ in range(ROUNDS)]
    for session in rounds:
        sessions.start(session)

    def end_all_or_refresh(turn: Turn) -> None:
        session = rounds[turn.number]
        if turn.contender == 7:
            sessions.end_all(session.user_id, at=START)
            assert sessions.list_live(session.user_id, now=START) == []
        else:
            for _ in range(3):
                refresh_by_looking(sessions, session, now=START)

    race.run(end_all_or_refresh, rounds=ROUNDS)

    for session in rounds:
        held = sessions.get(session.id, session.user_id).session
        assert held is not None
        assert is_worth_nothing(sessions, held.current_token())


def test_starting_one_session_many_times_at_once_adds_it_once(sessions: Sessions, race: Race) -> None:
    """And ending all of a user's sessions at once leaves one cut-off, the latest."""
    rounds = [new_session() for _ in range(ROUNDS)]

    def start_then_end_all(turn: Turn) -> int:
        session = rounds[turn.number]
        sessions.start(session)
        count = len(sessions.list_live(session.user_id, now=START))
        turn.wait_for_all()
        sessions.end_all(session.user_id, at=START + turn.contender)
        return count

    for session, counts in zip(rounds, race.run(start_then_end_all, rounds=ROUNDS), strict=True):
        assert set(counts) == {1}
        assert sessions.get(session.id, session.user_id).cut_off == START + 15
