"""Clients that live through whatever happens to the servers, and notice what must not happen to them."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from domain.model.actors import THE_USER
from domain.model.errors import InvalidRefreshTokenError, StoreUnavailableError
from domain.model.sessions import SessionPolicy
from domain.model.users import User
from domain.use_cases.start_session import SessionTerms
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.sessions import RedisSessions
from ports.security_log import Happening
from ports.sessions import Sessions
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import LOGIN, FakeService
from tests.fakes.token_codec import FakeTokenCodec
from tests.fakes.users import FakeUsers

_Result = TypeVar("_Result")
EVERY_USE_ROTATES = SessionPolicy(replay_grace=0)
_RETRY = 0.02
_USERS = 8
"""Of each client."""
_ENDINGS = 0.02
"""How often a client ends its session instead of refreshing it."""


@dataclass
class Account:
    """What the clients have seen. `service` is of one thread at a time; the rest is added up by all of them."""

    counts: Counter[str] = field(default_factory=Counter)
    false_logouts: list[str] = field(default_factory=list)
    alive_again: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """Refresh tokens whose session was ended, and the ending confirmed."""
    longest_silence: float = 0.0
    """Seconds from a client's first refused call to the first that was served again."""
    longest_gap: float = 0.0
    """Seconds between two answers to anybody, of which the later was the next that anybody got."""
    served_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_gap(self) -> float:
        """Return the longest gap since it was last asked for."""
        with self.lock:
            gap, self.longest_gap = self.longest_gap, 0.0
        return gap


@dataclass(frozen=True, slots=True)
class Instance:
    """One service's store, and how a thread gives back what it has of it."""

    sessions: Sessions
    close: Callable[[], None]


def on_redis(url: str) -> Instance:
    cluster = Cluster(Address.parse(url))
    return Instance(RedisSessions(cluster), cluster.close)


class Traffic:
    """A few clients, each with users of their own, who sign in, refresh and end sessions without a pause.

    They come to any of the service's instances, as a balancer sends them.
    """

    def __init__(self, *instances: Instance, clients: int = 6, seed: int = 0) -> None:
        self.account = Account()
        self.users = [f"user-{number}-{turn}" for number in range(clients) for turn in range(_USERS)]
        self.log, tokens, users = (
            FakeSecurityLog(),
            FakeTokenCodec(),
            FakeUsers(*(User(id=user) for user in self.users)),
        )
        self._instances = instances
        self._services = [
            FakeService(sessions=each.sessions, tokens=tokens, users=users, log=self.log, policy=EVERY_USE_ROTATES)
            for each in instances
        ]
        self._stop = threading.Event()
        self._seed = seed
        self._clients = [
            threading.Thread(target=self._live, args=(number, self.users[number * _USERS :][:_USERS]))
            for number in range(clients)
        ]
        self._troubles: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[Account]:
        for client in self._clients:
            client.start()
        try:
            yield self.account
        finally:
            self._stop.set()
            for client in self._clients:
                client.join(60)
        assert not self._troubles, self._troubles[0]
        self._look_back()

    @property
    def healed(self) -> int:
        return self.log.happenings.count(Happening.HEALED)

    @property
    def service(self) -> FakeService:
        """Any instance."""
        return random.choice(self._services)  # noqa: S311  no secret

    def close(self) -> None:
        """Give back what this thread has of the stores."""
        for instance in self._instances:
            instance.close()

    def _live(self, number: int, users: list[str]) -> None:
        rng = random.Random(self._seed * 1000 + number)  # noqa: S311  no secret
        tokens: dict[str, str] = {}
        try:
            while not self._stop.is_set():
                user = rng.choice(users)
                if user not in tokens:
                    tokens[user] = self._until_served(partial(self._sign_in, user))
                elif rng.random() < _ENDINGS:
                    self._end(user, tokens.pop(user), rng)
                else:
                    self._refresh(user, tokens)
        except _Stopped:
            pass
        except BaseException as error:
            self._troubles.append(error)
            raise
        finally:
            self.close()

    def _sign_in(self, user: str) -> str:
        pair = self.service.start(user, SessionTerms(), by=LOGIN)
        assert pair.refresh_token is not None
        return pair.refresh_token

    def _refresh(self, user: str, tokens: dict[str, str]) -> None:
        try:
            pair = self._until_served(lambda: self.service.refresh(tokens[user]))
        except InvalidRefreshTokenError as error:
            with self.account.lock:
                self.account.false_logouts.append(f"{tokens.pop(user)}: {error}")
            return
        assert pair.refresh_token is not None
        tokens[user] = pair.refresh_token
        self._count("refreshed")

    def _end(self, user: str, token: str, rng: random.Random) -> None:
        """End a session for good, and see at once that it is over."""
        if rng.random() < 0.5:
            self._until_served(lambda: self.service.revoke(token))
        else:
            self._until_served(lambda: self.service.end_all(user, by=THE_USER))
        self._count("ended")
        with self.account.lock:
            self.account.ended.append(token)
        self._expect_over(token)

    def _expect_over(self, token: str) -> None:
        try:
            self._until_served(lambda: self.service.refresh(token))
        except InvalidRefreshTokenError:
            return
        with self.account.lock:
            self.account.alive_again.append(token)

    def _look_back(self) -> None:
        """Present every token again whose session was ended."""
        self._stop.clear()
        for token in self.account.ended:
            self._expect_over(token)
        self.close()

    def _until_served(self, call: Callable[[], _Result]) -> _Result:
        refused_at: float | None = None
        while True:
            try:
                result = call()
            except StoreUnavailableError as error:
                self._count("unavailable")
                self._count(f"  {error}")
                refused_at = refused_at or time.monotonic()
                if self._stop.wait(_RETRY):
                    raise _Stopped from None
            except InvalidRefreshTokenError:
                self._note_answer(refused_at)
                raise
            else:
                self._note_answer(refused_at)
                return result

    def _note_answer(self, refused_at: float | None) -> None:
        account, now = self.account, time.monotonic()
        with account.lock:
            if account.served_at is not None:
                account.longest_gap = max(account.longest_gap, now - account.served_at)
            account.served_at = now
            if refused_at is not None:
                account.longest_silence = max(account.longest_silence, now - refused_at)

    def _count(self, what: str) -> None:
        with self.account.lock:
            self.account.counts[what] += 1


class _Stopped(Exception):  # noqa: N818  not an error
    """The traffic ends while a client is still waiting."""
