"""Where sessions are kept."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Rotation, Session
from domain.model.tokens import RefreshToken
from ports.users import Users


class Sessions(ABC):
    """All sessions, one row each, shared by every process of the service.

    Each method is atomic, whatever the number of threads, processes and servers that call it at once, and may be
    repeated after an error without harm. What a method has returned outlives the death of the calling process.
    A start, a revocation and a cut-off also outlive a power cut; a rotation may be lost to one, which the next
    token presented repairs. Each method raises `StoreUnavailableError` if the store cannot do its work.
    """

    @abstractmethod
    def start(self, session: Session) -> None:
        """Add a session. Its identifier is new; adding the same one again changes nothing."""

    @abstractmethod
    def advance(self, rotation: Rotation) -> bool:
        """Take one step, and tell whether it was taken.

        It is taken if the store holds exactly the generation that the rotation replaces (no row at all, for
        `None`), and the session is neither revoked nor covered by a cut-off nor possibly forgotten by a purge.
        However many try to replace one generation at once, one of them takes the step.
        """

    def advance_if_active(self, rotation: Rotation, users: Users) -> bool:
        """Take one step as `advance` does, but only for a user who is active; tell whether it was taken.

        That `False` may mean either, so whoever is told it asks both. A store that shares a database with `users` may
        ask once for the two, and may say `False` where it is not sure of the user.
        """
        user = users.find(rotation.user_id)
        return user is not None and user.active and self.advance(rotation)

    @abstractmethod
    def get(self, session_id: str, user_id: str) -> Standing:
        """Return all that is known of a session and its user, read at one moment."""

    @abstractmethod
    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """End the session of `token` for ever, and tell whether this call did it.

        A session that has no row gets one, revoked: a token of it may still be about. The first revocation's time and
        reason stand.
        """

    @abstractmethod
    def revoke_by_id(self, session_id: str, *, owner: str | None, at: int, reason: RevocationReason) -> bool:
        """End a session for ever by its identifier, and tell whether this call did it.

        With an `owner`, only a session of that user is ended. Nothing is done where there is no row.
        """

    @abstractmethod
    def end_all(self, user_id: str, *, at: int) -> None:
        """End all sessions of a user that have started so far, in one write whatever their number.

        A session that starts later is not touched, not even one of the same second. A clock that was set back does
        not spare a session that the store knows.
        """

    @abstractmethod
    def list_live(self, user_id: str, *, now: int) -> list[Session]:
        """Return the user's sessions that are neither revoked, cut off nor expired, the last used first."""

    @abstractmethod
    def purge(self, *, until: int) -> Iterator[int]:
        """Forget the sessions whose last token expired at or before `until`, in small batches.

        Yields how many rows each batch removed. What is forgotten stays dead, even if the clock is set back later.
        Cut-offs go when no token that they end can be left.
        """
