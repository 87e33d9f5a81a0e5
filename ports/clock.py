"""Where time comes from."""

from abc import ABC, abstractmethod


class Clock(ABC):
    """The one source of time, so that every decision of a request is made at one instant."""

    @abstractmethod
    def now(self) -> int:
        """Return the whole seconds since the epoch, UTC. It may go backwards: clocks are set."""
