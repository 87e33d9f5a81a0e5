"""The use cases without a network, in a time that passes only when a story waits: the checker on any store, quickly."""

import random
import secrets
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from domain.model.actors import THE_USER
from domain.model.errors import KeyNotProvenError, NuovoError, StoreUnavailableError
from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from ports.token_codec import TokenCodec
from tests.fakes.clock import FakeClock
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.fakes.users import FakeUsers
from tests.simulation.model import Rules
from tests.stress.checker import breaches_of
from tests.stress.history import Breach, Event, Row
from tests.stress.stage import Reply, Service, Stage, StoryOver, Time
from tests.stress.stories import Story

_SECOND = 1_000_000_000
_EPOCH = 1_767_225_600


class LeapingTime(Time):
    """The machine's clock, which leaps instead of waiting."""

    def __init__(self, at_leap: Callable[[], None]) -> None:
        self._leapt = -time.monotonic_ns()
        self._at_leap = at_leap

    def now(self) -> int:
        return time.monotonic_ns() + self._leapt

    def sleep(self, seconds: float) -> None:
        self._leapt += int(seconds * _SECOND)
        self._at_leap()


class _Clock(FakeClock):
    def __init__(self, time_: Time) -> None:
        super().__init__()
        self._time = time_

    def now(self) -> int:
        return _EPOCH + self._time.now() // _SECOND


class InProcess(Service):
    """The use cases as the HTTP entry point calls them. An operator purges whenever time passes.

    With a `key` every session is bound to it, and whatever is presented is first presented by thieves who lack it.
    """

    def __init__(
        self, sessions: FakeSessions, tokens: TokenCodec, rules: Rules, users: list[str], key: str | None = None
    ) -> None:
        self._terms = SessionTerms(key_thumbprint=key)
        self._proven = None if key is None else ProvenKey(thumbprint=key)
        self.time = LeapingTime(self._purge)
        self._service = FakeService(
            policy=SessionPolicy(replay_grace=rules.grace, lost_answer_recovery=rules.recovery),
            clock=_Clock(self.time),
            tokens=tokens,
            users=FakeUsers(*(User(id=user) for user in users)),
            sessions=sessions,
        )

    def sign_in(self, user: str) -> Reply:
        return _reply(lambda: self._service.sign_in(user, self._terms), success=201)

    def refresh(self, token: str) -> Reply:
        return self._refresh(token, self._proven)

    def thefts(self, token: str) -> Iterable[Callable[[], Reply]]:
        """Let a thief try without a key, and another with one of their own."""
        if self._proven is not None:
            for proven in (None, ProvenKey(thumbprint="T" * 43)):
                yield partial(self._refresh, token, proven)

    def _refresh(self, token: str, proven: ProvenKey | None) -> Reply:
        return _reply(lambda: self._service.refresh(token, proven))

    def refresh_and_vanish(self, token: str) -> None:
        self.refresh(token)

    def log_out(self, token: str) -> Reply:
        return _reply(lambda: self._service.revoke(token))

    def end_all(self, access_token: str) -> Reply:
        return _reply(lambda: self._service.end_all(self._service.authenticate(access_token).user_id, by=THE_USER))

    def look(self, access_token: str) -> Reply:
        return _reply(lambda: self._service.authenticate(access_token))

    def _purge(self) -> None:
        for _ in self._service.purge():
            pass


def codec() -> AuthlibTokenCodec:
    """Return the real codec."""
    return AuthlibTokenCodec(
        KeyRing(secrets.token_urlsafe(48), []), issuer="nuovo", audience="api", client_id="frontend"
    )


def play_in_process(
    stories: tuple[Story, ...],
    rules: Rules,
    *,
    sessions: FakeSessions,
    tokens: TokenCodec | None = None,
    rounds: int,
    key: str | None = None,
) -> tuple[list[Event], list[Breach]]:
    """Play the stories one after another over a store, and return what was seen and what it breaks."""
    users = [f"user-{number}" for number in range(rounds * len(stories))]
    service = InProcess(sessions, tokens or codec(), rules, users, key)
    history: list[Event] = []
    snapshots: list[dict[str, Row]] = []

    def record(event: Event) -> None:
        history.append(event)
        with sessions.lock:
            rows = {
                id_: Row(row.token.generation, row.revoked_at is not None) for (_, id_), row in sessions.rows.items()
            }
            snapshots.append(rows)

    with ThreadPoolExecutor(4) as pool:
        for number, user in enumerate(users):
            stage = Stage(
                service=service,
                rules=rules,
                user=user,
                pool=pool,
                rng=random.Random(number),  # noqa: S311  no secret
                time=service.time,
                record=record,
            )
            with suppress(StoryOver):
                stories[number % len(stories)](stage)
    return history, breaches_of(history, rules, snapshots=snapshots)


def _reply(call: Callable[[], object], success: int = 200) -> Reply:
    try:
        pair = call()
    except StoreUnavailableError:
        return Reply(503)
    except KeyNotProvenError:
        return Reply(401, unproven=True)
    except NuovoError:
        return Reply(401)
    except Exception:  # noqa: BLE001  as the entry point does
        return Reply(500)
    return Reply(success, pair.refresh_token, pair.access_token) if isinstance(pair, TokenPair) else Reply(success)
