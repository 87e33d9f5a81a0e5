"""What must hold of a session, each as a check that any store in memory can be put through.

A check raises if it does not hold, and returns how much it has looked at.
"""

from collections.abc import Callable
from dataclasses import replace

from domain.model.errors import InvalidRefreshTokenError, KeyNotProvenError
from domain.model.proofs import DeviceBinding
from domain.model.sessions import SessionPolicy
from domain.model.users import User
from ports.security_log import Happening
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.sessions import FakeSessions
from tests.simulation.bindings import alone, robbed, robbed_and_broken
from tests.simulation.browsers import IN_ORDER, OVERTAKING, Browser, seeded
from tests.simulation.interleavings import Explorer, stolen_worlds
from tests.simulation.lifecycles import DAY, HOUR, Lifecycles
from tests.simulation.races import run_all
from tests.simulation.rules import GRACE, Nuovo
from tests.simulation.thieves import SOURCES, Loot, Thief

NewStore = Callable[[], FakeSessions]
EVERY_USE_ROTATES = SessionPolicy(replay_grace=0, lost_answer_recovery=0)
NO_RECOVERY = SessionPolicy(lost_answer_recovery=0)
NO_ROTATION = SessionPolicy(rotation=False)
BURST = 100


def interleavings(new_store: NewStore, *, rotations: int = 2, steps: int = 3) -> int:
    """Require of client and thief in every order what the model says: never both served again after they part."""
    explorer = Explorer(SessionPolicy(), new_store())
    layers = list(explorer.explore(stolen_worlds(explorer, rotations), steps))
    return layers[-1].interleavings


def tabs(new_store: NewStore, *, sessions: int = 60) -> int:
    """Require that no browser that knows nothing of a thief is refused, be its answers in order or not."""
    requests = 0
    for seed in range(sessions):
        weather = OVERTAKING if seed % 2 else IN_ORDER
        browser = Browser(Nuovo(sessions=new_store()), seeded(seed), wake_ups=100, weather=weather)
        browser.timeline.run()
        assert browser.journal.refused is None, f"session {seed} is killed"
        requests += browser.journal.requests
    return requests


def bindings(new_store: NewStore) -> int:
    """Require that what is bound is served for its key alone, and that nobody is refused for good or ended unduly."""
    return sum(robbed(new_store(), 3, policy).taken for policy in ("require", "offer"))


def lost_bindings(new_store: NewStore) -> int:
    """Require the same where rows are lost and settings change, and that a device alone goes on with its key."""
    return alone(new_store(), 3).taken + robbed_and_broken(new_store(), 3).taken


def thieves(new_store: NewStore, *, sessions: int = 120) -> int:
    """Require that of client and thief one alone is served, a grace after they parted."""
    served = 0
    for seed in range(sessions):
        random = seeded(seed)
        browser = Browser(Nuovo(sessions=new_store()), random, wake_ups=40, weather=IN_ORDER)
        loot = Loot(source=SOURCES[seed % 3], persistent=True)
        browser.timeline.spawn(Thief(browser, random, loot).live(random.uniform(0.0, DAY)))
        browser.timeline.run()
        assert not loot.escaped, f"the thief of session {seed} escapes"
        served += loot.served
    return served


def lifecycles(new_store: NewStore, *, events: int = 3) -> int:
    """Require that a session that is over stays over, whatever is done to clock, store and settings."""
    check = Lifecycles(new_store())
    check.run(events)
    return check.states


def races(new_store: NewStore) -> int:
    """Require one token a generation, and that what overlapped an end is dead, of requests that cut into each other."""
    return run_all(new_store)


def one_second(new_store: NewStore) -> int:
    """Require that of 100 rotations in one second, where every use rotates, each stale token is known as one."""
    for stale in range(BURST):
        service = FakeService(policy=EVERY_USE_ROTATES, sessions=new_store())
        _require_reuse(service, _rotated(service, BURST), stale)
    return BURST


def one_grace(new_store: NewStore) -> int:
    """Require one token of a session within a grace, however often it is presented."""
    service = FakeService(sessions=new_store())
    _, first, second = _rotated(service, 2)
    for _ in range(BURST):
        assert service.refresh(first).refresh_token == second
        assert service.refresh(second).refresh_token == second
    return 2 * BURST


def spans(new_store: NewStore) -> int:
    """Require that grace and recovery end with their last second, for the current token and for its parent."""
    for after in (1, GRACE - 1, GRACE):
        for presented in (1, 2):
            service = FakeService(sessions=new_store(), policy=NO_RECOVERY)
            tokens = _rotated(service, 2)
            service.clock.advance(after)
            assert service.refresh(tokens[presented]).refresh_token == tokens[2]
    service = FakeService(sessions=new_store(), policy=NO_RECOVERY)
    tokens = _rotated(service, 2)
    service.clock.advance(GRACE + 1)
    assert service.refresh(tokens[2]).refresh_token not in tokens
    service = FakeService(sessions=new_store(), policy=NO_RECOVERY)
    tokens = _rotated(service, 2)
    service.clock.advance(GRACE + 1)
    _require_reuse(service, tokens, 1)
    for after in (GRACE + 1, DAY - 1, DAY):
        service = FakeService(sessions=new_store())
        tokens = _rotated(service, 2)
        service.clock.advance(after)
        assert service.refresh(tokens[1]).refresh_token not in tokens
    service = FakeService(sessions=new_store())
    tokens = _rotated(service, 2)
    service.clock.advance(DAY + 1)
    _require_reuse(service, tokens, 1)
    return 12


def clock_set_back(new_store: NewStore) -> int:
    """Require that a clock that is set back does not stretch a grace or a recovery."""
    for back in (GRACE + 1, HOUR, 3_653 * DAY):
        service = FakeService(sessions=new_store(), policy=NO_RECOVERY)
        tokens = _rotated(service, 3)
        service.clock.advance(-back)
        _require_reuse(service, tokens, 2)
    return 3


def clock_ahead(new_store: NewStore) -> int:
    """Require that a clock that was ahead for one rotation moves the grace after it, and does not stretch it.

    So the parent is repeated around the time that the clock had shown, be that an hour later; in between it is
    recovered. The next rotation ends it.
    """
    looked_at = 0
    for ahead in (GRACE, HOUR):
        for seconds in range(max(0, ahead - GRACE - 2), ahead + GRACE + 3):
            service, tokens = _rotated_ahead(new_store, ahead)
            service.clock.advance(seconds)
            is_repeated = service.refresh(tokens[1]).refresh_token == tokens[2]
            assert is_repeated == (abs(seconds - ahead) <= GRACE), f"{ahead} s ahead, {seconds} s later"
            looked_at += 1
    service, tokens = _rotated_ahead(new_store, HOUR)
    service.clock.advance(GRACE + 1)
    assert service.refresh(tokens[2]).refresh_token not in tokens
    service.clock.advance(HOUR - GRACE - 1)
    _require_reuse(service, tokens, 1)
    return looked_at


def _rotated_ahead(new_store: NewStore, ahead: int) -> tuple[FakeService, list[str]]:
    """Return a session whose last rotation was made by a clock that was ahead, and is right again."""
    service = FakeService(sessions=new_store())
    tokens = _rotated(service, 1)
    service.clock.advance(GRACE + 1 + ahead)
    tokens.append(str(service.refresh(tokens[1]).refresh_token))
    service.clock.advance(-ahead)
    return service, tokens


def apart(new_store: NewStore) -> int:
    """Require that one session's end touches no other of its user, and that a sign-in touches none that is over."""
    endings: tuple[Callable[[FakeService, list[str]], object], ...] = (
        lambda service, tokens: service.revoke(tokens[0]),
        lambda service, tokens: _require_reuse(service, tokens, 0),
        lambda service, tokens: service.refresh(tokens[-1]),
    )
    for end in endings:
        service = FakeService(sessions=new_store())
        mine, other, neighbour = (_rotated(service, 3, user) for user in ("ada", "ada", "bob"))
        service.clock.advance(DAY + 1)
        end(service, mine)
        assert service.refresh(other[-1]).refresh_token
        assert service.refresh(neighbour[-1]).refresh_token
    service = FakeService(sessions=new_store())
    ended = _rotated(service, 1)
    service.revoke(ended[0])
    service.sign_in()
    _require_dead(service, ended[-1])
    service.end_all("ada", by=LOGIN)
    again = str(service.refresh(str(service.sign_in().refresh_token)).refresh_token)
    assert service.refresh(again).refresh_token == again
    return len(endings) + 2


def spared(new_store: NewStore) -> int:
    """Require of "all but one" that this one goes on, the others are over, and so is it when it is spared no more."""
    service = FakeService(sessions=new_store())
    one, other = (_rotated(service, 1) for _ in range(2))
    session_id = service.tokens.read_refresh_token(one[0]).session_id
    service.end_all("ada", by=LOGIN, spare=session_id)
    _require_dead(service, other[-1])
    assert service.refresh(one[-1]).refresh_token == one[-1]
    service.clock.advance(GRACE + 1)
    going_on = str(service.refresh(one[-1]).refresh_token)
    assert going_on not in one
    service.end_all("ada", by=LOGIN)
    _require_dead(service, going_on)
    return 2


def disabled(new_store: NewStore) -> int:
    """Require that a user who is disabled is refused, and goes on where they were when they are enabled again."""
    service = FakeService(sessions=new_store())
    tokens = _rotated(service, 1)
    service.clock.advance(GRACE + 1)
    service.users.put(User(id="ada", active=False))
    _require_dead(service, tokens[-1])
    service.users.put(User(id="ada"))
    assert service.refresh(tokens[-1]).refresh_token not in tokens
    return 2


def kept(new_store: NewStore) -> int:
    """Require that without rotation the current token stays in use, unwritten, and no superseded one beside it.

    A row that was lost is written again, so that the session can be ended. Where bindings are required none of it is
    served, for it would never be bound.
    """
    store = new_store()
    service = FakeService(sessions=store)
    tokens = _rotated(service, 2)
    service.policy = NO_ROTATION
    rows = dict(store.rows)
    for wait in (0, GRACE + 1, DAY):
        service.clock.advance(wait)
        assert service.refresh(tokens[2]).refresh_token is None
        assert service.log.happenings[-1] is Happening.KEPT
        assert store.rows == rows
    service.clock.advance(-DAY)
    moved_on = service.refresh(tokens[1]).refresh_token
    assert moved_on is not None
    _require_reuse(service, [*tokens, moved_on], 2)

    only = str(service.sign_in().refresh_token)
    store.rows.clear()
    assert service.refresh(only).refresh_token is None
    assert len(store.rows) == 1
    service.revoke(only)
    _require_dead(service, only)

    unbound = str(service.sign_in().refresh_token)
    service.policy = replace(NO_ROTATION, device_binding=DeviceBinding.REQUIRE)
    _require_unproven(service, unbound)
    store.rows.clear()
    _require_unproven(service, unbound)
    return 10


def healing(new_store: NewStore) -> int:
    """Require that a store that falls back loses nobody, and takes nobody who is behind for honest."""
    looked_at = 0
    for lost in range(1, 5):
        store = new_store()
        service = FakeService(sessions=store, policy=EVERY_USE_ROTATES)
        tokens = _rotated(service, 5 - lost)
        before = dict(store.rows)
        for _ in range(lost):
            tokens.append(str(service.refresh(tokens[-1]).refresh_token))
        for rows in (before, {}):
            store.rows = dict(rows)
            healed_token = str(service.refresh(tokens[-1]).refresh_token)
            generation = service.tokens.read_refresh_token(healed_token).generation
            assert generation == 7
            assert service.log.happenings[-1] is Happening.HEALED
            _require_reuse(service, [*tokens, healed_token], 4)
            looked_at += 1
    return looked_at


def purge(new_store: NewStore) -> int:
    """Require that no row is purged while any token of it could verify, the newest one's shorter life or not."""
    half_days = range(1, 28)
    for half_day in half_days:
        service = FakeService(sessions=new_store())
        tokens = _rotated(service, 2)
        service.clock.advance(GRACE + 1)
        service.policy = SessionPolicy(refresh_token_ttl=DAY)
        shorter_lived = service.refresh(tokens[-1]).refresh_token
        assert shorter_lived is not None
        service.clock.advance(half_day * DAY // 2)
        for _ in service.purge():
            pass
        _require_dead(service, tokens[0])
    return len(half_days)


def healed(new_store: NewStore) -> int:
    """Require that a healed row is kept for the longer-lived tokens whose writes were lost with it."""
    store = new_store()
    service = FakeService(sessions=store)
    tokens = _rotated(service, 2)
    service.clock.advance(GRACE + 1)
    service.policy = SessionPolicy(refresh_token_ttl=DAY)
    shorter_lived = service.refresh(tokens[-1]).refresh_token
    assert shorter_lived is not None
    store.rows.clear()
    service.refresh(shorter_lived)
    service.clock.advance(3 * DAY)
    for _ in service.purge():
        pass
    _require_dead(service, tokens[0])
    return 1


def purged(new_store: NewStore) -> int:
    """Require that what was superseded stays so, even if its row was purged and the clock is set back."""
    service = FakeService(sessions=new_store())
    tokens = _rotated(service, 2)
    service.clock.advance(15 * DAY)
    for _ in service.purge():
        pass
    service.clock.advance(-10 * DAY)
    _require_dead(service, tokens[0])
    return 1


def lost_row(new_store: NewStore) -> int:
    """Require that a session whose row the store has lost can be ended, and stays ended."""
    store = new_store()
    service = FakeService(sessions=store)
    tokens = _rotated(service, 3)
    store.rows.clear()
    service.revoke(tokens[1])
    for token in tokens:
        _require_dead(service, token)
    return len(tokens)


def _rotated(service: FakeService, rotations: int, user: str = "ada") -> list[str]:
    """Return all tokens of a new session, oldest first, each traded as soon as the grace allows it."""
    tokens = [str(service.sign_in(user).refresh_token)]
    for _ in range(rotations):
        if len(tokens) > 1 and service.policy.replay_grace:
            service.clock.advance(service.policy.replay_grace + 1)
        tokens.append(str(service.refresh(tokens[-1]).refresh_token))
    assert len(set(tokens)) == rotations + 1
    return tokens


def _require_reuse(service: FakeService, tokens: list[str], stale: int) -> None:
    """Present one stale token: it must be refused, and the newest with it."""
    _require_dead(service, tokens[stale])
    _require_dead(service, tokens[-1])


def _require_unproven(service: FakeService, token: str) -> None:
    try:
        service.refresh(token)
    except KeyNotProvenError:
        return
    raise AssertionError("an unbound session is served where bindings are required")


def _require_dead(service: FakeService, token: str) -> None:
    try:
        service.refresh(token)
    except InvalidRefreshTokenError:
        return
    raise AssertionError("a token that must be dead is served")
