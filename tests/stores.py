"""Every store that sessions can be kept in: how tests come by an empty one, and what they open.

Whoever adds a store adds a `Kind` and names it in `_ALL`. Every suite that is run on all of them finds it there.
Tests run on those that any machine has, or on those that `NUOVO_TEST_STORES` names.
"""

import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from infrastructure.peewee.database_url import open_engine
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.transfer import PeeweeTransfer
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.redis.address import Address
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.keys import Place
from infrastructure.redis.rotations import RedisRotations
from infrastructure.redis.schema import RedisSchema
from infrastructure.redis.sessions import RedisSessions
from infrastructure.redis.transfer import RedisTransfer
from infrastructure.redis.users import RedisUsers
from infrastructure.two_places import RotationsInTwoPlaces
from ports.rotations import Rotations
from ports.sessions import Sessions
from ports.transfer import Transfer
from ports.user_directory import UserDirectory
from ports.users import Users
from tests.fakes.sessions import FakeSessions
from tests.fakes.transfer import FakeTransfer
from tests.fakes.users import FakeUsers
from tests.postgres import PostgresServer
from tests.redis.servers import Servers


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One place of sessions and of the built-in users, wired as the composition root does it."""

    sessions: Sessions
    users: Users
    directory: UserDirectory
    rotations: Rotations
    transfer: Transfer
    migrate: Callable[[], object]
    close: Callable[[], None] = lambda: None
    """Give back what it holds in the calling thread. It can be used again afterwards."""


class Kind(ABC):
    """One kind of store, named by the URLs that it gives. What a URL leads to is removed with the kind."""

    is_served = True
    """Whether a service can be started on its URLs; the store in memory is of one process."""

    def __init__(self, folder: Path) -> None:
        """Take a folder of the tests' own; nothing is started yet."""
        self._folder = folder

    @abstractmethod
    def blank(self) -> str:
        """Return the URL of a new place in which nothing is, not even tables."""

    @abstractmethod
    def open(self, url: str) -> Store:
        """Return the store at a URL, without connecting to it."""

    @abstractmethod
    def put_back(self, url: str, session_id: str, seconds: int) -> None:
        """Make the last rotation of a session earlier, as if a test had waited so long."""

    def new(self) -> str:
        """Return the URL of a new place, migrated and empty."""
        return self._migrated(self.blank())

    def _migrated(self, url: str) -> str:
        store = self.open(url)
        store.migrate()
        store.close()
        return url

    def shared(self) -> str:
        """As `new`, for tests that may share one place, one after another."""
        return self.new()

    def remove(self) -> None:  # noqa: B027  most have nothing to do
        """Leave nothing running and nothing behind."""


class InMemory(Kind):
    """The fake."""

    is_served = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._stores: dict[str, Store] = {}
        self._sessions: dict[str, FakeSessions] = {}

    def blank(self) -> str:
        sessions, users = FakeSessions(), FakeUsers()
        url = f"memory:{len(self._stores)}"
        self._sessions[url] = sessions
        self._stores[url] = Store(
            sessions=sessions,
            users=users,
            directory=users,
            rotations=RotationsInTwoPlaces(users, sessions),
            transfer=FakeTransfer(sessions),
            migrate=lambda: None,
        )
        return url

    def open(self, url: str) -> Store:
        return self._stores[url]

    def put_back(self, url: str, session_id: str, seconds: int) -> None:
        rows = self._sessions[url].rows
        for key, row in rows.items():
            if row.token.session_id == session_id:
                rows[key] = replace(row, token=replace(row.token, issued_at=row.token.issued_at - seconds))


class _Peewee(Kind):
    """Migrating takes longer than most tests, so it is done once, and what was migrated is copied."""

    _template: str | None = None

    def open(self, url: str) -> Store:
        engine = open_engine(url)
        sessions, users = PeeweeSessions(engine), PeeweeUsers(engine, UsersTable())
        return Store(
            sessions=sessions,
            users=users,
            directory=PeeweeUserDirectory(engine),
            rotations=PeeweeRotations(users, restoring=RotationsInTwoPlaces(users, sessions)),
            transfer=PeeweeTransfer(engine),
            migrate=Schema(engine).migrate,
            close=engine.drop_connection,
        )

    def put_back(self, url: str, session_id: str, seconds: int) -> None:
        database = open_engine(url).peewee
        statement = "UPDATE nuovo_sessions SET issued_at = issued_at - ? WHERE session_id = ?"
        database.execute_sql(statement.replace("?", database.param), (seconds, session_id))
        database.close()

    def new(self) -> str:
        if self._template is None:
            self._template = super().new()
        return self._copy(self._template)

    @abstractmethod
    def _copy(self, template: str) -> str: ...


class Sqlite(_Peewee):
    def blank(self) -> str:
        return f"sqlite:///{self._folder}/{uuid.uuid4().hex}.sqlite3"

    def _copy(self, template: str) -> str:
        url = self.blank()
        shutil.copyfile(*(each.removeprefix("sqlite:///") for each in (template, url)))
        return url


class Postgres(_Peewee):
    """A server that is started when it is first needed, or the one of `NUOVO_TEST_POSTGRES_URL`."""

    _TABLES = ("nuovo_sessions", "nuovo_cut_offs", "nuovo_purges", "nuovo_users")
    _server: PostgresServer | None = None
    _shared: str | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._lent = os.environ.get("NUOVO_TEST_POSTGRES_URL")
        self._made: list[str] = []

    @property
    def server_url(self) -> str:
        if self._lent:
            return self._lent
        if self._server is None:
            # No test of it cuts the power, so it need not wait for the disk.
            self._server = PostgresServer(options={"fsync": "off", "full_page_writes": "off"})
            self._server.create()
            self._server.start()
        return self._server.url

    def blank(self) -> str:
        return self._create("template0")

    def shared(self) -> str:
        """Return the one database that this process has for its tests, emptied."""
        if self._shared is None:
            self._shared = self.new()
        with psycopg.connect(self._shared, options="-c default_transaction_read_only=off") as connection:
            for table in self._TABLES:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        return self._shared

    def remove(self) -> None:
        if self._server is not None:
            self._server.remove()
        elif self._lent:
            for name in self._made:
                self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _copy(self, template: str) -> str:
        return self._create(template.partition("?")[0].rpartition("/")[2])

    def _create(self, template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"
        as_name = (sql.Identifier(each) for each in (name, template))
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*as_name))
        self._made.append(name)
        head, mark, parameters = self.server_url.partition("?")
        return f"{head.rpartition('/')[0]}/{name}{mark}{parameters}"

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            connection.execute(statement)


class RedisCluster(Kind):
    """Servers that are started when they are first needed. There is nothing like a database in a cluster of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._shared: Servers | None = None
        self._small: list[Servers] = []

    def blank(self) -> str:
        """Start as few servers as can confirm a write."""
        self._small.append(Servers(masters=1, replicas=1))
        self._small[-1].create()
        return self._small[-1].url

    def shared(self) -> str:
        """Return the one whole cluster that this process has for its tests, emptied."""
        if self._shared is None:
            self._shared = Servers()
            self._shared.create()
        self._shared.empty()
        return self._migrated(self._shared.url)

    def open(self, url: str) -> Store:
        cluster = Cluster(Address.parse(url))
        sessions, users = RedisSessions(cluster), RedisUsers(cluster)
        return Store(
            sessions=sessions,
            users=users,
            directory=users,
            rotations=RedisRotations(sessions, restoring=RotationsInTwoPlaces(users, sessions)),
            transfer=RedisTransfer(cluster),
            migrate=RedisSchema(cluster).migrate,
            close=cluster.close,
        )

    def put_back(self, url: str, session_id: str, seconds: int) -> None:
        cluster = Cluster(Address.parse(url))
        owner = RedisSessions(cluster).owner_of(session_id)
        assert owner is not None
        place = Place(owner, session_id)
        cluster.call(place.bucket, ("HINCRBY", place.session, "issued_at", -seconds))
        cluster.close()

    def remove(self) -> None:
        for servers in filter(None, (self._shared, *self._small)):
            servers.remove()


_ALL: dict[str, type[Kind]] = {"fake": InMemory, "sqlite": Sqlite, "postgres": Postgres, "redis": RedisCluster}
_CHOSEN = os.environ.get("NUOVO_TEST_STORES", "fake,sqlite,postgres").split(",")
KINDS = {name: _ALL[name] for name in _CHOSEN}
SERVED = tuple(name for name, kind in KINDS.items() if kind.is_served)


class Stores:
    """A kind of each name, for one process of tests."""

    def __init__(self, folder: Path) -> None:
        self._kinds = {name: kind(folder) for name, kind in _ALL.items()}

    def __getitem__(self, name: str) -> Kind:
        return self._kinds[name]

    def remove(self) -> None:
        for kind in self._kinds.values():
            kind.remove()


class Opened:
    """Stores that one test has opened."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._opened: list[Store] = []

    def __call__(self, name: str, url: str | None = None) -> Store:
        """Return the store of a kind at a URL, or an empty one."""
        kind = self._stores[name]
        self._opened.append(kind.open(url or kind.shared()))
        return self._opened[-1]

    def close(self) -> None:
        """Give back what they hold in the calling thread."""
        for store in self._opened:
            store.close()
