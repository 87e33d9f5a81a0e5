"""Moving to another store while both serve: nobody is logged out, and nothing that was ended lives again."""

from collections.abc import Callable, Iterator

import pytest

from domain.model.actors import THE_USER
from domain.model.errors import InvalidRefreshTokenError, UnknownPlaceError
from domain.model.tokens import TokenPair
from domain.use_cases.copy_sessions import CopySessions
from domain.use_cases.start_session import SessionTerms
from ports.transfer import Part
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.fakes.transfer import FakeTransfer


class InTheMiddle(FakeTransfer):
    """A store in which something happens between two parts."""

    def __init__(self, sessions: FakeSessions) -> None:
        super().__init__(sessions)
        self.happening: Callable[[], object] | None = None

    def export(self, after: str = "") -> Iterator[Part]:
        for part in super().export(after):
            yield part
            if self.happening is not None:
                happening, self.happening = self.happening, None
                happening()


class Move:
    """Two services that verify each other's tokens, each with a store of its own."""

    def __init__(self) -> None:
        self.clock, tokens = FakeClock(), FakeTokenCodec()
        self.stores = FakeSessions(), FakeSessions()
        self.old, self.new = (
            FakeService(clock=self.clock, tokens=tokens, sessions=sessions) for sessions in self.stores
        )
        self.source = InTheMiddle(self.stores[0])
        self.copy = CopySessions(source=self.source, target=FakeTransfer(self.stores[1]), clock=self.clock)

    def sign_in(self) -> str:
        return text_of(self.old.sign_in(terms=SessionTerms(device="laptop", claims={"tenant": 7})))


def text_of(pair: TokenPair) -> str:
    assert pair.refresh_token is not None
    return pair.refresh_token


@pytest.fixture
def move() -> Move:
    return Move()


def test_everybody_goes_on_at_the_new_store(move: Move) -> None:
    tokens = [move.sign_in() for _ in range(10)]
    tokens[3:6] = [text_of(move.old.refresh(token)) for token in tokens[3:6]]

    list(move.copy())

    assert move.stores[1].rows == move.stores[0].rows
    move.clock.advance(60)
    for token in tokens:
        pair = move.new.refresh(token)
        assert move.new.tokens.read_access_token(pair.access_token).claims == {"tenant": 7}


def test_what_was_ended_is_over_at_the_new_store(move: Move) -> None:
    one, *others = (move.sign_in() for _ in range(4))
    move.old.revoke(one)
    move.old.end_all("ada", by=THE_USER)

    list(move.copy())

    assert_over(move, one, *others)


@pytest.mark.parametrize("ending", ["revoke", "end_all"])
def test_what_is_ended_while_it_is_copied_is_over(move: Move, ending: str) -> None:
    """Even if its row has been copied already."""
    tokens = [move.sign_in() for _ in range(10)]

    def end() -> None:
        if ending == "end_all":
            move.old.end_all("ada", by=THE_USER)
            return
        for token in tokens:
            move.old.revoke(token)

    move.source.happening = end

    list(move.copy())

    assert_over(move, *tokens)


def assert_over(move: Move, *tokens: str) -> None:
    for token in tokens:
        with pytest.raises(InvalidRefreshTokenError):
            move.new.refresh(token)


def test_what_is_started_and_refreshed_while_it_is_copied_is_there(move: Move) -> None:
    tokens = [move.sign_in() for _ in range(10)]
    later = []

    def go_on() -> None:
        move.clock.advance(3600)
        later.extend([move.sign_in(), *(text_of(move.old.refresh(token)) for token in tokens)])

    move.source.happening = go_on
    list(move.copy())

    assert move.stores[1].rows == move.stores[0].rows
    move.clock.advance(60)
    for token in later:
        move.new.refresh(token)


def test_who_has_moved_already_keeps_what_is_newer(move: Move) -> None:
    """Its row was lost to the new store, which healed it; the copy gives it its claims back."""
    token = move.sign_in()
    newer = text_of(move.new.refresh(token))

    list(move.copy())

    move.clock.advance(60)
    pair = move.new.refresh(newer)
    assert move.new.tokens.read_access_token(pair.access_token).claims == {"tenant": 7}


def test_an_interrupted_copy_goes_on_where_it_was(move: Move) -> None:
    """And still notices what changed since the first part was copied."""
    tokens = [move.sign_in() for _ in range(10)]
    move.clock.advance(3600)
    first = next(iter(move.copy()))
    assert len(move.stores[1].rows) == first.sessions == 3
    move.clock.advance(7200)
    move.old.revoke(tokens[0])
    later = move.sign_in()
    move.clock.advance(7200)

    copied = list(move.copy(first.place))

    assert move.stores[1].rows == move.stores[0].rows
    # The later one is among them if its key comes after the place.
    assert sum(each.sessions for each in copied if not each.is_second_round) in (10 - 3, 11 - 3)
    assert sum(each.sessions for each in copied if each.is_second_round) == 2
    assert_over(move, tokens[0])
    move.new.refresh(later)


def test_copying_again_changes_nothing(move: Move) -> None:
    for _ in range(5):
        move.sign_in()
    list(move.copy())
    rows = dict(move.stores[1].rows)

    list(move.copy())

    assert move.stores[1].rows == rows


def test_a_place_that_is_none_is_refused(move: Move) -> None:
    for place in ("x", "1800000000 x y", "sessions 1 2"):
        with pytest.raises(UnknownPlaceError):
            list(move.copy(place))


def test_what_a_purge_has_forgotten_stays_forgotten(move: Move) -> None:
    """Even if the clock is set back afterwards."""
    token, _ = move.sign_in(), move.sign_in()
    move.old.revoke(token)
    move.clock.advance(move.old.policy.session_ttl)
    assert sum(move.old.purge()) == 2
    move.sign_in()
    move.clock.advance(-move.old.policy.session_ttl)

    list(move.copy())

    assert_over(move, token)
