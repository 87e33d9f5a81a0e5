"""Where sessions are kept."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from domain.model.claims import Claims
from domain.model.decisions import Standing
from domain.model.sessions import RevocationReason, Rotation, Session
from domain.model.tokens import RefreshToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which of a list's sessions are asked for: at most `limit`, those after `after` (start and identifier)."""

    limit: int
    after: tuple[int, str] | None = None


class Sessions(ABC):
    """All sessions, one row each, shared by every process of the service.

    User and session are one key: every method that concerns a session names its user, so that a store may place data
    by user, and nobody reaches a session of somebody else. Each method is atomic, whatever the number of threads,
    processes and servers that call it at once, and may be repeated after an error without harm. What a method has
    returned outlives the death of the calling process. A start, a revocation and a cut-off also outlive a power cut; a
    rotation may be lost to one, which the next token presented repairs. Each method raises `StoreUnavailableError` if
    the store cannot do its work.
    """

    @abstractmethod
    def start(self, session: Session) -> None:
        """Add a session. Its identifier is new; adding the same one again changes nothing."""

    @abstractmethod
    def rotate(self, rotation: Rotation) -> Claims | None:
        """Take one step; return the claims that the session was started with, or `None` if it was not taken.

        It is taken if the store holds exactly the generation that the rotation replaces (no row at all, for `None`),
        the session did not rotate in a second that the rotation excludes, it is bound to no other key than the rotation
        holds, and it is neither revoked nor covered by a cut-off nor possibly forgotten by a purge. However many try to
        replace one generation at once, one of them takes the step.
        """

    @abstractmethod
    def get(self, user_id: str, session_id: str) -> Standing:
        """Return all that is known of a session and its user, read at one moment."""

    @abstractmethod
    def revoke(self, token: RefreshToken, *, at: int, reason: RevocationReason) -> bool:
        """End the session of `token` for ever, and tell whether this call did it.

        A session that has no row gets one, revoked: a token of it may still be about. The first revocation's time and
        reason stand.
        """

    @abstractmethod
    def end(self, user_id: str, session_id: str, *, at: int, reason: RevocationReason) -> bool:
        """End a session of the user for ever, and tell whether this call did it. Nothing is done without a row."""

    @abstractmethod
    def end_all(self, user_id: str, *, at: int, spare: str | None = None) -> int:
        """End all sessions of a user that have started so far, but `spare`; return how many of them were live at `at`.

        One write whatever their number. A session that starts later is not touched, not even one of the same second. A
        clock that was set back does not spare a session that the store knows. What an earlier cut-off has ended is
        spared by no later one; where there was one, only a session that has a row can be spared.
        """

    @abstractmethod
    def end_everybody(self, *, started_by: int, at: int) -> int | None:
        """End every session of every user that had started by `started_by`, those without a row included.

        It spares nobody and never moves back. A session that starts later is not touched. Returns how many were live at
        `at`, or `None` if they are too many to be counted.
        """

    @abstractmethod
    def list_live(self, user_id: str, page: Page, *, now: int) -> list[Session]:
        """Return a page of the user's sessions that are neither revoked, cut off nor expired, the newest first."""

    @abstractmethod
    def owner_of(self, session_id: str) -> str | None:
        """Return whose session it is, for operators: this may look through the whole store."""

    @abstractmethod
    def purge(self, *, until: int) -> Iterator[int]:
        """Forget the sessions whose last token expired at or before `until`, in small batches.

        Yields how many rows each batch removed. What is forgotten stays dead, even if the clock is set back later.
        Cut-offs go when no token that they end can be left.
        """
