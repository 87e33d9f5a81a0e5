"""The invariants of a session, each as a check that any store in memory can be put through.

A check raises `AssertionError` if the invariant does not hold, and returns how much it has looked at.
"""

from collections.abc import Callable

from domain.model.errors import InvalidRefreshTokenError
from domain.model.sessions import SessionPolicy
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation.browsers import Browser, Weather, seeded
from tests.simulation.interleavings import Explorer, stolen_worlds
from tests.simulation.lifecycles import DAY, Lifecycles
from tests.simulation.rules import Nuovo
from tests.simulation.thieves import SOURCES, Loot, Thief

NewStore = Callable[[], FakeSessions]
NO_GRACE = SessionPolicy(replay_grace=0, lost_answer_recovery=0)
BURST = 100


def interleavings(new_store: NewStore, *, rotations: int = 2, steps: int = 3) -> int:
    """Client and thief in every order: invariants 1, 3 and 4, against the whole history."""
    explorer = Explorer(SessionPolicy(), new_store())
    layers = list(explorer.explore(stolen_worlds(explorer, rotations), steps))
    return layers[-1].interleavings


def tabs(new_store: NewStore, *, sessions: int = 60) -> int:
    """Invariant 3: no browser that knows nothing of a thief is ever refused."""
    requests = 0
    for seed in range(sessions):
        browser = Browser(Nuovo(sessions=new_store()), seeded(seed), wake_ups=100, weather=Weather())
        browser.timeline.run()
        assert browser.journal.refused is None, f"session {seed} is killed"
        requests += browser.journal.requests
    return requests


def thieves(new_store: NewStore, *, sessions: int = 120) -> int:
    """Invariant 4: once client and thief have parted, and a grace has passed, one of them alone is served."""
    served = 0
    for seed in range(sessions):
        random = seeded(seed)
        browser = Browser(Nuovo(sessions=new_store()), random, wake_ups=40, weather=Weather())
        loot = Loot(source=SOURCES[seed % 3], persistent=True)
        browser.timeline.spawn(Thief(browser, random, loot).live(random.uniform(0.0, DAY)))
        browser.timeline.run()
        assert not loot.escaped, f"the thief of session {seed} escapes"
        served += loot.served
    return served


def lifecycles(new_store: NewStore, *, events: int = 3) -> int:
    """Invariant 6: whatever is done to clock, store and settings, a session that is over stays over."""
    check = Lifecycles(new_store())
    check.run(events)
    return check.states


def one_second(new_store: NewStore) -> int:
    """Invariant 7: of 100 rotations in one second each stale token is known for what it is."""
    for stale in range(BURST):
        with_grace = FakeService(sessions=new_store())
        tokens = _burst(with_grace)
        with_grace.clock.advance(30)
        assert with_grace.refresh(tokens[stale]).refresh_token == tokens[-1], f"token {stale} has no grace"
        with_grace.clock.advance(1)
        if stale < BURST - 1:  # the last one's successor was never presented: its answer may have been lost
            _require_reuse(with_grace, tokens, stale)
        strict = FakeService(policy=NO_GRACE, sessions=new_store())
        _require_reuse(strict, _burst(strict), stale)
    return 2 * BURST


def clock_set_back(new_store: NewStore) -> int:
    """Invariant 4: a clock that is set back does not stretch a grace or a recovery."""
    for back in (31, 3_600, 10 * 365 * DAY):
        service = FakeService(sessions=new_store(), policy=SessionPolicy(lost_answer_recovery=0))
        tokens = _burst(service, 3)
        service.clock.advance(-back)
        _require_reuse(service, tokens, 1)
    return 3


def apart(new_store: NewStore) -> int:
    """Invariant 8: what happens to one session touches no other, not even one of the same user."""
    endings: tuple[Callable[[FakeService, list[str]], object], ...] = (
        lambda service, tokens: service.revoke(tokens[0]),
        lambda service, tokens: _require_reuse(service, tokens, 0),
        lambda service, tokens: service.refresh(tokens[-1]),
    )
    for end in endings:
        service = FakeService(sessions=new_store())
        mine, other, neighbour = (_burst(service, 3, user) for user in ("ada", "ada", "bob"))
        service.clock.advance(DAY + 1)
        end(service, mine)
        assert service.refresh(other[-1]).refresh_token
        assert service.refresh(neighbour[-1]).refresh_token
    return len(endings)


def purge(new_store: NewStore) -> int:
    """Invariant 8: a row is not purged while any token of it could verify, the newest one's shorter life or not."""
    half_days = range(1, 28)
    for half_day in half_days:
        service = FakeService(sessions=new_store())
        tokens = _burst(service, 2)
        service.policy = SessionPolicy(refresh_token_ttl=DAY)
        shorter_lived = service.refresh(tokens[-1]).refresh_token
        assert shorter_lived is not None
        service.clock.advance(half_day * DAY // 2)
        for _ in service.purge():
            pass
        _require_dead(service, tokens[0])
    return len(half_days)


def healed(new_store: NewStore) -> int:
    """Invariant 8: a healed row is kept for the longer-lived tokens whose writes were lost with it."""
    service = FakeService(sessions=new_store())
    tokens = _burst(service, 2)
    service.policy = SessionPolicy(refresh_token_ttl=DAY)
    shorter_lived = service.refresh(tokens[-1]).refresh_token
    assert shorter_lived is not None
    assert isinstance(service.sessions, FakeSessions)
    service.sessions.rows.clear()
    service.refresh(shorter_lived)
    service.clock.advance(3 * DAY)
    for _ in service.purge():
        pass
    _require_dead(service, tokens[0])
    return 1


def purged(new_store: NewStore) -> int:
    """Invariant 4: a token that was superseded stays so, even if its row was purged and the clock is set back."""
    service = FakeService(sessions=new_store())
    tokens = _burst(service, 2)
    service.clock.advance(15 * DAY)
    for _ in service.purge():
        pass
    service.clock.advance(-10 * DAY)
    _require_dead(service, tokens[0])
    return 1


def lost_row(new_store: NewStore) -> int:
    """Invariant 6: a session whose row the store has lost can be ended, and stays ended."""
    service = FakeService(sessions=new_store())
    tokens = _burst(service, 3)
    session_id = service.tokens.read_refresh_token(tokens[0]).session_id
    assert isinstance(service.sessions, FakeSessions)
    del service.sessions.rows[session_id]
    service.revoke(tokens[1])
    for token in tokens:
        _require_dead(service, token)
    return len(tokens)


def _burst(service: FakeService, rotations: int = BURST, user: str = "ada") -> list[str]:
    """Return all tokens of a new session that is rotated so often within one second, oldest first."""
    token = service.start(user).refresh_token
    tokens = []
    for _ in range(rotations + 1):
        assert token is not None
        tokens.append(token)
        if len(tokens) <= rotations:
            token = service.refresh(token).refresh_token
    assert len(set(tokens)) == rotations + 1
    return tokens


def _require_reuse(service: FakeService, tokens: list[str], stale: int) -> None:
    """Present one stale token: it must be refused, and the newest with it."""
    _require_dead(service, tokens[stale])
    _require_dead(service, tokens[-1])


def _require_dead(service: FakeService, token: str) -> None:
    try:
        service.refresh(token)
    except InvalidRefreshTokenError:
        return
    raise AssertionError("a token that must be dead is served")
