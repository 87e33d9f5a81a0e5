"""What every store promises that is moved from or to."""

from dataclasses import replace

import pytest

from domain.model.errors import UnknownPlaceError
from domain.model.sessions import EVERYBODY, CutOff, RevocationReason, Session
from domain.model.tokens import new_id
from ports.transfer import Part
from tests.builders import (
    KEY,
    OTHER_KEY,
    WHOLE_LIST,
    after_rotations,
    held,
    new_session,
    new_user_id,
    next_rotation,
    restoring_rotation,
)
from tests.fakes.clock import START
from tests.stores import KINDS, Opened, Store

LOGOUT, REUSE = RevocationReason.LOGOUT, RevocationReason.REUSE


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, opened: Opened) -> Store:
    """Return an empty store of each kind."""
    return opened(request.param)


def everything(parts: list[Part]) -> tuple[dict[str, Session], dict[str, CutOff]]:
    sessions, cut_offs = dict[str, Session](), dict[str, CutOff]()
    for part in parts:
        sessions |= {session.token.session_id: session for session in part.sessions}
        cut_offs |= part.cut_offs
    return sessions, cut_offs


def test_all_that_there_is_is_read_as_it_is(store: Store) -> None:
    users = [new_user_id() for _ in range(4)]
    kept = [new_session(user, claims={"amr": ["pwd"]}) for user in users for _ in range(3)]
    for session in kept:
        store.sessions.start(session)
    assert store.sessions.rotate(next_rotation(kept[0])) is not None
    kept[0] = kept[0].rotated(next_rotation(kept[0]))
    store.sessions.revoke(kept[1].token, at=START + 5, reason=LOGOUT)
    kept[1] = kept[1].revoked(at=START + 5, reason=LOGOUT)
    store.sessions.end_all(users[0], at=START + 6, spare=kept[0].token.session_id)
    without_sessions = new_user_id()
    store.sessions.end_all(without_sessions, at=START + 7)

    parts = list(store.transfer.export())

    cut_offs = {users[0]: CutOff(ended_at=START + 6, spared=kept[0].token.session_id)}
    cut_offs[without_sessions] = CutOff(ended_at=START + 7)
    assert everything(parts) == ({session.token.session_id: session for session in kept}, cut_offs)


def test_nothing_is_read_of_an_empty_store(store: Store) -> None:
    assert list(store.transfer.export()) == []


def test_reading_goes_on_after_any_place(store: Store) -> None:
    """Beside what comes at the same time, nothing is read twice and nothing is missed."""
    for number in range(20):
        session = new_session()
        store.sessions.start(session)
        if number % 2:
            store.sessions.end_all(session.token.user_id, at=START)
    whole = everything(list(store.transfer.export()))

    for number, part in enumerate(store.transfer.export()):
        before = list(store.transfer.export())[: number + 1]
        after = list(store.transfer.export(part.place))

        assert everything(before + after) == whole
        assert sum(len(each.sessions) for each in before + after) == 20
        assert sum(len(each.cut_offs) for each in before + after) == 10


def test_parts_are_small(store: Store) -> None:
    count = 701
    for _ in range(count):
        assert store.sessions.rotate(restoring_rotation(new_session().token)) is not None

    sizes = [len(part.sessions) for part in store.transfer.export()]

    assert sum(sizes) == count
    assert max(sizes) <= 500


@pytest.mark.parametrize("place", ["x", "nowhere 1 2", "sessions-of ada"])
def test_a_place_that_is_none_is_refused(store: Store, place: str) -> None:
    with pytest.raises(UnknownPlaceError):
        list(store.transfer.export(place))


def test_a_place_is_one_line_that_can_be_written_down(store: Store) -> None:
    store.sessions.start(new_session("o'brien 🦉 7:{x}"))
    store.sessions.start(new_session())

    for part in store.transfer.export():
        assert part.place == part.place.strip()
        assert "\n" not in part.place


def test_how_far_purges_went_is_told_with_what_they_left(store: Store) -> None:
    store.sessions.start(new_session())
    list(store.sessions.purge(until=START - 5))

    assert {part.purged_until for part in store.transfer.export() if part.sessions} == {START - 5}


def test_a_session_is_adopted_as_it_is(store: Store) -> None:
    session = after_rotations(new_session(claims={"tenant": 7}), 3).revoked(at=START, reason=REUSE)

    for _ in range(2):
        store.transfer.adopt(session)

        assert held(store.sessions, session.token) == session


def test_an_adopted_session_goes_on(store: Store) -> None:
    session = after_rotations(new_session(claims={"tenant": 7}), 3)
    store.transfer.adopt(session)

    assert store.sessions.list_live(session.token.user_id, WHOLE_LIST, now=START) == [session]
    assert store.sessions.rotate(next_rotation(session)) == {"tenant": 7}


@pytest.mark.parametrize(("ours", "theirs"), [(0, 3), (3, 0), (2, 2)])
@pytest.mark.parametrize(("our_key", "their_key"), [(KEY, KEY), (KEY, OTHER_KEY), (None, KEY), (KEY, None)])
def test_what_is_bound_in_either_is_bound(
    store: Store, ours: int, theirs: int, our_key: str | None, their_key: str | None
) -> None:
    """To the key of the further generation if it has one."""
    start = new_session()
    here, there = (
        replace(session, token=replace(session.token, key_thumbprint=key))
        for session, key in ((after_rotations(start, ours), our_key), (after_rotations(start, theirs), their_key))
    )
    store.transfer.adopt(here)

    store.transfer.adopt(there)

    joined = held(store.sessions, start.token)
    assert joined == here.joined(there)
    further, behind = (their_key, our_key) if theirs > ours else (our_key, their_key)
    assert joined.token.key_thumbprint == (further or behind)
    assert {each for part in store.transfer.export() for each in part.sessions} == {joined}


@pytest.mark.parametrize(("ours", "theirs"), [(0, 3), (3, 0), (2, 2)])
def test_the_further_generation_counts(store: Store, ours: int, theirs: int) -> None:
    start = new_session()
    here, there = after_rotations(start, ours), after_rotations(start, theirs)
    store.transfer.adopt(here)

    store.transfer.adopt(there)

    assert held(store.sessions, start.token) == here.joined(there)
    assert here.joined(there).token.generation == 1 + max(ours, theirs)


@pytest.mark.parametrize("is_further", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_ending_counts_on_either_side(store: Store, *, is_further: bool, is_first: bool) -> None:
    start = new_session()
    live = after_rotations(start, 2 if is_further else 0)
    ended = after_rotations(start, 1).revoked(at=START + 9, reason=LOGOUT)
    first, second = (ended, live) if is_first else (live, ended)
    store.transfer.adopt(first)

    store.transfer.adopt(second)

    joined = held(store.sessions, start.token)
    assert joined == first.joined(second)
    assert joined.revoked_at == START + 9
    assert joined.token.generation == (3 if is_further else 2)
    assert store.sessions.rotate(next_rotation(joined)) is None


def test_the_first_of_two_endings_stands(store: Store) -> None:
    session = new_session()
    store.transfer.adopt(session.revoked(at=START + 1, reason=LOGOUT))

    store.transfer.adopt(session.revoked(at=START + 2, reason=REUSE))

    assert held(store.sessions, session.token) == session.revoked(at=START + 1, reason=LOGOUT)


def test_what_healed_before_it_was_copied_gets_its_claims_and_device(store: Store) -> None:
    """Its client came to this store first, with a token that says neither."""
    session = new_session(device="Ada's téléphone 📱", claims={"acr": "2"})
    rotation = restoring_rotation(session.token)
    assert store.sessions.rotate(rotation) == {}

    store.transfer.adopt(session)

    joined = held(store.sessions, session.token)
    assert joined == Session.recalled(rotation.successor).rotated(rotation).joined(session)
    assert (joined.device, joined.claims) == (session.device, session.claims)
    assert joined.token == rotation.successor


def test_what_a_purge_may_have_forgotten_here_stays_forgotten(store: Store) -> None:
    session = new_session()
    store.transfer.adopt_purge(session.kept_until)

    store.transfer.adopt(session)

    assert held(store.sessions, session.token) is None
    assert store.sessions.rotate(restoring_rotation(session.token)) is None
    kept = replace(session, kept_until=session.kept_until + 1)
    store.transfer.adopt(kept)
    assert held(store.sessions, session.token) == kept


def test_how_far_purges_went_never_moves_back(store: Store) -> None:
    for until, expected in ((START, START), (START - 9, START), (START + 1, START + 1)):
        store.transfer.adopt_purge(until)

        assert store.sessions.get(new_user_id(), new_id()).purged_until == expected


def test_a_cut_off_is_adopted_as_it_is(store: Store) -> None:
    """It ends nothing that started later, not even where the store knows of it."""
    user, later = new_user_id(), new_session(now=START + 1)
    later = replace(later, token=replace(later.token, user_id=user))
    store.sessions.start(later)
    ended = new_session(user)
    store.transfer.adopt(ended)

    for _ in range(2):
        store.transfer.adopt_cut_off(user, CutOff(ended_at=START))

        assert store.sessions.get(user, new_id()).cut_off == CutOff(ended_at=START)
    assert store.sessions.list_live(user, WHOLE_LIST, now=START) == [later]
    assert store.sessions.rotate(next_rotation(ended)) is None


Shape = tuple[int, str | None]


@pytest.mark.parametrize(
    ("ours", "theirs", "joined"),
    [
        ((5, None), (3, None), (5, None)),
        ((3, None), (5, None), (5, None)),
        ((5, "a"), (3, "a"), (5, "a")),
        ((3, "a"), (5, "a"), (5, "a")),
        ((5, "a"), (5, "b"), (5, None)),
        # `b` started at 4: at a cut-off of 3 it was not there, by one of 4 it was ended.
        ((3, "a"), (5, "b"), (5, "b")),
        ((4, "a"), (5, "b"), (5, None)),
        ((5, "b"), (3, "a"), (5, "b")),
        ((5, "b"), (4, None), (5, None)),
        ((3, None), (5, "nobody"), (5, None)),
        ((5, "nobody"), (3, None), (5, None)),
        ((5, "nobody"), (3, "nobody"), (5, "nobody")),
        ((3, "b"), (5, "a"), (5, None)),
    ],
)
def test_what_either_cut_off_has_ended_is_over(store: Store, ours: Shape, theirs: Shape, joined: Shape) -> None:
    user = new_user_id()
    ids = {"a": new_id(), "b": new_id(), "nobody": new_id(), None: None}
    for name, start in (("a", 1), ("b", 4)):
        session = new_session(user, now=START + start)
        store.sessions.start(replace(session, token=replace(session.token, session_id=ids[name] or "")))
    before, after, expected = (CutOff(ended_at=START + at, spared=ids[name]) for at, name in (ours, theirs, joined))
    store.transfer.adopt_cut_off(user, before)

    for _ in range(2):
        store.transfer.adopt_cut_off(user, after)

        assert store.sessions.get(user, new_id()).cut_off == expected


def test_everybodys_cut_off_comes_last_and_is_adopted(store: Store) -> None:
    """As that of a user whom there cannot be; it never moves back."""
    session = new_session()
    store.sessions.start(session)
    store.sessions.end_all(new_user_id(), at=START)
    store.sessions.end_everybody(started_by=START - 5, at=START)

    parts = list(store.transfer.export())

    assert parts[-1].cut_offs == {EVERYBODY: CutOff(ended_at=START - 5)}
    assert all(EVERYBODY not in part.cut_offs for part in parts[:-1])
    assert list(store.transfer.export(parts[-1].place)) == []
    for ended_at, joined in ((START - 9, START - 5), (START + 3, START + 3)):
        store.transfer.adopt_cut_off(EVERYBODY, CutOff(ended_at=ended_at))
        assert store.sessions.get(session.token.user_id, session.token.session_id).everybody_cut_off == joined
    assert store.sessions.rotate(next_rotation(session)) is None
