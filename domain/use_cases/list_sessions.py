"""Show where a user is signed in."""

from dataclasses import dataclass

from domain.model.sessions import Session
from ports.clock import Clock
from ports.sessions import Page, Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSessions:
    """List a user's live sessions, the newest first."""

    clock: Clock
    sessions: Sessions

    def __call__(self, user_id: str, page: Page) -> list[Session]:
        """Return a page of the live sessions of the user, none for a user that nobody knows."""
        return self.sessions.list_live(user_id, page, now=self.clock.now())
