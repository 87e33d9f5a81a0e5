"""Where stories are played: every call that they make is answered by the service and recorded."""

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.simulation.model import Rules
from tests.stress.history import Call, Event, Must, generation_of, session_of

_T = TypeVar("_T")
_RETRY_AFTER = 0.1
_PRESENTING = (Call.REFRESH, Call.STEAL)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `None` for what did not."""

    status: int | None
    refresh_token: str | None = None
    access_token: str | None = None
    unproven: bool = False
    """A bound token was refused for want of its key."""


class Service(ABC):
    """The service as clients reach it. Nothing here raises: a call without an answer has no status."""

    @abstractmethod
    def sign_in(self, user: str) -> Reply: ...

    @abstractmethod
    def refresh(self, token: str) -> Reply: ...

    @abstractmethod
    def refresh_and_vanish(self, token: str) -> None:
        """Ask, and be gone before the answer comes."""

    @abstractmethod
    def log_out(self, token: str) -> Reply: ...

    @abstractmethod
    def end_all(self, access_token: str) -> Reply: ...

    @abstractmethod
    def look(self, access_token: str) -> Reply: ...

    def thefts(self, token: str) -> Iterable[Callable[[], Reply]]:
        """Return how a thief who lacks the key shall present a token before its client does."""
        return ()


class Time:
    """The machine's monotonic clock."""

    def now(self) -> int:
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client holds of a session."""

    session: str
    user: str
    refresh_token: str
    access_token: str

    @property
    def generation(self) -> int:
        return generation_of(self.refresh_token)


class StoryOver(Exception):  # noqa: N818  no error: a client whose session is over has no more to tell
    """The client has nothing left to do."""


@dataclass
class Stage:
    """One story's view: it signs in users of its own, and plays several clients at once where it wants to."""

    service: Service
    rules: Rules
    user: str
    pool: Executor
    rng: random.Random
    time: Time = field(default_factory=Time)
    patience: float = 0
    """Seconds for which an honest client repeats what was not answered, or answered by 503."""
    record: Callable[[Event], None] = lambda _event: None

    def sign_in(self) -> Tokens:
        reply = self._persist(lambda: self._call(Call.SIGN_IN, lambda: self.service.sign_in(self.user)))
        if reply.refresh_token is None or reply.access_token is None:
            raise StoryOver
        return Tokens(session_of(reply.refresh_token), self.user, reply.refresh_token, reply.access_token)

    def refresh(self, tokens: Tokens, must: Must | None = None) -> Tokens | None:
        """Present the refresh token, and return what the client holds then: `None` if it was refused."""
        self._steal(tokens)

        def work() -> Reply:
            return self._call(Call.REFRESH, lambda: self.service.refresh(tokens.refresh_token), tokens, must)

        reply = self._persist(work)
        if reply.refresh_token is None or reply.access_token is None:
            return None
        return Tokens(tokens.session, tokens.user, reply.refresh_token, reply.access_token)

    def served(self, tokens: Tokens) -> Tokens:
        """Present a token that must be served. The story is over if it is not."""
        then = self.refresh(tokens, Must.SERVE)
        if then is None:
            raise StoryOver
        return then

    def refused(self, tokens: Tokens) -> None:
        self.refresh(tokens, Must.REFUSE)

    def lose(self, tokens: Tokens) -> None:
        """Present a token, and never see the answer."""
        self._steal(tokens)
        started = self.time.now()
        self.service.refresh_and_vanish(tokens.refresh_token)
        self._note(Call.REFRESH, started, None, Reply(None), tokens, None)

    def log_out(self, tokens: Tokens) -> None:
        self._until_done(Call.LOG_OUT, lambda: self.service.log_out(tokens.refresh_token), tokens)

    def end_all(self, tokens: Tokens) -> None:
        self._until_done(Call.END_ALL, lambda: self.service.end_all(tokens.access_token), tokens)

    def look(self, tokens: Tokens, must: Must | None = None) -> None:
        self._persist(lambda: self._call(Call.LOOK, lambda: self.service.look(tokens.access_token), tokens, must))

    def together(self, *calls: Callable[[], _T]) -> list[_T]:
        """Make calls at the same moment, each by a client of its own."""
        gate = threading.Barrier(len(calls))

        def through(call: Callable[[], _T]) -> _T:
            gate.wait(60)
            return call()

        futures = [self.pool.submit(through, call) for call in calls[1:]]
        first = through(calls[0])
        return [first, *(future.result() for future in futures)]

    def pause(self, seconds: float) -> None:
        self.time.sleep(seconds)

    def grow_old(self) -> None:
        """Wait until what was rotated just now is no longer young, by whole seconds of any clock."""
        self.pause(self.rules.grace + 1.2 if self.rules.grace else 0)

    def _steal(self, tokens: Tokens) -> None:
        for theft in self.service.thefts(tokens.refresh_token):
            self._call(Call.STEAL, theft, tokens)

    def _until_done(self, call: Call, work: Callable[[], Reply], tokens: Tokens) -> None:
        """End something. The story is over if that was not answered: what follows relies on it."""
        if self._persist(lambda: self._call(call, work, tokens)).status != 200:
            raise StoryOver

    def _persist(self, work: Callable[[], Reply]) -> Reply:
        give_up = time.monotonic() + self.patience
        while (reply := work()).status in (None, 503) and time.monotonic() < give_up:
            time.sleep(_RETRY_AFTER)
        return reply

    def _call(
        self, call: Call, work: Callable[[], Reply], tokens: Tokens | None = None, must: Must | None = None
    ) -> Reply:
        started = self.time.now()
        reply = work()
        ended = None if reply.status is None else self.time.now()
        self._note(call, started, ended, reply, tokens, must)
        return reply

    def _note(self, call: Call, *parts: Any) -> None:
        started, ended, reply, tokens, must = parts
        session = tokens.session if tokens else session_of(reply.refresh_token) if reply.refresh_token else ""
        self.record(
            Event(
                session=session,
                user=self.user,
                call=call,
                started=started,
                ended=ended,
                status=reply.status,
                presented=generation_of(tokens.refresh_token) if tokens and call in _PRESENTING else 0,
                answer=reply.refresh_token,
                must=must,
                unproven=reply.unproven,
            )
        )
