"""The step of a refresh in one script, where users and sessions share a cluster."""

from domain.model.claims import Claims
from domain.model.sessions import Rotation
from infrastructure.redis.sessions import RedisSessions
from ports.rotations import Rotations


class RedisRotations(Rotations):
    """Changes the session's hash in a script that sees whether the built-in user is active, too."""

    def __init__(self, sessions: RedisSessions, *, restoring: Rotations) -> None:
        """Take sessions whose cluster holds the built-in users, and what takes a step that finds no session."""
        self._sessions = sessions
        self._restoring = restoring

    def rotate(self, rotation: Rotation) -> Claims | None:
        """Take the step if the hash holds the replaced generation and the user is active."""
        if rotation.replaces is None:
            return self._restoring.rotate(rotation)
        return self._sessions.rotate(rotation, of_built_in_user=True)
