"""The stores that the settings name: plain constructor calls. Nothing is connected before it is needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from entrypoints.settings import PREFIX, Settings, SettingsError
from infrastructure.peewee.database_url import InvalidDatabaseUrlError, open_engine
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.readiness import Readiness
from infrastructure.peewee.rotations import PeeweeRotations
from infrastructure.peewee.schema import Schema
from infrastructure.peewee.sessions import PeeweeSessions
from infrastructure.peewee.transfer import PeeweeTransfer
from infrastructure.peewee.users import PeeweeUserDirectory, PeeweeUsers, UsersTable
from infrastructure.redis.address import SCHEMES, Address, InvalidRedisUrlError
from infrastructure.two_places import RotationsInTwoPlaces
from ports.rotations import Rotations
from ports.sessions import Sessions
from ports.transfer import Transfer
from ports.user_directory import UserDirectory
from ports.users import Users


class Watched(Protocol):
    """A database that tells whoever listens how it fares."""

    on_success: Callable[[float], object]
    on_failure: Callable[[str, str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a service keeps."""

    sessions: Sessions
    transfer: Transfer
    users: Users
    rotations: Rotations
    directory: UserDirectory
    reads_directory: bool
    """Whether users are looked up in `directory`, and not in a table of the application's own."""
    migrate: Callable[[], list[str]]
    """Apply pending migrations and return their names."""
    check_ready: Callable[[], None]
    """Raise `StoreUnavailableError` unless the service could do its work."""
    describe: Callable[[], Iterable[str]]
    """Do as `check_ready`, and tell in words what the service works with and what it cannot do."""
    application: Engine | None
    """The database that has the application's own tables, if there is one."""
    engines: Mapping[str, Watched]
    """The databases, by what they are for."""


def open_stores(settings: Settings) -> Stores:
    """Return the stores of the service. Raises `SettingsError` if a database URL cannot be used."""
    url = settings.database_url.get_secret_value()
    users = _users_elsewhere(settings)
    return _in_redis(url, settings, users) if _is_redis(url) else _in_sql(url, settings, users)


def _is_redis(url: str) -> bool:
    return url.partition("://")[0] in SCHEMES


def _in_sql(url: str, settings: Settings, users_elsewhere: PeeweeUsers | None) -> Stores:
    engine = _engine(url, settings, "DATABASE_URL")
    schema, sessions = Schema(engine), PeeweeSessions(engine)
    users = users_elsewhere or PeeweeUsers(engine, _users_table(settings))
    two_places = RotationsInTwoPlaces(users, sessions)
    readiness = Readiness(engine, schema, users)
    return Stores(
        sessions=sessions,
        transfer=PeeweeTransfer(engine),
        users=users,
        rotations=two_places if users_elsewhere else PeeweeRotations(users, restoring=two_places),
        directory=PeeweeUserDirectory(engine),
        reads_directory=users_elsewhere is None and settings.users_table == UsersTable().name,
        migrate=schema.migrate,
        check_ready=readiness.require,
        describe=readiness.describe,
        application=users.engine,
        engines={"sessions": engine} | _engines_of(users_elsewhere),
    )


def _in_redis(url: str, settings: Settings, users_elsewhere: PeeweeUsers | None) -> Stores:
    try:
        from infrastructure.redis.cluster import Cluster  # noqa: PLC0415  only who uses Redis has the driver
        from infrastructure.redis.readiness import RedisReadiness  # noqa: PLC0415
        from infrastructure.redis.rotations import RedisRotations  # noqa: PLC0415
        from infrastructure.redis.schema import RedisSchema  # noqa: PLC0415
        from infrastructure.redis.sessions import RedisSessions  # noqa: PLC0415
        from infrastructure.redis.transfer import RedisTransfer  # noqa: PLC0415
        from infrastructure.redis.users import RedisUsers  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SettingsError([f"{PREFIX}DATABASE_URL needs the Redis driver: pip install 'nuovo[redis]'"]) from None
    try:
        cluster = Cluster(Address.parse(url))
    except InvalidRedisUrlError as error:
        raise SettingsError([f"{PREFIX}DATABASE_URL {error}"]) from None
    if problems := list(_not_for_redis(settings)):
        raise SettingsError(problems)
    schema, sessions, built_in = RedisSchema(cluster), RedisSessions(cluster), RedisUsers(cluster)
    readiness = RedisReadiness(cluster, schema)
    users = users_elsewhere or built_in
    two_places = RotationsInTwoPlaces(users, sessions)

    def check_ready() -> None:
        readiness.require()
        if users_elsewhere:
            users_elsewhere.inspect()

    def describe() -> Iterator[str]:
        check_ready()
        yield from readiness.remarks()
        if users_elsewhere:
            yield from users_elsewhere.describe()
            yield from users_elsewhere.engine.remarks()

    return Stores(
        sessions=sessions,
        transfer=RedisTransfer(cluster),
        users=users,
        rotations=two_places if users_elsewhere else RedisRotations(sessions, restoring=two_places),
        directory=built_in,
        reads_directory=users_elsewhere is None,
        migrate=schema.migrate,
        check_ready=check_ready,
        describe=describe,
        application=users_elsewhere.engine if users_elsewhere else None,
        engines={"sessions": cluster} | _engines_of(users_elsewhere),
    )


def _not_for_redis(settings: Settings) -> Iterator[str]:
    if settings.users_database_url is None and (settings.users_table != UsersTable().name or settings.users_claims):
        yield f"{PREFIX}USERS_DATABASE_URL must name the database of the users' table: Redis has no tables"
    if settings.rotation_durability == "disk":
        yield (
            f"{PREFIX}ROTATION_DURABILITY=disk is not Nuovo's to say with Redis: replicas confirm each write, and"
            " appendfsync in the servers' configuration says when it is on disk"
        )


def _engines_of(users_elsewhere: PeeweeUsers | None) -> dict[str, Watched]:
    return {} if users_elsewhere is None else {"users": users_elsewhere.engine}


def _users_elsewhere(settings: Settings) -> PeeweeUsers | None:
    if settings.users_database_url is None:
        return None
    engine = _engine(settings.users_database_url.get_secret_value(), settings, "USERS_DATABASE_URL")
    return PeeweeUsers(engine, _users_table(settings))


def _users_table(settings: Settings) -> UsersTable:
    return UsersTable(
        name=settings.users_table,
        id_column=settings.users_id_column,
        active_column=settings.users_active_column,
        claims=tuple(settings.users_claims),
    )


def _engine(url: str, settings: Settings, name: str) -> Engine:
    try:
        return open_engine(url, sync_every_write=settings.rotation_durability == "disk")
    except InvalidDatabaseUrlError as error:
        raise SettingsError([f"{PREFIX}{name} {error}"]) from None
