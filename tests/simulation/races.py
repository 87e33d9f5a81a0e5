"""Requests in one process, cut open: whenever one talks to the store, two others may come in between."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.errors import InvalidRefreshTokenError, SessionNotFoundError
from domain.model.sessions import RevocationReason, Rotation
from domain.model.tokens import MAX_SESSION_TTL, RefreshToken
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation.conftest import STRESS

_MOST_CALLS = 4
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

    def rotate(self, rotation: Rotation) -> Claims | None:
        self._interrupt()
        return super().rotate(rotation)

    def get(self, user_id: str, session_id: str) -> Standing:
        self._interrupt()
        return super().get(user_id, session_id)

    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        self._interrupt()
        return super().revoke(token, at=at, reason=reason)


@dataclass
class Race:
    """A session of three generations, and what each contender got."""

    sessions: Interrupted
    age: int
    """How long ago its current token was made."""
    lost: bool
    """Whether the store has lost the session's row."""

    def __post_init__(self) -> None:
        self.service = FakeService(sessions=self.sessions)
        pair = self.service.sign_in()
        self.session_id = pair.session_id
        self.tokens = [str(pair.refresh_token)]
        for _ in range(2):
            self.service.clock.advance(31)
            self.tokens.append(str(self.service.refresh(self.tokens[-1]).refresh_token))
        self.service.clock.advance(self.age)
        if self.lost:
            self.sessions.rows.clear()
        self.issued: set[str] = set(self.tokens)
        self.ended = False
        self.sessions.calls = 0

    def act(self, name: str) -> None:
        if name in PRESENTED:
            self._is_served(self.tokens[PRESENTED[name]])
        else:
            ENDINGS[name](self)
            self.ended = True

    def check(self) -> None:
        """Hold what came of it against what must hold."""
        if not self.lost:  # a store that has lost rotations may give a generation twice
            generations = [self.service.tokens.read_refresh_token(token).generation for token in self.issued]
            assert len(generations) == len(set(generations)), "two tokens of one generation"
        if self.ended:
            assert not any(self._is_served(token) for token in self.issued)

    def _is_served(self, presented: str) -> bool:
        over_before = self.ended
        try:
            token = self.service.refresh(presented).refresh_token
        except InvalidRefreshTokenError:
            self.ended = True
            return False
        assert token is not None
        assert not over_before, "a request that began after the end was served"
        self.issued.add(token)
        return True

    def end_one(self) -> None:
        try:
            self.service.end("ada", self.session_id, by=LOGIN)
        except SessionNotFoundError:
            self.service.revoke(self.tokens[0])  # of a row that is lost its token alone can leave a tombstone

    def forget(self) -> None:
        """Purge by a clock that is years ahead."""
        for _ in self.sessions.purge(until=self.service.clock.now() + 2 * MAX_SESSION_TTL):
            pass


PRESENTED = {"the oldest": 0, "the parent": 1, "the newest": 2}
ENDINGS: dict[str, Callable[[Race], object]] = {
    "logout": lambda race: race.service.revoke(race.tokens[0]),
    "end all": lambda race: race.service.end_all("ada", by=LOGIN),
    "end one": Race.end_one,
    "purge": Race.forget,
}
_CONTENDERS = [*PRESENTED, *ENDINGS]


def run_all(new_store: Callable[[], FakeSessions]) -> int:
    """Run every race over stores such as `new_store` makes. Raises `AssertionError` if one ends as it must not."""
    kind = type("Interrupted", (Interrupted, type(new_store())), {})
    races = sorted(set(_races()))
    for age, lost, (outer, *inner), first, second in races:
        race = Race(kind(), age, lost)
        for at, name in zip((first, second), inner, strict=True):
            before = race.sessions.interruptions.get(at)
            race.sessions.interruptions[at] = partial(_in_turn, race, before, name)
        race.act(outer)
        race.check()
    return len(races)


def _races() -> Iterator[tuple[int, bool, tuple[str, str, str], int, int]]:
    for age, lost, trio in product(
        (0, 31, 100_000) if STRESS else (31,), (False, True), permutations(_CONTENDERS * 2, 3)
    ):
        if trio[0] in PRESENTED:
            for first, second in product(range(1, _MOST_CALLS + 1), repeat=2):
                yield age, lost, trio, first, second


def _in_turn(race: Race, before: Callable[[], None] | None, name: str) -> None:
    if before is not None:
        before()
    race.act(name)
