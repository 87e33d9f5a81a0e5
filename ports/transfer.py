"""How all that a store of sessions holds is read, and how another store takes it over."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.model.sessions import CutOff, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of what a store holds. `place` is where to go on after it: a text of the store's own, on one line.

    `purged_until` is how far a purge may have forgotten sessions of these users. Everybody's cut-off is that of
    the user `EVERYBODY`.
    """

    place: str
    sessions: Sequence[Session] = ()
    cut_offs: Mapping[str, CutOff] = field(default_factory=dict, hash=False)
    purged_until: int | None = None


class Transfer(ABC):
    """A store of sessions as something to move from and to, while it serves.

    What has been adopted outlives a power cut. Each method raises `StoreUnavailableError` if the store cannot do its
    work, and may be repeated without harm.
    """

    @abstractmethod
    def export(self, after: str = "") -> Iterator[Part]:
        """Read all sessions and cut-offs in small parts, in an order that stays, on from the place of an earlier part.

        What is there all the time is read; what comes or changes in between may be missed. A user's cut-off is never
        read before the sessions that were there. Raises `UnknownPlaceError`.
        """

    @abstractmethod
    def adopt(self, session: Session) -> None:
        """Take over what another store knows of a session.

        It becomes what both know of it (`Session.joined`). What a purge of this store may have forgotten stays
        forgotten.
        """

    @abstractmethod
    def adopt_cut_off(self, user_id: str, cut_off: CutOff) -> None:
        """Take over a user's cut-off: whatever either store has ended is over.

        A session is spared if it is by both, or by the later one and had not started at the earlier one; that is known
        of sessions alone that have a row here.
        """

    @abstractmethod
    def adopt_purge(self, until: int) -> None:
        """Take over how far purges went: what they forgot stays forgotten."""
