"""Every method of every port that Redis implements, ready to be called."""

from collections.abc import Callable

from domain.model.sessions import CutOff, RevocationReason, Session, SessionPolicy, rotate
from domain.model.users import User
from infrastructure.redis.cluster import Cluster
from infrastructure.redis.rotations import RedisRotations
from infrastructure.redis.schema import RedisSchema
from infrastructure.redis.sessions import RedisSessions
from infrastructure.redis.transfer import RedisTransfer
from infrastructure.redis.users import RedisUsers
from infrastructure.two_places import RotationsInTwoPlaces
from ports.sessions import Page
from tests.fakes.clock import START
from tests.redis.test_fences import new_token

Method = Callable[[Cluster], object]

TOKEN, LOST, ADOPTED = new_token(), new_token(), new_token()
_LOGOUT = RevocationReason.LOGOUT
_STEP = rotate(TOKEN, now=START + 1, policy=SessionPolicy(), replaces=1)
_RESTORING = rotate(LOST, now=START + 1, policy=SessionPolicy(), replaces=None)


def _rotations(cluster: Cluster) -> RedisRotations:
    sessions = RedisSessions(cluster)
    return RedisRotations(sessions, restoring=RotationsInTwoPlaces(RedisUsers(cluster), sessions))


CONFIRMED: dict[str, Method] = {
    "schema.migrate": lambda cluster: RedisSchema(cluster).migrate(),
    "directory.put": lambda cluster: RedisUsers(cluster).put(User(id="ada")),
    "sessions.start": lambda cluster: RedisSessions(cluster).start(Session.recalled(TOKEN)),
    "sessions.rotate": lambda cluster: RedisSessions(cluster).rotate(_STEP),
    "sessions.rotate from nothing": lambda cluster: RedisSessions(cluster).rotate(_RESTORING),
    "rotations.rotate": lambda cluster: _rotations(cluster).rotate(_STEP),
    "sessions.get": lambda cluster: RedisSessions(cluster).get("ada", TOKEN.session_id),
    "sessions.end": lambda cluster: RedisSessions(cluster).end("ada", LOST.session_id, at=START, reason=_LOGOUT),
    "sessions.revoke": lambda cluster: RedisSessions(cluster).revoke(TOKEN, at=START, reason=_LOGOUT),
    "sessions.end_all": lambda cluster: RedisSessions(cluster).end_all("ada", at=START),
    "sessions.purge": lambda cluster: list(RedisSessions(cluster).purge(until=START)),
    "transfer.adopt": lambda cluster: RedisTransfer(cluster).adopt(Session.recalled(ADOPTED)),
    "transfer.adopt_cut_off": lambda cluster: RedisTransfer(cluster).adopt_cut_off("ada", CutOff(ended_at=START)),
    "transfer.adopt_purge": lambda cluster: RedisTransfer(cluster).adopt_purge(START),
    "transfer.export": lambda cluster: list(RedisTransfer(cluster).export()),
    "directory.remove": lambda cluster: RedisUsers(cluster).remove("bob"),
}
"""Those that answer only what replicas have confirmed."""
UNCONFIRMED: dict[str, Method] = {
    "schema.pending": lambda cluster: RedisSchema(cluster).pending(),
    "sessions.list_live": lambda cluster: RedisSessions(cluster).list_live("ada", Page(limit=9), now=START),
    "sessions.owner_of": lambda cluster: RedisSessions(cluster).owner_of(TOKEN.session_id),
    "users.find": lambda cluster: RedisUsers(cluster).find("ada"),
    "directory.list": lambda cluster: RedisUsers(cluster).list(),
}
METHODS = CONFIRMED | UNCONFIRMED


def call_all(cluster: Cluster) -> None:
    for method in METHODS.values():
        method(cluster)
