"""Sessions as values: how they rotate and end."""

from dataclasses import replace

import pytest

from domain.model.sessions import CutOff, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import new_id
from tests.builders import after_rotations, new_session, next_rotation, restoring_rotation
from tests.fakes.clock import START

POLICY = SessionPolicy(refresh_token_ttl=1000, session_ttl=5000, replay_grace=30)
ROTATION_OFF = replace(POLICY, rotation=False)


def test_a_rotation_gives_the_successor_of_the_token() -> None:
    session = replace(new_session(policy=POLICY), claims={"amr": ["pwd"]})
    rotation = next_rotation(session, now=START + 100, policy=POLICY)

    successor = replace(session.token, generation=2, issued_at=START + 100, expires_at=START + 1100)
    assert (rotation.presented, rotation.successor) == (session.token, successor)
    assert rotation.lost_generations == 0
    assert session.rotated(rotation) == replace(session, token=successor, parent_generation=1, kept_until=START + 1100)


@pytest.mark.parametrize(("now", "life"), [(3999, 1000), (4000, 1000), (4001, 999), (4999, 1)])
def test_no_rotation_goes_past_the_absolute_end(now: int, life: int) -> None:
    rotation = next_rotation(new_session(policy=POLICY), now=START + now, policy=POLICY)

    assert rotation.successor.expires_at == START + now + life


def test_a_lengthened_session_life_does_not_count_for_a_session_that_has_started() -> None:
    rotation = next_rotation(new_session(policy=POLICY), now=START + 4900, policy=SessionPolicy())

    assert rotation.successor.expires_at == START + 5000


def test_a_shortened_session_life_counts_at_once() -> None:
    """But the end that was fixed at the sign-in stays in the token: a revocation is kept that long."""
    shortened = SessionPolicy(refresh_token_ttl=1000, session_ttl=2000)
    successor = next_rotation(new_session(policy=POLICY), now=START + 1500, policy=shortened).successor

    assert (successor.expires_at, successor.ends_at) == (START + 2000, START + 5000)


@pytest.mark.parametrize("remember", [True, False])
def test_a_successor_says_the_same_of_the_sign_in(*, remember: bool) -> None:
    token = replace(new_session().token, remember=remember)

    successor = rotate(token, now=START + 60, policy=POLICY, replaces=1).successor

    assert (successor.started_at, successor.ends_at, successor.remember) == (START, token.ends_at, remember)


@pytest.mark.parametrize(
    ("presented", "replaces", "generation", "lost"),
    [(3, 3, 4, 0), (3, 4, 5, 0), (1, 4, 5, 0), (9, 3, 10, 6), (3, None, 4, 3)],
)
def test_a_successor_is_above_the_token_and_above_what_the_store_holds(
    presented: int, replaces: int | None, generation: int, lost: int
) -> None:
    """The usual rotation, a recovery, and the healing of a store that is behind or knows nothing."""
    token = after_rotations(new_session(), presented - 1).token

    rotation = rotate(token, now=START + 60, policy=POLICY, replaces=replaces)

    assert rotation.successor.generation == generation
    assert (rotation.parent_generation, rotation.lost_generations) == (presented, lost)


@pytest.mark.parametrize(
    ("generation", "replaces", "grace", "excluded"),
    [
        (2, 2, 30, range(470, 531)),
        (9, 9, 1, range(499, 502)),
        (2, 2, 0, range(0)),
        # The first refresh after a sign-in rotates whenever it comes.
        (1, 1, 30, range(0)),
        # A recovery and a healing: whoever asks for them has seen that the grace is over, or that the row is behind.
        (2, 3, 30, range(0)),
        (9, 3, 30, range(0)),
        (9, None, 30, range(0)),
    ],
)
def test_the_usual_rotation_is_not_taken_while_the_session_is_young(
    generation: int, replaces: int | None, grace: int, excluded: range
) -> None:
    """In a second at most a grace away, before or after: the model's `is_young` says the same."""
    token, policy = replace(new_session().token, generation=generation), replace(POLICY, replay_grace=grace)

    rotation = rotate(token, now=500, policy=policy, replaces=replaces)

    assert rotation.unless_rotated_in == excluded
    for second in range(400, 600) if replaces == generation else ():
        session = Session.recalled(replace(token, issued_at=second))
        assert session.is_young(now=500, grace=grace) is (second in rotation.unless_rotated_in)


@pytest.mark.parametrize("replaces", [None, 1, 3])
def test_while_rotation_is_off_a_store_that_lost_writes_is_given_what_the_token_says(replaces: int | None) -> None:
    token = after_rotations(new_session(), 3).token

    rotation = rotate(token, now=START + 900, policy=ROTATION_OFF, replaces=replaces)

    assert rotation.successor == rotation.presented == token
    assert (rotation.parent_generation, rotation.lost_generations) == (3, 4 - (replaces or 0))


def test_while_rotation_is_off_a_recovery_moves_on_all_the_same() -> None:
    """Otherwise a parent and its child would be served side by side for a day."""
    token = new_session().token

    rotation = rotate(token, now=START + 900, policy=ROTATION_OFF, replaces=2)

    assert (rotation.successor.generation, rotation.parent_generation) == (3, 1)


def test_a_row_is_kept_while_its_last_token_could_verify() -> None:
    """The parent's, when a shortened life makes its successor expire first."""
    session = new_session()
    rotation = next_rotation(session, policy=POLICY)

    assert rotation.successor.expires_at < session.token.expires_at
    assert session.rotated(rotation).kept_until == session.token.expires_at


def test_a_row_that_was_lost_is_kept_to_the_sessions_end() -> None:
    """Nobody knows how far the tokens went that the store has forgotten."""
    token = new_session().token

    assert restoring_rotation(token, policy=POLICY).kept_until == token.ends_at


def test_a_revoked_session_is_kept_to_its_absolute_end() -> None:
    session = new_session(policy=POLICY)

    revoked = session.revoked(at=START + 9, reason=RevocationReason.REUSE)

    assert revoked == replace(
        session,
        revoked_at=START + 9,
        revocation_reason=RevocationReason.REUSE,
        kept_until=session.token.ends_at,
    )


def test_a_recalled_session_is_what_its_token_tells() -> None:
    token = after_rotations(new_session(), 3).token

    assert Session.recalled(token) == Session(token=token, parent_generation=3, kept_until=token.expires_at)


@pytest.mark.parametrize(("started_at", "is_covered"), [(START - 1, True), (START, True), (START + 1, False)])
def test_a_cut_off_covers_what_had_started_by_then_but_the_spared(started_at: int, *, is_covered: bool) -> None:
    spared, other = new_id(), new_id()

    assert CutOff(ended_at=START).covers(other, started_at) is is_covered
    assert CutOff(ended_at=START, spared=spared).covers(other, started_at) is is_covered
    assert not CutOff(ended_at=START, spared=spared).covers(spared, started_at)


def test_identifiers_are_never_the_same_and_fit_every_store() -> None:
    identifiers = {new_id() for _ in range(1000)}

    assert len(identifiers) == 1000
    assert {len(identifier) for identifier in identifiers} == {22}
