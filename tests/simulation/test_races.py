"""Two requests in one process, cut open: whenever one talks to the store, the other may have come in between."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product

import pytest

from domain.model.decisions import Standing
from domain.model.errors import InvalidRefreshTokenError, SessionNotFoundError
from domain.model.sessions import RevocationReason, Rotation
from domain.model.tokens import RefreshToken
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.figures import Figures

MOST_CALLS = 4
"""A request that loses a race and finds reuse speaks to the store so often."""


class Interrupted(FakeSessions):
    """Before its call of number `at`, lets somebody else do all their work."""

    def __init__(self) -> None:
        super().__init__()
        self.interruptions: dict[int, Callable[[], None]] = {}
        self.calls = 0

    def _interrupt(self) -> None:
        self.calls += 1
        interruption = self.interruptions.pop(self.calls, None)
        if interruption is not None:
            outer, self.interruptions = self.interruptions, {}
            calls = self.calls
            interruption()
            self.interruptions, self.calls = outer, calls

    def advance(self, rotation: Rotation) -> bool:
        self._interrupt()
        return super().advance(rotation)

    def get(self, session_id: str, user_id: str) -> Standing:
        self._interrupt()
        return super().get(session_id, user_id)

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        self._interrupt()
        return super().revoke(token, at=at, reason=reason)


class Unconditional(Interrupted):
    """Writes what it has decided by an earlier read, without looking again."""

    def advance(self, rotation: Rotation) -> bool:
        self._interrupt()
        row = self.rows[rotation.session_id]
        if rotation.replaces != row.generation and rotation.replaces == rotation.parent_generation:
            return False
        self.rows[row.id] = replace(row.rotated(rotation), revoked_at=None)
        return True


@dataclass
class Race:
    """A session of three generations, and what each contender got."""

    sessions: Interrupted
    age: int
    """How long ago its current token was made."""

    def __post_init__(self) -> None:
        self.service = FakeService(sessions=self.sessions)
        pair = self.service.start("ada")
        self.session_id = pair.session_id
        self.tokens = [str(pair.refresh_token)]
        for _ in range(2):
            self.tokens.append(str(self.service.refresh(self.tokens[-1]).refresh_token))
        self.service.clock.advance(self.age)
        self.issued: set[str] = set(self.tokens)
        self.ended = False
        self.sessions.calls = 0

    def present(self, index: int) -> bool:
        over_before = self.ended
        try:
            token = self.service.refresh(self.tokens[index]).refresh_token
        except InvalidRefreshTokenError:
            self.ended = True
            return False
        assert token is not None
        assert not over_before, "a request that began after the end was served"
        self.issued.add(token)
        return True

    def end_by(self, name: str) -> None:
        if name == "logout":
            self.service.revoke(self.tokens[0])
        elif name == "end all":
            self.service.end_all("ada")
        else:
            try:
                self.service.end(self.session_id, owner="ada")
            except SessionNotFoundError:
                assert self.ended
        self.ended = True


PRESENTED = {"the oldest": 0, "the parent": 1, "the newest": 2}
CONTENDERS = [*PRESENTED, "logout", "end all", "end one"]


def _act(race: Race, name: str) -> None:
    if name in PRESENTED:
        race.present(PRESENTED[name])
    else:
        race.end_by(name)


def _races() -> Iterator[tuple[int, tuple[str, str, str], int, int]]:
    for age, trio in product((0, 31, 100_000), permutations(CONTENDERS * 2, 3)):
        if trio[0] in PRESENTED:
            for first, second in product(range(1, MOST_CALLS + 1), repeat=2):
                yield age, trio, first, second


def run_all(new_store: Callable[[], Interrupted]) -> int:
    """Run every race. Raises `AssertionError` if one of them ends as it must not."""
    races = sorted(set(_races()))
    for age, (outer, *inner), first, second in races:
        race = Race(new_store(), age)
        for at, name in zip((first, second), inner, strict=True):
            before = race.sessions.interruptions.get(at)
            race.sessions.interruptions[at] = _in_turn(race, before, name)
        _act(race, outer)
        generations = [race.service.tokens.read_refresh_token(t).generation for t in race.issued]
        assert len(generations) == len(set(generations)), (age, outer, inner, first, second)
        if race.ended:
            for token in race.issued:
                with pytest.raises(InvalidRefreshTokenError):
                    race.service.refresh(token)
    return len(races)


def test_two_others_at_any_two_points_of_a_refresh(figures: Figures) -> None:
    """One token a generation, however requests cut into each other; what overlapped an end is dead once it is over."""
    figures.add("two requests cutting into a third", f"{run_all(Interrupted):,} orders")


def test_a_store_that_writes_without_a_condition_is_caught() -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_all(Unconditional)


def _in_turn(race: Race, before: Callable[[], None] | None, name: str) -> Callable[[], None]:
    def act() -> None:
        if before is not None:
            before()
        _act(race, name)

    return act
