"""The rule that decides what a presented refresh token is worth, as a table of histories.

All times are seconds after the sign-in. A rotation at a time makes the next generation from the current one; the
first token is of generation 1. Grace is 30 s and recovery 24 h unless the row says otherwise.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.decisions import Decision, Standing
from domain.model.sessions import CutOff, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from tests.builders import access_token_of, new_session
from tests.fakes.clock import START

REFUSE, HEAL, KEEP, REPEAT = Decision.REFUSE, Decision.HEAL, Decision.KEEP, Decision.REPEAT
ROTATE, RECOVER, REUSE = Decision.ROTATE, Decision.RECOVER, Decision.REUSE
DAY = 86_400
POLICY = SessionPolicy(replay_grace=30, lost_answer_recovery=DAY)
ROTATION_OFF = replace(POLICY, rotation=False)


def session_rotated(*times: int) -> Session:
    session = new_session()
    for time in times:
        session = rotated(session, session.token.generation, time)
    return session


def rotated(session: Session, generation: int, time: int) -> Session:
    """Return the session after its token of `generation` was traded for a new one."""
    replaces = session.token.generation
    return session.rotated(rotate(token(session, generation), now=START + time, policy=POLICY, replaces=replaces))


def token(session: Session, generation: int) -> RefreshToken:
    return replace(session.token, generation=generation)


def decision(
    session: Session, generation: int, time: int, *, policy: SessionPolicy = POLICY, cut_off: CutOff | None = None
) -> Decision:
    standing = Standing(session=session, cut_off=cut_off, purged_until=None)
    return standing.decide(token(session, generation), now=START + time, policy=policy)


@pytest.mark.parametrize(
    ("rotated_at", "generation", "now", "expected"),
    [
        # A session that has never rotated is not young: the first refresh after a sign-in rotates.
        ((), 1, 0, ROTATE),
        ((), 1, 30, ROTATE),
        ((), 1, 10 * DAY, ROTATE),
        # The current token: once more for the grace, then the next one.
        ((100,), 2, 100, REPEAT),
        ((100,), 2, 130, REPEAT),
        ((100,), 2, 131, ROTATE),
        ((100,), 2, 10 * DAY, ROTATE),
        ((100, 200, 300), 4, 330, REPEAT),
        ((100, 200, 300), 4, 331, ROTATE),
        # Its parent: the current token for the grace, recovered for a day, then reused.
        ((100,), 1, 100, REPEAT),
        ((100,), 1, 130, REPEAT),
        ((100,), 1, 131, RECOVER),
        ((100,), 1, 100 + DAY, RECOVER),
        ((100,), 1, 101 + DAY, REUSE),
        # Older than the parent: its successor was presented, so nothing was lost.
        ((100, 200), 1, 200, REUSE),
        ((100, 200), 1, 100, REUSE),
        ((100, 200), 2, 200, REPEAT),
        ((100, 200, 300), 2, 300, REUSE),
        # A generation that the store has not seen, though this service has signed it.
        ((), 2, 0, HEAL),
        ((100,), 3, 100, HEAL),
        ((100,), 7, 10 * DAY, HEAL),
        # A clock that was set back stretches neither span.
        ((100,), 2, 70, REPEAT),
        ((100,), 2, 69, ROTATE),
        ((100,), 1, 70, REPEAT),
        ((100,), 1, 69, RECOVER),
        ((100,), 1, 100 - DAY, RECOVER),
        ((100,), 1, 99 - DAY, REUSE),
    ],
)
def test_decision(rotated_at: tuple[int, ...], generation: int, now: int, expected: Decision) -> None:
    assert decision(session_rotated(*rotated_at), generation, now) is expected


@pytest.mark.parametrize(
    ("grace", "recovery", "now", "of_the_current", "of_the_parent"),
    [
        # Without a grace every use rotates, and nothing is forgiven within the moment.
        (0, DAY, 100, ROTATE, RECOVER),
        (0, DAY, 100 + DAY, ROTATE, RECOVER),
        (0, DAY, 101 + DAY, ROTATE, REUSE),
        (0, 0, 100, ROTATE, REUSE),
        (1, 0, 101, REPEAT, REPEAT),
        (1, 0, 102, ROTATE, REUSE),
        (30, 0, 130, REPEAT, REPEAT),
        (30, 0, 131, ROTATE, REUSE),
        (300, 0, 400, REPEAT, REPEAT),
        (300, 0, 401, ROTATE, REUSE),
        # A recovery shorter than the grace adds nothing.
        (30, 10, 130, REPEAT, REPEAT),
        (30, 10, 131, ROTATE, REUSE),
    ],
)
def test_decision_by_policy_of_a_session_rotated_at_100(
    grace: int, recovery: int, now: int, of_the_current: Decision, of_the_parent: Decision
) -> None:
    policy = SessionPolicy(replay_grace=grace, lost_answer_recovery=recovery)
    session = session_rotated(100)

    assert decision(session, 2, now, policy=policy) is of_the_current
    assert decision(session, 1, now, policy=policy) is of_the_parent


@pytest.mark.parametrize(
    ("rotated_at", "generation", "now", "expected"),
    [
        # The current token stays in use, young or not.
        ((), 1, 0, KEEP),
        ((100,), 2, 100, KEEP),
        ((100,), 2, 10 * DAY, KEEP),
        # The parent is led back to the current token, and never served side by side with it.
        ((100,), 1, 130, REPEAT),
        ((100,), 1, 131, RECOVER),
        ((100,), 1, 101 + DAY, REUSE),
        ((100, 200), 1, 200, REUSE),
        ((100,), 3, 100, HEAL),
    ],
)
def test_decision_while_rotation_is_off(
    rotated_at: tuple[int, ...], generation: int, now: int, expected: Decision
) -> None:
    assert decision(session_rotated(*rotated_at), generation, now, policy=ROTATION_OFF) is expected


@pytest.mark.parametrize(
    ("generation", "now", "expected"),
    [
        (3, 5030, REPEAT),
        (3, 5031, ROTATE),
        (1, 5030, REPEAT),
        (1, 5031, RECOVER),
        (1, 5000 + DAY, RECOVER),
        (1, 5001 + DAY, REUSE),
        (2, 5000, REUSE),
    ],
)
def test_decision_after_a_recovery(generation: int, now: int, expected: Decision) -> None:
    """Token 1 was traded for 2 at 100, came back at 5000 and was traded for 3: 2 is left behind, a token of reuse."""
    recovered = rotated(session_rotated(100), 1, 5000)
    assert recovered.token.generation == 3

    assert decision(recovered, generation, now) is expected


@pytest.mark.parametrize(
    ("generation", "now", "expected"),
    [
        (10, 530, REPEAT),
        (10, 531, ROTATE),
        (9, 530, REPEAT),
        (9, 531, RECOVER),
        (8, 500, REUSE),
        (2, 500, REUSE),
        (1, 500, REUSE),
    ],
)
def test_decision_after_healing(generation: int, now: int, expected: Decision) -> None:
    """The store held generation 2 when token 9 proved that it had lost seven rotations."""
    assert decision(rotated(session_rotated(100), 9, 500), generation, now) is expected


@pytest.mark.parametrize("policy", [POLICY, ROTATION_OFF])
@pytest.mark.parametrize("generation", range(1, 6))
def test_nothing_outlives_a_revocation(generation: int, policy: SessionPolicy) -> None:
    """No grace, no recovery, no current token and none from the future."""
    revoked = session_rotated(100, 200, 300).revoked(at=START + 300, reason=RevocationReason.LOGOUT)

    assert decision(revoked, generation, 300, policy=policy) is REFUSE


@pytest.mark.parametrize("policy", [POLICY, ROTATION_OFF])
@pytest.mark.parametrize("generation", range(1, 5))
@pytest.mark.parametrize(("ended_at", "is_over"), [(START - 1, False), (START, True), (START + 100, True)])
def test_nothing_outlives_a_cut_off(generation: int, ended_at: int, policy: SessionPolicy, *, is_over: bool) -> None:
    """It ends the sessions that had started by then, also those whose row is lost."""
    session, cut_off = session_rotated(100, 200), CutOff(ended_at=ended_at)

    assert (decision(session, generation, 200, cut_off=cut_off, policy=policy) is REFUSE) is is_over
    no_row = Standing(session=None, cut_off=cut_off, purged_until=None)
    assert no_row.decide(token(session, generation), now=START, policy=policy) is (REFUSE if is_over else HEAL)


def test_a_cut_off_leaves_the_session_alone_that_it_spares() -> None:
    """With its row and without; a revocation of it counts all the same."""
    session, other = session_rotated(100), session_rotated(100)
    cut_off = CutOff(ended_at=START + 500, spared=session.token.session_id)

    assert decision(session, 2, 500, cut_off=cut_off) is ROTATE
    assert decision(other, 2, 500, cut_off=cut_off) is REFUSE
    no_row = Standing(session=None, cut_off=cut_off, purged_until=None)
    assert no_row.decide(session.token, now=START + 500, policy=POLICY) is HEAL
    assert no_row.decide(other.token, now=START + 500, policy=POLICY) is REFUSE
    revoked = session.revoked(at=START + 501, reason=RevocationReason.LOGOUT)
    assert decision(revoked, 2, 502, cut_off=cut_off) is REFUSE


@pytest.mark.parametrize("policy", [POLICY, ROTATION_OFF])
@pytest.mark.parametrize("generation", [1, 2, 9])
def test_a_session_that_the_store_does_not_know_is_healed(generation: int, policy: SessionPolicy) -> None:
    unknown = Standing(session=None, cut_off=None, purged_until=None)

    assert unknown.decide(token(session_rotated(100), generation), now=START + 100, policy=policy) is HEAL


@pytest.mark.parametrize(("before_the_end", "expected"), [(1, HEAL), (0, REFUSE), (-1, REFUSE)])
def test_a_session_that_a_purge_may_have_forgotten_is_over(before_the_end: int, expected: Decision) -> None:
    """If its token expires by the second up to which was purged; a session that has a row is not concerned."""
    session = session_rotated(100)
    purged_until = session.token.expires_at - before_the_end

    forgotten = Standing(session=None, cut_off=None, purged_until=purged_until)
    assert forgotten.decide(session.token, now=START, policy=POLICY) is expected
    kept = Standing(session=session, cut_off=None, purged_until=purged_until)
    assert kept.decide(session.token, now=START, policy=POLICY) is ROTATE


@given(
    spans=st.lists(st.integers(0, 60), min_size=1, max_size=8),
    wait=st.integers(-2 * DAY, 2 * DAY),
    grace=st.integers(0, 300),
    recovery=st.integers(0, 2 * DAY),
    rotation=st.booleans(),
)
@settings(deadline=None, database=None)
def test_only_the_current_token_and_its_parent_are_worth_anything(
    spans: list[int], wait: int, grace: int, recovery: int, *, rotation: bool
) -> None:
    """Whatever the history, the clock and the policy; and the current token is never held against its bearer."""
    policy = SessionPolicy(replay_grace=grace, lost_answer_recovery=recovery, rotation=rotation)
    times = [sum(spans[: count + 1]) for count in range(len(spans))]
    session, now = session_rotated(*times), times[-1] + wait
    current = session.token.generation

    assert decision(session, current, now, policy=policy) in ({ROTATE, REPEAT} if rotation else {KEEP})
    assert {decision(session, old, now, policy=policy) for old in range(1, current - 1)} <= {REUSE}
    assert decision(session, current + 1, now, policy=policy) is HEAL


@pytest.mark.parametrize(("ended_at", "is_live"), [(None, True), (START - 1, True), (START, False), (START + 1, False)])
def test_an_access_token_counts_while_its_session_is_neither_revoked_nor_cut_off(
    ended_at: int | None, *, is_live: bool
) -> None:
    """Also if the store has lost the session's row; a revocation counts in any case."""
    session = new_session()
    access = access_token_of(session.token)
    cut_off = None if ended_at is None else CutOff(ended_at=ended_at)
    revoked = session.revoked(at=START, reason=RevocationReason.LOGOUT)

    assert Standing(session=session, cut_off=cut_off, purged_until=None).is_live_for(access) is is_live
    assert Standing(session=None, cut_off=cut_off, purged_until=None).is_live_for(access) is is_live
    assert not Standing(session=revoked, cut_off=cut_off, purged_until=None).is_live_for(access)


@pytest.mark.parametrize(("until", "is_live"), [(899, True), (900, False), (901, False)])
def test_an_access_token_of_a_session_that_a_purge_may_have_forgotten_does_not_count(
    until: int, *, is_live: bool
) -> None:
    session = new_session()
    access = access_token_of(session.token, ttl=900)

    assert Standing(session=None, cut_off=None, purged_until=START + until).is_live_for(access) is is_live
    assert Standing(session=session, cut_off=None, purged_until=START + until).is_live_for(access)
