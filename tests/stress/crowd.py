"""Many client processes that play stories against a running service at once, and the history that they saw."""

import itertools
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import orjson

from tests.e2e.client import REFRESH_COOKIE, Answer, Client
from tests.e2e.database import Database
from tests.simulation.model import Rules
from tests.stores import Store
from tests.stress.clients import CLIENTS, REFUSALS, THEFTS, Bearer
from tests.stress.history import Event, Row, is_bound, session_of
from tests.stress.stage import Reply, Service, Stage, StoryOver
from tests.stress.stories import Story

EVERY_USE_ROTATES = {"NUOVO_REPLAY_GRACE": "0"}
"""For services whose rotations are what is looked at: within a grace they would only repeat."""
_STORIES_AT_ONCE = 32
_CALL_TIMEOUT = 20
_STOLEN_OF = 4
"""Of so many bound tokens one is stolen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the service is, and how it was started."""

    url: str
    credential: str
    rules: Rules = field(default_factory=Rules)
    patience: float = 0
    binds: bool = False
    """Whether sessions may be bound to a key: half of them are then, and thieves who lack it present their tokens."""


class OverHttp(Service):
    """The service over the network. Each calling thread keeps a connection alive."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._local = threading.local()
        self._kinds = itertools.cycle(CLIENTS if target.binds else CLIENTS[:1])
        self._of_session: dict[str, Bearer] = {}
        self._thefts = itertools.cycle(THEFTS)
        self._chances = itertools.count()

    def sign_in(self, user: str) -> Reply:
        bearer = next(self._kinds)()
        reply = self._ask(lambda client: client.sign_in(self._target.credential, user, **bearer.fields))
        if reply.refresh_token is not None:
            self._of_session[session_of(reply.refresh_token)] = bearer
        return reply

    def refresh(self, token: str) -> Reply:
        bearer = self._of_session[session_of(token)]
        return self._ask(lambda client: bearer.refresh(client, token))

    def thefts(self, token: str) -> Iterable[Callable[[], Reply]]:
        if is_bound(token) and next(self._chances) % _STOLEN_OF == 0:
            yield partial(self._steal, token, next(self._thefts))

    def _steal(self, token: str, present: Callable[[Client, str], Answer]) -> Reply:
        answer = self._answer(lambda client: present(client, token))
        if answer is None or answer.status not in (400, 401):
            return Reply(None if answer is None else answer.status)
        body = orjson.loads(answer.body)
        return Reply(401, unproven=REFUSALS[answer.status, body.get("error", body.get("message"))])

    def refresh_and_vanish(self, token: str) -> None:
        headers = self._of_session[session_of(token)].headers(token)
        connection = HTTPConnection(urlsplit(self._target.url).netloc, timeout=_CALL_TIMEOUT)
        try:
            connection.request("POST", "/refresh_token", headers=headers)
        except OSError:
            pass
        finally:
            connection.close()

    def log_out(self, token: str) -> Reply:
        return self._ask(lambda client: client.log_out(token))

    def end_all(self, access_token: str) -> Reply:
        return self._ask(lambda client: client.delete("/sessions", access_token))

    def look(self, access_token: str) -> Reply:
        return self._ask(lambda client: client.get("/sessions", access_token))

    def _ask(self, ask: Callable[[Client], Answer]) -> Reply:
        answer = self._answer(ask)
        if answer is None or answer.status not in (200, 201):
            return Reply(None if answer is None else answer.status)
        data = answer.data
        refresh_token = answer.cookies.get(REFRESH_COOKIE) or data.get("refresh_token")
        return Reply(answer.status, refresh_token, data.get("access_token"))

    def _answer(self, ask: Callable[[Client], Answer]) -> Answer | None:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client(self._target.url, timeout=_CALL_TIMEOUT)
        try:
            return ask(client)
        except (OSError, HTTPException):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one client process plays: every story in turn, each for a user of its own."""

    target: Target
    stories: tuple[Story, ...]
    users: tuple[str, ...]
    seed: int
    deadline: float | None = None
    """When to stop beginning stories, by the monotonic clock."""


def play(plan: Plan) -> list[Event]:
    """Play the plan's stories, some of them at a time, and return what was seen."""
    history: list[Event] = []
    service = OverHttp(plan.target)
    with ThreadPoolExecutor(4 * _STORIES_AT_ONCE) as calls, ThreadPoolExecutor(_STORIES_AT_ONCE) as tellers:

        def tell(number: int) -> None:
            if plan.deadline is not None and time.monotonic() > plan.deadline:
                return
            stage = Stage(
                service=service,
                rules=plan.target.rules,
                user=plan.users[number],
                pool=calls,
                rng=random.Random(f"{plan.seed} {number}"),  # noqa: S311  no secret
                patience=plan.target.patience,
                record=history.append,
            )
            with suppress(StoryOver):
                plan.stories[number % len(plan.stories)](stage)

        for future in [tellers.submit(tell, number) for number in range(len(plan.users))]:
            future.result()
    return history


class Crowd:
    """Client processes. They are started once, because starting one takes longer than many stories."""

    def __init__(self, processes: int) -> None:
        self._size = processes
        self._processes = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))

    def close(self) -> None:
        self._processes.shutdown(cancel_futures=True)

    def begin(
        self, target: Target, stories: Sequence[Story], users: Sequence[str], *, seed: int, seconds: float | None = None
    ) -> "list[Future[list[Event]]]":
        """Begin a story for each of the users, in turn; stop beginning them after some `seconds`."""
        deadline = None if seconds is None else time.monotonic() + seconds
        return [
            self._processes.submit(
                play,
                Plan(
                    target=target,
                    stories=tuple(stories),
                    users=tuple(users[number :: self._size]),
                    seed=seed * 100 + number,
                    deadline=deadline,
                ),
            )
            for number in range(self._size)
        ]


def ended(futures: "Sequence[Future[list[Event]]]") -> list[Event]:
    """Return the whole history, once all have played to the end."""
    return [event for future in futures for event in future.result()]


def add_users(database: Database, count: int) -> list[str]:
    """Add users to the built-in table, and return their names."""
    names = [f"user-{number}" for number in range(count)]
    for begin in range(0, count, 200):
        part = names[begin : begin + 200]
        marks = ", ".join(["(?, ?)"] * len(part))
        database.run(
            f"INSERT INTO nuovo_users (id, active) VALUES {marks}",  # noqa: S608  nothing but question marks
            *(value for name in part for value in (name, True)),
        )
    return names


def snapshot(database: Database) -> dict[str, Row]:
    """Return all sessions as the table has them now. The key is the table's own: there is one row a session."""
    rows = database.run("SELECT session_id, generation, revoked_at FROM nuovo_sessions")
    return {row["session_id"]: Row(generation=row["generation"], revoked=row["revoked_at"] is not None) for row in rows}


def snapshot_of(store: Store) -> dict[str, Row]:
    """Return all sessions as a store of any kind has them now."""
    sessions = [session for part in store.transfer.export() for session in part.sessions]
    store.close()
    return {
        session.token.session_id: Row(generation=session.token.generation, revoked=session.revoked_at is not None)
        for session in sessions
    }


@contextmanager
def snapshots(take: Callable[[], dict[str, Row]], every: float) -> Iterator[list[dict[str, Row]]]:
    """Take snapshots of all sessions while the block runs, and a last one at its end."""
    taken: list[dict[str, Row]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(every):
            taken.append(take())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield taken
    finally:
        stop.set()
        watcher.join()
        taken.append(take())
