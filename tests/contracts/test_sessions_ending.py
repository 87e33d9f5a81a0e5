"""What every store of sessions promises about endings, one session or all of a user's, and about what is left."""

from dataclasses import replace

import pytest

from domain.model.sessions import CutOff, RevocationReason, Session
from domain.model.tokens import new_id
from ports.sessions import Page, Sessions
from tests.builders import (
    WHOLE_LIST,
    access_token_of,
    after_rotations,
    first_token,
    held,
    new_session,
    new_user_id,
    next_rotation,
    restoring_rotation,
)
from tests.fakes.clock import START

LOGOUT, REUSE, ENDED_BY_USER = RevocationReason.LOGOUT, RevocationReason.REUSE, RevocationReason.ENDED_BY_USER


def started(sessions: Sessions, user_id: str | None = None, *, now: int = START) -> Session:
    session = new_session(user_id, now=now, claims={"amr": ["pwd"]})
    sessions.start(session)
    return session


def rotates(sessions: Sessions, session: Session) -> bool:
    """Tell whether the session rotates, which it does as long as it lives."""
    return sessions.rotate(next_rotation(session)) is not None


def live(sessions: Sessions, user_id: str, now: int = START) -> list[Session]:
    return sessions.list_live(user_id, WHOLE_LIST, now=now)


@pytest.mark.parametrize("reason", RevocationReason)
def test_a_revocation_is_kept_with_its_time_and_reason(sessions: Sessions, reason: RevocationReason) -> None:
    by_token, by_name = started(sessions), started(sessions)

    assert sessions.revoke(by_token.token, at=START + 9, reason=reason)
    assert sessions.end(by_name.token.user_id, by_name.token.session_id, at=START + 9, reason=reason)

    for session in (by_token, by_name):
        assert held(sessions, session.token) == session.revoked(at=START + 9, reason=reason)


def test_the_first_revocation_stands(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.token, at=START + 9, reason=REUSE)

    assert not sessions.revoke(session.token, at=START + 10, reason=LOGOUT)
    assert not sessions.end(session.token.user_id, session.token.session_id, at=START + 11, reason=LOGOUT)

    assert held(sessions, session.token) == session.revoked(at=START + 9, reason=REUSE)


def test_any_token_of_a_session_ends_it(sessions: Sessions) -> None:
    """An old one, one from the future of a store that lost writes, and what an access token proves."""
    for token in (
        lambda session: replace(session.token, generation=1),
        lambda session: session.token,
        lambda session: replace(session.token, generation=9),
        lambda session: access_token_of(session.token).proven_session(),
    ):
        session = after_rotations(new_session(), 2)
        sessions.start(session)

        assert sessions.revoke(token(session), at=START, reason=LOGOUT)

        assert held(sessions, session.token) == session.revoked(at=START, reason=LOGOUT)


def test_a_session_without_a_row_gets_a_tombstone(sessions: Sessions) -> None:
    """No token of it, presented or not, brings the session back."""
    token = after_rotations(new_session(), 4).token

    assert sessions.revoke(token, at=START + 9, reason=LOGOUT)

    tombstone = Session.recalled(token).revoked(at=START + 9, reason=LOGOUT)
    assert held(sessions, token) == tombstone
    for presented in (token, replace(token, generation=token.generation + 2)):
        assert sessions.rotate(restoring_rotation(presented)) is None
        assert sessions.rotate(replace(restoring_rotation(presented), replaces=token.generation)) is None
    assert not sessions.revoke(token, at=START + 10, reason=REUSE)
    assert held(sessions, token) == tombstone


def test_what_an_access_token_proves_is_enough_for_a_tombstone(sessions: Sessions) -> None:
    """It stops tokens of a later generation, too, and is kept as long as the session can last."""
    later = after_rotations(new_session(), 6).token
    proven = access_token_of(later).proven_session()

    assert sessions.revoke(proven, at=START + 9, reason=ENDED_BY_USER)

    tombstone = held(sessions, later)
    assert tombstone is not None
    assert tombstone.revoked_at == START + 9
    assert tombstone.kept_until >= later.ends_at
    for replaces in (None, 1, later.generation):
        assert sessions.rotate(replace(restoring_rotation(later), replaces=replaces)) is None


def test_starting_does_not_revive_what_was_revoked(sessions: Sessions) -> None:
    session = started(sessions)
    sessions.revoke(session.token, at=START, reason=LOGOUT)

    sessions.start(session)

    assert not rotates(sessions, session)


def test_an_unknown_identifier_ends_nothing_and_leaves_nothing(sessions: Sessions) -> None:
    token = first_token()

    assert not sessions.end(token.user_id, token.session_id, at=START, reason=LOGOUT)

    assert held(sessions, token) is None
    assert sessions.rotate(restoring_rotation(token)) is not None


def test_all_sessions_of_a_user_end_at_once_and_nobody_elses(sessions: Sessions) -> None:
    user_id = new_user_id()
    ended = [started(sessions, user_id) for _ in range(5)]
    other = started(sessions)

    sessions.end_all(user_id, at=START + 1)

    assert live(sessions, user_id) == []
    assert not any(rotates(sessions, session) for session in ended)
    assert rotates(sessions, other)


def test_ending_all_tells_how_many_were_live(sessions: Sessions) -> None:
    """Neither revoked nor expired nor cut off before; the spared one is not among them."""
    user_id = new_user_id()
    revoked, spared, *_ = [started(sessions, user_id) for _ in range(4)]
    sessions.revoke(revoked.token, at=START, reason=LOGOUT)
    started(sessions)
    expired = new_session(user_id, now=START - 15 * 86_400)
    sessions.start(expired)

    assert sessions.end_all(user_id, at=START, spare=spared.token.session_id) == 2
    assert sessions.end_all(user_id, at=START, spare=spared.token.session_id) == 0
    started(sessions, user_id, now=START + 1)
    assert sessions.end_all(user_id, at=START + 1, spare=new_id()) == 2
    assert sessions.end_all(user_id, at=START + 1) == 0
    assert sessions.end_all(new_user_id(), at=START) == 0


@pytest.mark.parametrize(("before_expiry", "count"), [(1, 1), (0, 0), (-1, 0)])
def test_a_session_counts_to_the_second_of_its_expiry(sessions: Sessions, before_expiry: int, count: int) -> None:
    token = started(sessions).token

    assert sessions.end_all(token.user_id, at=token.expires_at - before_expiry) == count


def test_one_session_is_spared(sessions: Sessions) -> None:
    """However often that is repeated, and a while later; it can still be ended by itself."""
    user_id = new_user_id()
    spared, other = started(sessions, user_id), started(sessions, user_id)
    session_id = spared.token.session_id
    for at in (START, START, START + 100, START - 100):
        sessions.end_all(user_id, at=at, spare=session_id)

        assert live(sessions, user_id) == [spared]

    assert sessions.get(user_id, session_id).cut_off == CutOff(ended_at=START + 100, spared=session_id)
    assert not rotates(sessions, other)
    rotation = next_rotation(spared)
    assert sessions.rotate(rotation) == {"amr": ["pwd"]}
    assert sessions.end(user_id, session_id, at=START + 200, reason=ENDED_BY_USER)
    assert not rotates(sessions, spared.rotated(rotation))


@pytest.mark.parametrize("between", [None, "another"])
def test_what_a_cut_off_has_ended_is_spared_by_no_later_one(sessions: Sessions, between: str | None) -> None:
    """Whether that spared nothing, or another session."""
    user_id = new_user_id()
    first, second = started(sessions, user_id), started(sessions, user_id)
    sessions.end_all(user_id, at=START, spare=second.token.session_id if between else None)

    sessions.end_all(user_id, at=START, spare=first.token.session_id)

    assert live(sessions, user_id) == []
    assert not rotates(sessions, first)
    assert not rotates(sessions, second)
    sessions.end_all(user_id, at=START, spare=second.token.session_id)
    assert live(sessions, user_id) == []


def test_a_spared_session_is_not_spared_by_a_cut_off_that_does_not_name_it(sessions: Sessions) -> None:
    user_id = new_user_id()
    spared = started(sessions, user_id)
    sessions.end_all(user_id, at=START, spare=spared.token.session_id)

    assert sessions.end_all(user_id, at=START) == 1

    assert sessions.get(user_id, new_id()).cut_off == CutOff(ended_at=START)
    assert not rotates(sessions, spared)


def test_a_session_that_started_after_a_cut_off_is_spared_by_the_next(sessions: Sessions) -> None:
    user_id = new_user_id()
    first = started(sessions, user_id)
    sessions.end_all(user_id, at=START, spare=first.token.session_id)
    second = started(sessions, user_id, now=START + 1)

    assert sessions.end_all(user_id, at=START + 1, spare=second.token.session_id) == 1

    assert live(sessions, user_id) == [second]
    assert not rotates(sessions, first)
    assert rotates(sessions, second)


@pytest.mark.parametrize("has_cut_off", [False, True])
def test_a_session_without_a_row_is_spared_only_by_a_users_first_cut_off(
    sessions: Sessions, *, has_cut_off: bool
) -> None:
    """Later nobody knows whether an earlier one has ended it."""
    lost = first_token()
    if has_cut_off:
        sessions.end_all(lost.user_id, at=START - 100)

    sessions.end_all(lost.user_id, at=START, spare=lost.session_id)

    assert (sessions.rotate(restoring_rotation(lost)) is not None) is not has_cut_off


def test_a_session_of_somebody_else_is_not_spared(sessions: Sessions) -> None:
    """And naming it does no harm."""
    mine, other = started(sessions), started(sessions)
    sessions.end_all(mine.token.user_id, at=START)

    sessions.end_all(mine.token.user_id, at=START, spare=other.token.session_id)

    assert not rotates(sessions, mine)
    assert rotates(sessions, other)


def test_a_session_that_starts_later_lives_even_in_the_second_of_a_cut_off(sessions: Sessions) -> None:
    """Ending all and signing in again, twice in one second: only the last session is left."""
    user_id = new_user_id()
    signed_in = []
    for second in range(3):
        cut_off = sessions.get(user_id, new_id()).cut_off
        assert cut_off == (CutOff(ended_at=START + second - 1) if second else None)
        signed_in.append(started(sessions, user_id, now=START + second))  # as a sign-in does: later than the cut-off
        assert live(sessions, user_id) == [signed_in[-1]]
        if second < 2:
            sessions.end_all(user_id, at=START)

    assert [rotates(sessions, session) for session in signed_in] == [False, False, True]


def test_a_clock_set_back_spares_no_session(sessions: Sessions) -> None:
    session = started(sessions)

    assert sessions.end_all(session.token.user_id, at=START - 86_400) == 1

    assert not rotates(sessions, session)
    assert live(sessions, session.token.user_id) == []


def test_a_cut_off_never_moves_back(sessions: Sessions) -> None:
    """Repeating one, late or with a clock set back, changes nothing."""
    user_id = new_user_id()
    for at, ended_at in ((START, START), (START, START), (START - 100, START), (START + 100, START + 100)):
        sessions.end_all(user_id, at=at)

        assert sessions.get(user_id, new_id()).cut_off == CutOff(ended_at=ended_at)


def test_live_sessions_are_listed_the_newest_first(sessions: Sessions) -> None:
    """However lately each was used; those of one second by identifier."""
    user_id = new_user_id()
    oldest = started(sessions, user_id)
    middle = [started(sessions, user_id, now=START + 10) for _ in range(5)]
    newest = started(sessions, user_id, now=START + 20)
    rotation = next_rotation(oldest)
    sessions.rotate(rotation)

    by_name = sorted(middle, key=lambda session: session.token.session_id, reverse=True)
    assert live(sessions, user_id, START + 100) == [newest, *by_name, oldest.rotated(rotation)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_a_list_is_read_in_pages(sessions: Sessions, limit: int) -> None:
    """Each goes on after the last session of the one before, also in the middle of one second."""
    user_id = new_user_id()
    for number in range(7):
        started(sessions, user_id, now=START + number // 3)
    whole, pages = live(sessions, user_id), list[Session]()

    page = Page(limit=limit)
    while some := sessions.list_live(user_id, page, now=START):
        assert len(some) <= limit
        pages += some
        page = Page(limit=limit, after=(some[-1].token.started_at, some[-1].token.session_id))

    assert pages == whole
    assert len(whole) == 7


def test_sessions_that_are_over_are_not_listed(sessions: Sessions) -> None:
    user_id = new_user_id()
    revoked, kept = started(sessions, user_id), started(sessions, user_id)
    started(sessions)
    sessions.revoke(revoked.token, at=START, reason=LOGOUT)

    assert live(sessions, user_id) == [kept]
    assert live(sessions, new_user_id()) == []


@pytest.mark.parametrize(("before_expiry", "is_listed"), [(1, True), (0, False), (-1, False)])
def test_a_session_is_listed_to_the_second_of_its_expiry(
    sessions: Sessions, before_expiry: int, *, is_listed: bool
) -> None:
    session = started(sessions)

    listed = live(sessions, session.token.user_id, session.token.expires_at - before_expiry)

    assert listed == ([session] if is_listed else [])
