"""The use cases on real databases, in a time that the tests move: rotations within one second, and revived sessions."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.model.errors import InvalidRefreshTokenError, RefreshTokenExpiredError
from domain.model.sessions import SessionPolicy
from domain.model.tokens import new_id
from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.users import PeeweeUserDirectory
from tests.fakes.service import LOGIN, FakeService
from tests.figures import Figures
from tests.stores import Stores
from tests.stress.history import generation_of
from tests.stress.in_process import codec

_ROTATIONS = 100
_HOUR, _TEN_YEARS = 3600, 315_360_000


@pytest.fixture
def engine(kind: str, stores: Stores) -> Iterator[Engine]:
    engine = open_engine(stores[kind].shared())
    yield engine
    engine.drop_connection()


@pytest.fixture
def service(engine: Engine) -> FakeService:
    """Wire the use cases over a real database with the real codec."""
    service = FakeService(sessions=PeeweeSessions(engine), tokens=codec())
    for user in service.users.users.values():
        PeeweeUserDirectory(engine).put(user)
    return service


def test_a_hundred_rotations_within_a_second_without_a_grace(kind: str, service: FakeService, figures: Figures) -> None:
    """Every stale token is refused, and ends its session, though all were issued in one second."""
    service.policy = SessionPolicy(replay_grace=0, lost_answer_recovery=0)
    # Each stale token needs a session of its own; twenty of each hundred keep the test short.
    stale = range(0, _ROTATIONS, 5)
    for generation in stale:
        chain = _chain(service)
        assert _is_refused(service, chain[generation])
        assert _is_refused(service, chain[-1])
    figures.add(f"{_ROTATIONS} rotations within a second, no grace, {kind}", f"{len(stale)} stale tokens, all refused")


def test_a_hundred_presentations_within_a_grace(kind: str, service: FakeService, figures: Figures) -> None:
    """The current token and its parent get the current one to the grace's last second; then it rotates."""
    service.policy = SessionPolicy(replay_grace=30, lost_answer_recovery=0)
    parent, current = _chain(service, rotations=1)
    for seconds in (0, 29, 1):
        service.clock.advance(seconds)
        for _ in range(_ROTATIONS):
            assert service.refresh(parent).refresh_token == current
            assert service.refresh(current).refresh_token == current
    service.clock.advance(1)
    assert service.refresh(current).refresh_token not in (parent, current)
    assert _is_refused(service, parent)
    assert _is_refused(service, current)
    figures.add(
        f"{6 * _ROTATIONS} presentations within a grace of 30 s, {kind}",
        "each got the current token; a second later it rotated, and its grandparent ended the session",
    )


@pytest.mark.parametrize("ending", ["logout", "reuse", "end_all", "end_others"])
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_what_is_over_never_lives_again(
    *, ending: str, lost: bool, kind: str, engine: Engine, service: FakeService, figures: Figures
) -> None:
    """Clocks, purges, policies and restarts are changed; with `lost`, the last rotation's own write was lost, too."""
    chain = _chain(service, rotations=4)
    if lost:
        engine.peewee.execute_sql("UPDATE nuovo_sessions SET generation = 3, parent_generation = 2")
    if ending == "logout":
        service.revoke(chain[1])
    elif ending == "reuse":
        service.clock.advance(_HOUR)
        assert _is_refused(service, chain[0])
    else:
        service.end_all("ada", by=LOGIN, spare=new_id() if ending == "end_others" else None)
    tried = 0
    begun = service.clock.now()
    default = service.policy
    policies = (
        default,
        replace(default, replay_grace=300, lost_answer_recovery=7 * 86_400),
        replace(default, rotation=False),
        replace(default, session_ttl=400 * 86_400, refresh_token_ttl=400 * 86_400),
        replace(default, leeway=300),
        replace(default, replay_grace=0, lost_answer_recovery=0),
    )
    for at in (0, _HOUR, -_HOUR, 13 * 86_400, 61 * 86_400, _TEN_YEARS, -_TEN_YEARS, -begun, 0):
        service.clock.time = begun + at
        for policy in policies:
            service.policy = policy
            for token in chain:
                assert _is_refused(service, token)
                tried += 1
        if at > 0:
            for _ in service.purge():
                pass
        # As a restart does: nothing that is remembered outside the database is left.
        engine.drop_connection()
        service.sessions = PeeweeSessions(engine)
    figures.add(
        f"over by {ending}, {'its last rotation lost, ' if lost else ''}{kind}",
        f"{tried} tries under 9 clocks, purges and 6 policies: 0 served",
    )


def test_a_sign_in_after_a_cut_off_lives_whatever_the_clock(kind: str, service: FakeService, figures: Figures) -> None:
    """Also one of the same second, and one with the clock set back."""
    for back in (0, 10, _HOUR):
        service.end_all("ada", by=LOGIN)
        service.clock.advance(-back)
        token = str(service.sign_in().refresh_token)
        assert generation_of(str(service.refresh(token).refresh_token)) == 2
    figures.add(f"sign-ins after a cut-off, {kind}", "served, in its second and with the clock set back")


def _chain(service: FakeService, rotations: int = _ROTATIONS) -> list[str]:
    """Return all refresh tokens of a session that has rotated so often, within a second where every use rotates."""
    chain = [str(service.sign_in().refresh_token)]
    for _ in range(rotations):
        if len(chain) > 1 and service.policy.replay_grace:
            service.clock.advance(service.policy.replay_grace + 1)
        chain.append(str(service.refresh(chain[-1]).refresh_token))
    return chain


def _is_refused(service: FakeService, token: str) -> bool:
    try:
        service.refresh(token)
    except (InvalidRefreshTokenError, RefreshTokenExpiredError):
        return True
    return False
