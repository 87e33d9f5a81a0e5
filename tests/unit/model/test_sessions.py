"""Sessions as values: how they start, rotate and end."""

import pytest

from domain.model.decisions import Standing
from domain.model.sessions import Mark, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import RefreshToken, new_id
from tests.builders import after_steps, new_session, next_step, restoring_step
from tests.fakes.clock import START

POLICY = SessionPolicy(refresh_token_ttl=1000, session_ttl=5000, replay_grace=30)


def test_a_session_starts_with_its_first_token() -> None:
    session = new_session("ada", device="phone", policy=POLICY)

    assert session.current_token() == RefreshToken(
        session_id=session.id,
        user_id="ada",
        generation=1,
        started_at=START,
        ends_at=START + 5000,
        issued_at=START,
        expires_at=START + 1000,
    )
    assert session.device == "phone"
    assert (session.newer_mark, session.older_mark, session.revoked_at) == (None, None, None)


@pytest.mark.parametrize(
    ("cut_off", "started_at"),
    [(None, START), (START - 1, START), (START, START + 1), (START + 3600, START + 3601)],
)
def test_a_session_starts_after_the_cut_off_of_its_user(cut_off: int | None, started_at: int) -> None:
    """A sign-in in the same second, or with a clock that was set back, is later than the cut-off all the same."""
    session = new_session(cut_off=cut_off, policy=POLICY)

    assert session.started_at == started_at
    assert session.ends_at == started_at + 5000
    assert session.expires_at == START + 1000
    assert Standing(session=session, cut_off=cut_off, purged_until=None).live_session == session


def test_a_first_token_does_not_outlive_its_session() -> None:
    session = new_session(policy=SessionPolicy(refresh_token_ttl=1000, session_ttl=600))

    assert session.expires_at == session.ends_at == START + 600


def test_a_step_gives_the_successor_of_the_token() -> None:
    session = new_session(policy=POLICY)
    step = next_step(session, now=START + 100, policy=POLICY)

    assert step.token() == RefreshToken(
        session_id=session.id,
        user_id=session.user_id,
        generation=2,
        started_at=START,
        ends_at=START + 5000,
        issued_at=START + 100,
        expires_at=START + 1100,
    )
    assert session.rotated(step).current_token() == step.token()
    assert session.rotated(step).parent_generation == 1
    assert step.lost_generations == 0


@pytest.mark.parametrize(("now", "life"), [(3999, 1000), (4000, 1000), (4001, 999), (4999, 1)])
def test_no_rotation_goes_past_the_absolute_end(now: int, life: int) -> None:
    step = next_step(new_session(policy=POLICY), now=START + now, policy=POLICY)

    assert step.expires_at == START + now + life


def test_a_lengthened_session_life_does_not_count_for_a_session_that_has_started() -> None:
    step = next_step(new_session(policy=POLICY), now=START + 4900, policy=SessionPolicy())

    assert step.expires_at == START + 5000


def test_a_shortened_session_life_counts_at_once() -> None:
    """But the end that was fixed at the sign-in stays in the token: a revocation is kept that long."""
    shortened = SessionPolicy(refresh_token_ttl=1000, session_ttl=2000)
    step = next_step(new_session(policy=POLICY), now=START + 1500, policy=shortened)

    assert step.expires_at == START + 2000
    assert step.ends_at == START + 5000


@pytest.mark.parametrize(
    ("presented", "replaces", "generation", "lost"),
    [(3, 3, 4, 0), (3, 4, 5, 0), (1, 4, 5, 0), (9, 3, 10, 6), (3, None, 4, 3)],
)
def test_a_successor_is_above_the_token_and_above_what_the_store_holds(
    presented: int, replaces: int | None, generation: int, lost: int
) -> None:
    """The usual step, a recovery, and the healing of a store that is behind or knows nothing."""
    token = after_steps(new_session(), presented - 1).current_token()

    step = rotate(token, now=START + 60, policy=POLICY, replaces=replaces)

    assert (step.parent_generation, step.generation, step.lost_generations) == (presented, generation, lost)


def test_a_row_is_kept_while_its_last_token_could_verify() -> None:
    """The parent's, when a shortened life makes its successor expire first."""
    session = new_session()
    step = next_step(session, policy=POLICY)

    assert step.expires_at < session.expires_at
    assert session.rotated(step).kept_until == session.expires_at


def test_a_row_that_was_lost_is_kept_to_the_sessions_end() -> None:
    """Nobody knows how far the tokens went that the store has forgotten."""
    session = new_session()

    assert restoring_step(session.current_token(), policy=POLICY).kept_until == session.ends_at


@pytest.mark.parametrize(("grace", "spacing"), [(30, 15), (31, 15), (1, 0), (0, 0), (300, 150)])
def test_marks_are_half_a_grace_apart(grace: int, spacing: int) -> None:
    step = next_step(new_session(), policy=SessionPolicy(replay_grace=grace))

    assert step.mark_spacing == spacing


def test_marks_are_moved_when_the_newer_one_is_old_enough() -> None:
    session = new_session(policy=POLICY)
    history = []
    for time in (100, 115, 116, 131, 90):
        session = session.rotated(next_step(session, now=START + time, policy=POLICY))
        history.append((session.newer_mark, session.older_mark))

    first, second, third = (
        Mark(generation=generation, superseded_at=START + time) for generation, time in ((1, 100), (3, 116), (5, 90))
    )
    assert history == [(first, None), (first, None), (second, first), (second, first), (third, second)]


def test_a_revoked_session_is_kept_to_its_absolute_end() -> None:
    session = new_session(policy=POLICY)

    revoked = session.revoked(at=START + 9, reason=RevocationReason.REUSE)

    assert (revoked.revoked_at, revoked.revocation_reason) == (START + 9, RevocationReason.REUSE)
    assert revoked.kept_until == session.ends_at
    assert revoked.current_token() == session.current_token()


def test_a_recalled_session_is_what_its_token_tells() -> None:
    token = after_steps(new_session(), 3).current_token()

    recalled = Session.recalled(token)

    assert recalled.current_token() == token
    assert (recalled.device, recalled.parent_generation) == ("", 3)


@pytest.mark.parametrize(("cut_off", "is_live"), [(None, True), (START - 1, True), (START, False), (START + 1, False)])
def test_a_live_session_is_neither_revoked_nor_cut_off(cut_off: int | None, *, is_live: bool) -> None:
    session = new_session()
    revoked = session.revoked(at=START, reason=RevocationReason.LOGOUT)

    live = Standing(session=session, cut_off=cut_off, purged_until=None).live_session
    assert live == (session if is_live else None)
    assert Standing(session=revoked, cut_off=cut_off, purged_until=None).live_session is None
    assert Standing(session=None, cut_off=cut_off, purged_until=None).live_session is None


def test_identifiers_are_never_the_same_and_fit_every_store() -> None:
    identifiers = {new_id() for _ in range(1000)}

    assert len(identifiers) == 1000
    assert {len(identifier) for identifier in identifiers} == {22}
