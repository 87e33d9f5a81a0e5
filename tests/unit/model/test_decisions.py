"""The rule that decides what a presented refresh token is worth, as a table of histories.

All times are seconds after the sign-in. A rotation at a time makes the next generation from the current one; the
first token is of generation 1. Grace is 30 s and recovery 24 h unless the row says otherwise.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.model.decisions import Decision, Standing
from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken
from tests.builders import new_session
from tests.fakes.clock import START

patient = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
ADVANCE, HEAL, REPLAY, RECOVER = Decision.ADVANCE, Decision.HEAL, Decision.REPLAY, Decision.RECOVER
REFUSE, END = Decision.REFUSE, Decision.END_SESSION
DAY = 86_400
POLICY = SessionPolicy(replay_grace=30, lost_answer_recovery=DAY)


def session_rotated(*times: int, policy: SessionPolicy = POLICY) -> Session:
    session = new_session()
    for time in times:
        session = traded(session, session.generation, time, policy=policy)
    return session


def traded(session: Session, generation: int, time: int, *, policy: SessionPolicy = POLICY) -> Session:
    """Return the session after its token of `generation` was traded for a new one."""
    step = rotate(token(session, generation), now=START + time, policy=policy, replaces=session.generation)
    return session.rotated(step)


def token(session: Session, generation: int) -> RefreshToken:
    return replace(session.current_token(), generation=generation)


def decision(
    session: Session,
    generation: int,
    time: int,
    *,
    policy: SessionPolicy = POLICY,
    cut_off: int | None = None,
) -> Decision:
    standing = Standing(session=session, cut_off=cut_off, purged_until=None)
    return standing.decide(token(session, generation), now=START + time, policy=policy)


@pytest.mark.parametrize(
    ("rotated_at", "generation", "now", "expected"),
    [
        # The current token, however old or new.
        ((), 1, 0, ADVANCE),
        ((), 1, 10 * DAY, ADVANCE),
        ((100,), 2, 100, ADVANCE),
        ((100, 200, 300), 4, 300, ADVANCE),
        # A generation that the store has not seen, though this service has signed it.
        ((), 2, 0, HEAL),
        ((100,), 7, 100, HEAL),
        # The parent of the current token: replayed for the grace, recovered for a day, then reused.
        ((100,), 1, 100, REPLAY),
        ((100,), 1, 129, REPLAY),
        ((100,), 1, 130, REPLAY),
        ((100,), 1, 131, RECOVER),
        ((100,), 1, 99 + DAY, RECOVER),
        ((100,), 1, 100 + DAY, RECOVER),
        ((100,), 1, 101 + DAY, END),
        # Older than the parent: its successor was presented, so nothing was lost.
        ((100, 200), 1, 200, END),
        ((100, 200), 1, 100, REPLAY),  # the clock says that it was superseded just now
        ((100, 200, 300), 1, 300, END),
        ((100, 200, 300), 2, 300, END),
        # Three tabs and two quick rotations: the third tab's token is two generations old and honest.
        ((100, 105), 1, 106, REPLAY),
        ((100, 105), 1, 129, REPLAY),
        ((100, 105), 1, 130, REPLAY),
        ((100, 105), 1, 131, END),
        ((100, 105), 2, 135, REPLAY),
        ((100, 105), 2, 136, RECOVER),
        # Two marks, more than half a grace apart: each covers the tokens from its own on.
        ((100, 116, 120), 1, 130, REPLAY),
        ((100, 116, 120), 1, 131, END),
        ((100, 116, 120), 2, 131, REPLAY),
        ((100, 116, 120), 2, 145, REPLAY),
        ((100, 116, 120), 2, 146, REPLAY),
        ((100, 116, 120), 2, 147, END),
        ((100, 116, 120), 3, 150, REPLAY),
        ((100, 116, 120), 3, 151, RECOVER),
        # At exactly half a grace the first mark still stands alone, and covers both tokens.
        ((100, 115, 120), 1, 130, REPLAY),
        ((100, 115, 120), 2, 130, REPLAY),
        ((100, 115, 120), 2, 131, END),
        # A third mark drops the first, whose token is too old by then.
        ((100, 116, 132), 1, 132, END),
        ((100, 116, 132), 2, 146, REPLAY),
        ((100, 116, 132), 2, 147, END),
        # A burst: the mark that was due first covers them all, and no request extends it.
        ((100, 101, 102, 103), 1, 130, REPLAY),
        ((100, 101, 102, 103), 2, 130, REPLAY),
        ((100, 101, 102, 103), 3, 130, REPLAY),
        ((100, 101, 102, 103), 3, 131, END),
        ((100, 101, 102, 103), 4, 133, REPLAY),
        # A clock that was set back stretches neither span.
        ((100,), 2, -10 * DAY, ADVANCE),
        ((100,), 1, 70, REPLAY),
        ((100,), 1, 69, RECOVER),
        ((100,), 1, 100 - DAY, RECOVER),
        ((100,), 1, 99 - DAY, END),
        ((100, 200), 1, 69, END),
    ],
)
def test_decision(rotated_at: tuple[int, ...], generation: int, now: int, expected: Decision) -> None:
    assert decision(session_rotated(*rotated_at), generation, now) is expected


@pytest.mark.parametrize(
    ("grace", "recovery", "now", "expected"),
    [
        (0, DAY, 100, RECOVER),
        (0, DAY, 100 + DAY, RECOVER),
        (0, DAY, 101 + DAY, END),
        (30, 0, 130, REPLAY),
        (30, 0, 131, END),
        (0, 0, 100, END),
        (1, 0, 101, REPLAY),
        (1, 0, 102, END),
        (300, 0, 400, REPLAY),
        (300, 0, 401, END),
        (30, 10, 111, REPLAY),  # a recovery shorter than the grace adds nothing
        (30, 10, 131, END),
    ],
)
def test_decision_on_the_parent_of_100_by_policy(grace: int, recovery: int, now: int, expected: Decision) -> None:
    policy = SessionPolicy(replay_grace=grace, lost_answer_recovery=recovery)

    assert decision(session_rotated(100, policy=policy), 1, now, policy=policy) is expected


def test_no_grace_forgives_a_burst_when_there_is_none() -> None:
    """A hundred rotations within one second: each older token is seen as what it is."""
    strict = SessionPolicy(replay_grace=0, lost_answer_recovery=0)
    session = session_rotated(*[100] * 100, policy=strict)

    assert {decision(session, old, 100, policy=strict) for old in range(1, 101)} == {END}
    assert decision(session, 101, 100, policy=strict) is ADVANCE


@pytest.mark.parametrize(
    ("generation", "now", "expected"),
    [
        (3, 5000, ADVANCE),
        (1, 5000, REPLAY),
        (1, 5030, REPLAY),
        (1, 5031, RECOVER),
        (1, 5000 + DAY, RECOVER),
        (1, 5001 + DAY, END),
        (2, 5030, REPLAY),
        (2, 5031, END),
    ],
)
def test_decision_after_a_recovery(generation: int, now: int, expected: Decision) -> None:
    """Token 1 was traded for 2 at 100, came back at 5000 and was traded for 3: 2 is left behind, a token of reuse."""
    recovered = traded(session_rotated(100), 1, 5000)
    assert recovered.generation == 3

    assert decision(recovered, generation, now) is expected


@pytest.mark.parametrize(
    ("generation", "now", "expected"),
    [(10, 500, ADVANCE), (9, 530, REPLAY), (9, 531, RECOVER), (8, 500, END), (2, 500, END), (1, 500, END)],
)
def test_decision_after_healing(generation: int, now: int, expected: Decision) -> None:
    """The store held generation 2 when token 9 proved that it had lost seven rotations."""
    healed = traded(session_rotated(100), 9, 500)
    assert healed.lost_generations == 7

    assert decision(healed, generation, now) is expected


@pytest.mark.parametrize("generation", range(1, 6))
def test_nothing_outlives_a_revocation(generation: int) -> None:
    """No grace, no recovery, no current token and none from the future."""
    revoked = session_rotated(100, 101, 102).revoked(at=START + 102, reason=RevocationReason.LOGOUT)

    assert decision(revoked, generation, 102) is REFUSE


@pytest.mark.parametrize("generation", range(1, 5))
@pytest.mark.parametrize(("cut_off", "is_over"), [(START - 1, False), (START, True), (START + 100, True)])
def test_nothing_outlives_a_cut_off(generation: int, cut_off: int, *, is_over: bool) -> None:
    """It ends the sessions that had started by then, also those whose row is lost."""
    session = session_rotated(100, 101)

    assert (decision(session, generation, 101, cut_off=cut_off) is REFUSE) is is_over
    no_row = Standing(session=None, cut_off=cut_off, purged_until=None)
    assert no_row.decide(token(session, generation), now=START, policy=POLICY) is (REFUSE if is_over else HEAL)


def test_a_session_that_the_store_does_not_know_is_healed() -> None:
    unknown = Standing(session=None, cut_off=None, purged_until=None)

    assert unknown.decide(session_rotated(100).current_token(), now=START + 200, policy=POLICY) is HEAL


@pytest.mark.parametrize(("before_the_end", "expected"), [(1, HEAL), (0, REFUSE), (-1, REFUSE)])
def test_a_session_that_a_purge_may_have_forgotten_is_over(before_the_end: int, expected: Decision) -> None:
    """If its token expires by the second up to which was purged; a session that has a row is not concerned."""
    session = session_rotated(100)
    current = session.current_token()
    purged_until = current.expires_at - before_the_end

    forgotten = Standing(session=None, cut_off=None, purged_until=purged_until)
    assert forgotten.decide(current, now=START, policy=POLICY) is expected
    kept = Standing(session=session, cut_off=None, purged_until=purged_until)
    assert kept.decide(current, now=START, policy=POLICY) is ADVANCE


@given(
    spans=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    grace=st.integers(1, 60),
    wait=st.integers(0, 100),
)
@patient
def test_every_token_has_half_a_grace_the_parent_a_whole_one_and_none_more(
    spans: list[int], grace: int, wait: int
) -> None:
    """Whatever the rotations, on a clock that only goes forward."""
    policy = SessionPolicy(replay_grace=grace, lost_answer_recovery=0)
    times = [sum(spans[: count + 1]) for count in range(len(spans))]
    session = session_rotated(*times, policy=policy)
    now = times[-1] + wait
    for generation, superseded_at in enumerate(times, start=1):
        age = now - superseded_at
        is_replayed = decision(session, generation, now, policy=policy) is REPLAY
        if age > grace:
            assert not is_replayed
        elif age <= grace // 2 or generation == session.parent_generation:
            assert is_replayed
