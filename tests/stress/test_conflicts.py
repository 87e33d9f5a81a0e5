"""PostgreSQL refuses a transaction, at every statement of every use case: three times are tried again, a fourth not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from domain.model.errors import InvalidRefreshTokenError, StoreUnavailableError
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from domain.use_cases.service import Service
from domain.use_cases.start_session import SessionTerms
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.postgres import PostgresEngine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.two_places import RotationsInTwoPlaces
from ports.security_log import Happening
from tests.fakes.clock import FakeClock
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import LOGIN, SECRET
from tests.figures import Figures
from tests.stores import Stores
from tests.stress.in_process import codec

_RETRIES = 3


class ConflictingEngine(PostgresEngine):
    """Lets the server refuse one of its statements, some times in a row, with its own error."""

    def __init__(self, url: str) -> None:
        super().__init__(url, sync_every_write=False)
        self.statements = 0
        self.at: int | None = None
        self.left = 0
        self.state = ""

    def conflict(self, at: int, times: int, state: str) -> None:
        self.statements, self.at, self.left, self.state = 0, at, times, state

    def attempt(self, work: Callable[[], Any]) -> Any:
        number = self.statements
        self.statements += 1

        def refused() -> Any:
            if number == self.at and self.left:
                self.left -= 1
                raise_ = f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{self.state}'; END $$"
                self.peewee.execute_sql(raise_)
            return work()

        return super().attempt(refused)


@dataclass
class Bench:
    """The use cases on PostgreSQL, and the state of a session that a case needs."""

    engine: ConflictingEngine
    service: Service
    clock: FakeClock
    log: FakeSecurityLog

    def session(self) -> TokenPair:
        return self.service.start("ada", SessionTerms(), by=LOGIN)

    def rotated(self, times: int) -> tuple[str, str]:
        """Return the first and the newest refresh token of a session."""
        first = newest = str(self.session().refresh_token)
        for _ in range(times):
            self.clock.advance(60)
            newest = str(self.service.refresh(newest).refresh_token)
        return first, newest


@pytest.fixture
def bench(stores: Stores) -> Iterator[Bench]:
    engine = ConflictingEngine(stores["postgres"].shared())
    users = PeeweeUsers(engine, UsersTable())
    PeeweeUserDirectory(engine).put(User(id="ada"))
    users.inspect()
    sessions, clock, log = PeeweeSessions(engine), FakeClock(), FakeSecurityLog()
    service = Service(
        clock=clock,
        tokens=codec(),
        users=users,
        sessions=sessions,
        rotations=PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions)),
        devices=AuthlibDeviceSessions(KeyRing(SECRET), clock),
        log=log,
        policy=SessionPolicy(),
    )
    yield Bench(engine, service, clock, log)
    engine.drop_connection()


def _starting(bench: Bench) -> Callable[[], object]:
    return bench.session


def _rotating(bench: Bench) -> Callable[[], object]:
    _, newest = bench.rotated(2)
    bench.clock.advance(60)
    return lambda: bench.service.refresh(newest)


def _repeating(bench: Bench) -> Callable[[], object]:
    first, _ = bench.rotated(1)
    return lambda: bench.service.refresh(first)


def _recovering(bench: Bench) -> Callable[[], object]:
    first, _ = bench.rotated(1)
    bench.clock.advance(60)
    return lambda: bench.service.refresh(first)


def _healing(bench: Bench) -> Callable[[], object]:
    _, newest = bench.rotated(3)
    _forget(bench.engine)
    return lambda: bench.service.refresh(newest)


def _reusing(bench: Bench) -> Callable[[], object]:
    first, _ = bench.rotated(3)
    bench.clock.advance(60)
    return lambda: _refused(lambda: bench.service.refresh(first))


def _logging_out(bench: Bench) -> Callable[[], object]:
    _, newest = bench.rotated(1)
    return lambda: bench.service.revoke(newest)


def _leaving_a_tombstone(bench: Bench) -> Callable[[], object]:
    _, newest = bench.rotated(1)
    _forget(bench.engine)
    return lambda: bench.service.revoke(newest)


def _ending_all(bench: Bench) -> Callable[[], object]:
    bench.rotated(1)
    return lambda: bench.service.end_all("ada", by=LOGIN)


def _forget(engine: Engine) -> None:
    engine.peewee.execute_sql("DELETE FROM nuovo_sessions")


def _refused(call: Callable[[], object]) -> None:
    with pytest.raises(InvalidRefreshTokenError):
        call()


CASES: dict[Callable[[Bench], Callable[[], object]], list[Happening]] = {
    _starting: [Happening.STARTED],
    _rotating: [Happening.ROTATED],
    _repeating: [Happening.REPEATED],
    _recovering: [Happening.RECOVERED],
    _healing: [Happening.HEALED],
    _reusing: [Happening.ENDED, Happening.REFUSED],
    _logging_out: [Happening.ENDED],
    _leaving_a_tombstone: [Happening.ENDED],
    _ending_all: [Happening.ALL_ENDED],
}


@pytest.mark.parametrize("state", ["40001", "40P01"], ids=["serialization failure", "deadlock"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
def test_a_conflict_at_any_statement(
    case: Callable[[Bench], Callable[[], object]], state: str, bench: Bench, figures: Figures
) -> None:
    work = case(bench)
    bench.engine.conflict(at=-1, times=0, state=state)
    work()
    statements, injected = bench.engine.statements, 0
    assert statements >= 1
    for at in range(statements):
        for times in range(1, _RETRIES + 2):
            work = case(bench)
            bench.log.events.clear()
            bench.engine.conflict(at=at, times=times, state=state)
            if times <= _RETRIES:
                work()
            else:
                with pytest.raises(StoreUnavailableError):
                    work()
                assert bench.log.happenings == []  # nothing was done, and nothing is told
                work()  # the client tries again
            assert bench.engine.left == 0
            assert bench.log.happenings == CASES[case]
            injected += times
    name = case.__name__.strip("_").replace("_", " ")
    figures.add(f"{state} at each of {statements} statements, {name}", f"{injected} injected: 0 double log entries")
