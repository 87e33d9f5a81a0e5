"""The step of a refresh where users and sessions are kept apart."""

from domain.model.claims import Claims
from domain.model.sessions import Rotation
from ports.rotations import Rotations
from ports.sessions import Sessions
from ports.users import Users


class RotationsInTwoPlaces(Rotations):
    """Asks for the user where users are, then takes the step where sessions are. Works with any two stores."""

    def __init__(self, users: Users, sessions: Sessions) -> None:
        self._users = users
        self._sessions = sessions

    def rotate(self, rotation: Rotation) -> Claims | None:
        """Take the step for a user who was active a moment ago."""
        user = self._users.find(rotation.successor.user_id)
        if user is None or not user.active:
            return None
        claims = self._sessions.rotate(rotation)
        return None if claims is None else {**claims, **user.claims}
