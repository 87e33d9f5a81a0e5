"""What every store of sessions promises: a start, a rotation, a look. See also the other modules of this name."""

from dataclasses import replace

import pytest

from domain.model.decisions import Standing
from domain.model.sessions import CutOff, RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import MAX_SESSION_TTL, new_id
from ports.sessions import Sessions
from tests.builders import (
    WHOLE_LIST,
    after_rotations,
    first_token,
    held,
    new_session,
    new_user_id,
    next_rotation,
    restoring_rotation,
)
from tests.fakes.clock import START

LOGOUT = RevocationReason.LOGOUT
CLAIMS = {"amr": ["pwd", "otp"], "tenant": {"id": 7, "é": None}}


def started(sessions: Sessions, rotations: int = 0) -> Session:
    """Start a session, rotate it so many times, and return what the store should hold."""
    session = new_session(claims=CLAIMS)
    sessions.start(session)
    for _ in range(rotations):
        rotation = next_rotation(session)
        assert sessions.rotate(rotation) == CLAIMS
        session = session.rotated(rotation)
    return session


def test_a_started_session_is_kept_as_it_is(sessions: Sessions) -> None:
    session = new_session(device="Ada's téléphone 📱", claims=CLAIMS)
    session = replace(session, token=replace(session.token, remember=False))

    sessions.start(session)

    standing = sessions.get(session.token.user_id, session.token.session_id)
    assert standing == Standing(session=session, cut_off=None, purged_until=None)
    assert sessions.owner_of(session.token.session_id) == session.token.user_id


def test_nothing_is_known_of_a_session_that_was_never_started(sessions: Sessions) -> None:
    started(sessions)
    unknown = new_id()

    assert sessions.get(new_user_id(), unknown) == Standing(session=None, cut_off=None, purged_until=None)
    assert sessions.owner_of(unknown) is None


def test_starting_a_session_again_changes_nothing(sessions: Sessions) -> None:
    """A start may be repeated after an error, even when the session has gone on in between."""
    session = started(sessions)
    rotation = next_rotation(session)
    sessions.rotate(rotation)

    sessions.start(session)
    sessions.start(replace(session, device="another"))

    assert held(sessions, session.token) == session.rotated(rotation)


def test_a_session_is_known_to_its_user_alone(sessions: Sessions) -> None:
    """Whoever names another user finds nothing, changes nothing, and may have a session of the same identifier."""
    session = started(sessions)
    of_another = replace(session.token, user_id=new_user_id())

    assert held(sessions, of_another) is None
    assert sessions.rotate(next_rotation(replace(session, token=of_another))) is None
    assert not sessions.end(of_another.user_id, of_another.session_id, at=START, reason=LOGOUT)
    assert sessions.revoke(of_another, at=START, reason=LOGOUT)

    assert held(sessions, session.token) == session


def test_a_rotation_of_the_held_generation_is_taken(sessions: Sessions) -> None:
    """The answer are the claims that the session was started with."""
    session = started(sessions)
    rotation = next_rotation(session)

    assert sessions.rotate(rotation) == CLAIMS

    assert held(sessions, session.token) == session.rotated(rotation)


def test_a_session_without_claims_is_told_from_a_rotation_that_was_not_taken(sessions: Sessions) -> None:
    session = new_session()
    sessions.start(session)

    assert sessions.rotate(next_rotation(session)) == {}


def test_a_rotation_is_taken_once(sessions: Sessions) -> None:
    """Repeated after an error, it is refused and harms nothing."""
    session = started(sessions)
    rotation = next_rotation(session)
    sessions.rotate(rotation)

    assert sessions.rotate(rotation) is None

    assert held(sessions, session.token) == session.rotated(rotation)


@pytest.mark.parametrize("replaces", [None, 1, 2, 4, 5])
def test_a_rotation_of_another_generation_is_not_taken(sessions: Sessions, replaces: int | None) -> None:
    session = started(sessions, rotations=2)
    assert session.token.generation == 3

    assert sessions.rotate(replace(next_rotation(session), replaces=replaces)) is None

    assert held(sessions, session.token) == session


@pytest.mark.parametrize(
    ("now", "is_taken"), [(-31, True), (-30, False), (0, False), (30, False), (31, True), (5000, True)]
)
def test_a_young_session_does_not_rotate(sessions: Sessions, now: int, *, is_taken: bool) -> None:
    """It rotated in one of the seconds that the rotation excludes: a grace back, and a grace ahead of a wrong clock."""
    session = started(sessions, rotations=1)
    rotation = next_rotation(session, now=session.token.issued_at + now)

    assert (sessions.rotate(rotation) is not None) is is_taken

    assert held(sessions, session.token) == (session.rotated(rotation) if is_taken else session)


def test_a_rotation_that_excludes_no_second_is_taken_at_once(sessions: Sessions) -> None:
    """The first of a session, and every one without a grace."""
    eager = SessionPolicy(replay_grace=0)
    session = new_session()
    sessions.start(session)
    for _ in range(3):
        rotation = next_rotation(session, now=START, policy=eager)
        assert sessions.rotate(rotation) == {}
        session = session.rotated(rotation)

    assert held(sessions, session.token) == session


def test_a_rotation_is_not_taken_where_there_is_no_row(sessions: Sessions) -> None:
    session = new_session()

    assert sessions.rotate(next_rotation(session)) is None

    assert held(sessions, session.token) is None


def test_a_rotation_of_nothing_brings_back_what_its_token_tells(sessions: Sessions) -> None:
    """A store that lost the whole row has the session again, one generation further; its claims are lost."""
    token = replace(after_rotations(new_session(), 6).token, remember=False)
    rotation = restoring_rotation(token)

    assert sessions.rotate(rotation) == {}

    restored = held(sessions, token)
    assert restored == Session.recalled(rotation.successor).rotated(rotation)
    assert (restored.token, restored.parent_generation) == (rotation.successor, 7)


def test_a_rotation_of_nothing_may_keep_the_token(sessions: Sessions) -> None:
    """While rotation is off, a lost row is written again with what its token says."""
    token = after_rotations(new_session(), 2).token

    assert sessions.rotate(restoring_rotation(token, policy=SessionPolicy(rotation=False))) == {}

    restored = held(sessions, token)
    assert restored is not None
    assert (restored.token, restored.parent_generation) == (token, 2)


def test_a_rotation_of_nothing_is_taken_once(sessions: Sessions) -> None:
    token = first_token()
    first, second = restoring_rotation(token), restoring_rotation(token, now=token.issued_at + 5)
    sessions.rotate(first)

    assert sessions.rotate(second) is None

    restored = held(sessions, token)
    assert restored is not None
    assert restored.token == first.successor


@pytest.mark.parametrize("policy", [SessionPolicy(), SessionPolicy(rotation=False)])
def test_a_rotation_moves_a_store_that_lost_writes_forward(sessions: Sessions, policy: SessionPolicy) -> None:
    behind = started(sessions, rotations=1)
    ahead = after_rotations(behind, 5)
    healing = rotate(ahead.token, now=START + 60, policy=policy, replaces=behind.token.generation)

    assert sessions.rotate(healing) == CLAIMS

    healed = held(sessions, behind.token)
    assert healed == behind.rotated(healing)
    assert healed.token.generation == ahead.token.generation + int(policy.rotation)


def test_a_recovery_leaves_a_successor_behind(sessions: Sessions) -> None:
    """It replaces the successor that never arrived, and its parent is the token that was presented again."""
    before = started(sessions)
    lost = next_rotation(before)
    sessions.rotate(lost)
    recovering = rotate(before.token, now=START + 3600, policy=SessionPolicy(), replaces=lost.successor.generation)

    assert sessions.rotate(recovering) == CLAIMS

    recovered = held(sessions, before.token)
    assert recovered == before.rotated(lost).rotated(recovering)
    assert (recovered.parent_generation, recovered.token.generation) == (1, 3)


def test_a_revoked_session_does_not_rotate(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.token, at=START + 5, reason=LOGOUT)

    assert sessions.rotate(next_rotation(session)) is None

    assert held(sessions, session.token) == session.revoked(at=START + 5, reason=LOGOUT)


def test_a_session_that_was_cut_off_does_not_rotate(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.end_all(session.token.user_id, at=START + 5)

    assert sessions.rotate(next_rotation(session)) is None

    assert held(sessions, session.token) == session


def test_a_session_whose_row_was_lost_does_not_come_back_after_a_cut_off(sessions: Sessions) -> None:
    token = first_token()
    sessions.end_all(token.user_id, at=token.started_at)

    assert sessions.rotate(restoring_rotation(token)) is None

    assert held(sessions, token) is None


@pytest.mark.parametrize(("after_the_purge", "comes_back"), [(0, False), (1, True)])
def test_a_session_comes_back_only_if_no_purge_can_have_forgotten_it(
    sessions: Sessions, after_the_purge: int, *, comes_back: bool
) -> None:
    token = first_token()
    list(sessions.purge(until=token.expires_at - after_the_purge))

    assert (sessions.rotate(restoring_rotation(token)) is not None) is comes_back


def test_a_purge_does_not_stop_a_session_that_the_store_holds(sessions: Sessions) -> None:
    """The mark of a purge speaks about rows that may be gone, not about one that is there."""
    session = replace(new_session(), kept_until=START + MAX_SESSION_TTL)
    sessions.start(session)
    list(sessions.purge(until=session.token.ends_at))

    assert sessions.rotate(next_rotation(session)) is not None


def test_sessions_do_not_disturb_each_other(sessions: Sessions) -> None:
    mine = started(sessions)
    of_the_same_user, of_another = new_session(mine.token.user_id), new_session()
    sessions.start(of_the_same_user)
    sessions.start(of_another)

    sessions.rotate(next_rotation(mine))
    sessions.revoke(mine.token, at=START + 1, reason=LOGOUT)

    assert held(sessions, of_the_same_user.token) == of_the_same_user
    assert held(sessions, of_another.token) == of_another


def test_a_look_tells_the_cut_off_of_the_user_it_names(sessions: Sessions) -> None:
    session, other_user = started(sessions), new_user_id()
    sessions.end_all(other_user, at=START + 7)

    cut_off = CutOff(ended_at=START + 7)
    assert sessions.get(other_user, new_id()) == Standing(session=None, cut_off=cut_off, purged_until=None)
    standing = sessions.get(session.token.user_id, session.token.session_id)
    assert standing == Standing(session=session, cut_off=None, purged_until=None)


@pytest.mark.parametrize(
    "user_id",
    ["7", "🦉" * 255, "o'brien; DROP TABLE nuovo_sessions --", '%s ? :1 \\ "x"', "}{a b\t"],
    ids=lambda user_id: ascii(user_id[:9]),
)
def test_identifiers_of_users_are_only_ever_values(sessions: Sessions, user_id: str) -> None:
    session = new_session(user_id, device=user_id[:255])
    sessions.end_all(user_id, at=START - 1, spare=session.token.session_id)
    sessions.start(session)

    assert sessions.rotate(next_rotation(session)) is not None
    (listed,) = sessions.list_live(user_id, WHOLE_LIST, now=START)
    assert (listed.token.session_id, listed.device) == (session.token.session_id, user_id[:255])
    assert sessions.owner_of(session.token.session_id) == user_id


def test_the_longest_values_are_kept(sessions: Sessions) -> None:
    """The last second of the year 9999, the largest generation, and as many claims as a sign-in may give."""
    last = 253_402_300_799
    token = replace(
        first_token("🦉" * 255),
        generation=2**31 - 1,
        started_at=last - MAX_SESSION_TTL,
        ends_at=last,
        issued_at=last - 1,
        expires_at=last,
    )
    session = replace(Session.recalled(token), device="🦉" * 255, claims={"a": "é" * 1020})
    sessions.start(session)
    assert held(sessions, token) == session

    restored = replace(token, session_id=new_id(), generation=2**31 - 2)
    rotation = restoring_rotation(restored, now=last - 1)
    assert sessions.rotate(rotation) == {}
    assert held(sessions, restored) == Session.recalled(rotation.successor).rotated(rotation)
