"""How a session of an active user takes a step."""

from abc import ABC, abstractmethod

from domain.model.claims import Claims
from domain.model.sessions import Rotation


class Rotations(ABC):
    """The step of a refresh, as cheap as the user's and the session's places allow: one statement if they are one."""

    @abstractmethod
    def rotate(self, rotation: Rotation) -> Claims | None:
        """Take one step as `Sessions.rotate` does, but only for a user who exists and is active.

        Returns the session's claims and the user's, of which the user's count, or `None` if the step was not taken,
        for whichever reason: whoever is told so asks both. Raises `StoreUnavailableError`.
        """
