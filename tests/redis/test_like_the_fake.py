"""Whatever is done to it, the store answers and knows what the store in memory does."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from operator import methodcaller
from typing import Any

import pytest

from domain.model.sessions import RevocationReason, Session, SessionPolicy, rotate
from domain.model.tokens import MAX_SESSION_TTL, RefreshToken, new_id
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.sessions import RedisSessions
from ports.sessions import Page, Sessions
from tests.fakes.clock import START
from tests.fakes.sessions import FakeSessions

SHORT = SessionPolicy(refresh_token_ttl=100, session_ttl=400, replay_grace=5)
USERS = ("ada", "b}{ob", "7", "🦉 owl:x")


class World:
    """The same calls to both stores."""

    def __init__(self, rng: random.Random, real: Sessions) -> None:
        self.rng, self.real, self.fake = rng, real, FakeSessions()
        self.tokens: list[RefreshToken] = []
        self.now = START

    def both(self, call: Callable[[Sessions], Any]) -> Any:
        expected, found = call(self.fake), call(self.real)
        assert found == expected
        return found

    def a_token(self) -> RefreshToken:
        return self.rng.choice(self.tokens) if self.tokens else self._new_session().token

    def start(self) -> None:
        session = self._new_session()
        if self.rng.random() < 0.8:
            self.both(lambda store: store.start(session))

    def rotate(self) -> None:
        token = self.a_token()
        held = self.fake.rows.get((token.user_id, token.session_id))
        replaces = self.rng.choice([None, token.generation, held.token.generation if held else None])
        rotation = rotate(token, now=self.now, policy=SHORT, replaces=replaces)
        if self.both(lambda store: store.rotate(rotation)) is not None:
            self.tokens.append(rotation.successor)

    def revoke(self) -> None:
        token, reason = self.a_token(), self.rng.choice(list(RevocationReason))
        self.both(lambda store: store.revoke(token, at=self.now, reason=reason))

    def end(self) -> None:
        token, user = self.a_token(), self.rng.choice(USERS)
        owner = self.rng.choice([token.user_id, user])
        self.both(lambda store: store.end(owner, token.session_id, at=self.now, reason=RevocationReason.LOGOUT))

    def end_all(self) -> None:
        token, at = self.a_token(), self.now - self.rng.choice([0, 0, 50])
        spare = self.rng.choice([None, token.session_id, self.a_token().session_id])
        self.both(lambda store: store.end_all(token.user_id, at=at, spare=spare))

    def purge(self) -> None:
        until = self.now - self.rng.choice([0, 0, 30, MAX_SESSION_TTL])
        self.both(lambda store: sum(store.purge(until=until)))

    def pass_time(self) -> None:
        self.now += self.rng.choice([-2, 0, 1, 6, 40, 150])

    def look(self) -> None:
        token = self.a_token()
        self.both(lambda store: store.get(token.user_id, token.session_id))
        for limit in (1, 2, 100):
            self.both(partial(all_pages, user_id=token.user_id, limit=limit, now=self.now))

    def _new_session(self) -> Session:
        token = RefreshToken(
            session_id=new_id(),
            user_id=self.rng.choice(USERS),
            generation=1,
            started_at=self.now + self.rng.choice([0, 0, 1]),
            ends_at=self.now + 400,
            issued_at=self.now,
            expires_at=self.now + 100,
            remember=self.rng.random() < 0.5,
        )
        self.tokens.append(token)
        return replace(Session.recalled(token), device=self.rng.choice(["", "téléphone 📱"]), claims={"amr": ["pwd"]})


def all_pages(store: Sessions, user_id: str, limit: int, now: int) -> list[list[Session]]:
    pages, page = list[list[Session]](), Page(limit=limit)
    for _ in range(10_000):
        some = store.list_live(user_id, page, now=now)
        if not some:
            return pages
        pages.append(some)
        page = Page(limit=limit, after=(some[-1].token.started_at, some[-1].token.session_id))
    raise AssertionError("the pages never end")


@pytest.mark.parametrize("seed", range(4))
def test_it_does_as_the_store_in_memory(cluster: Cluster, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  no secret
    world = World(rng, RedisSessions(cluster))
    steps = [world.start] * 4 + [world.rotate] * 8 + [world.pass_time] * 4 + [world.look] * 3
    steps += [world.revoke, world.end, world.end_all, world.end_all]

    for number in range(400):
        rng.choice(steps)()
        if number % 100 == 99:
            world.purge()
            world.look()

    for token in world.tokens:
        world.both(methodcaller("get", token.user_id, token.session_id))
    for token in (*world.tokens[:2], replace(world.tokens[0], session_id=new_id())):
        world.both(methodcaller("owner_of", token.session_id))
