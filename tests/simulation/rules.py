"""What a server may do with a refresh token that is presented again: this service's rule, and those of others.

Each rule serves one session. The rules of others are what their documentation or source says about rotation, without
anything else that those systems do.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

from domain.model.errors import InvalidRefreshTokenError, KeyNotProvenError
from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from domain.model.users import User
from domain.use_cases.refresh_access_token import RefreshAccessToken
from ports.security_log import Happening
from ports.sessions import Sessions
from tests.fakes.clock import FakeClock
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.service import FakeService
from tests.fakes.users import FakeUsers

GRACE = SessionPolicy().replay_grace


@dataclass(frozen=True, slots=True)
class Served:
    """An answer of status 200. `shared` says that the token in it had been handed out before.

    With `may_bind` it offers the browser to bind its session to a key.
    """

    token: str
    shared: bool = False
    may_bind: bool = False


@dataclass(frozen=True, slots=True)
class NotProven:
    """A refusal for want of a key, which ends nothing. With `may_bind` it offers a binding, too."""

    may_bind: bool


class Rule(ABC):
    """One session on one server."""

    @abstractmethod
    def sign_in(self, now: int) -> str:
        """Return the session's first refresh token."""

    @abstractmethod
    def refresh(self, presented: str, now: int) -> Served | None:
        """Return the answer to `presented`, or `None` if it is refused."""


class Nuovo(Rule):
    """The real use case over a store in memory."""

    def __init__(self, policy: SessionPolicy | None = None, sessions: Sessions | None = None) -> None:
        self.clock = FakeClock()
        self.log = FakeSecurityLog()
        self.service = FakeService(
            policy=policy,
            clock=self.clock,
            log=self.log,
            users=FakeUsers(User(id="ada")),
            sessions=sessions,
        )
        self._refresh: RefreshAccessToken = self.service.refresh

    def sign_in(self, now: int) -> str:
        self.clock.time = now
        token = self.service.sign_in().refresh_token
        assert token is not None
        return token

    def refresh(self, presented: str, now: int) -> Served | None:
        answer = self.prove(presented, now, None)
        assert not isinstance(answer, NotProven)
        return answer

    def prove(self, presented: str, now: int, proven: ProvenKey | None) -> Served | NotProven | None:
        """Return the answer to a token and the proof of a key."""
        self.clock.time = now
        try:
            pair = self._refresh(presented, proven)
        except InvalidRefreshTokenError:
            return None
        except KeyNotProvenError as error:
            return NotProven(error.may_bind)
        assert pair.refresh_token is not None
        is_shared = self.log.events[-1].happening is Happening.REPEATED
        return Served(pair.refresh_token, shared=is_shared, may_bind=pair.may_bind)

    def session_of(self, token: str) -> str:
        """Return the identifier of a token's session."""
        return self.service.tokens.read_refresh_token(token).session_id

    def is_bound(self, token: str) -> bool:
        """Tell whether a token is bound to a key."""
        return self.service.tokens.read_refresh_token(token).key_thumbprint is not None


class _Family(Rule):
    """A family of tokens kept one by one. `_superseded_at` has every token that was ever issued."""

    def __init__(self) -> None:
        self._names = count(1)
        self._superseded_at: dict[str, int | None] = {}
        self._parent: dict[str, str] = {}
        self._revoked = False

    def sign_in(self, now: int) -> str:
        return self._issue(None)

    def refresh(self, presented: str, now: int) -> Served | None:
        if self._revoked:
            return None
        superseded_at = self._superseded_at[presented]
        if superseded_at is None:
            self._superseded_at[presented] = now
            return Served(self._issue(presented))
        answer = self._again(presented, superseded_at, now)
        self._revoked = answer is None
        return answer

    @abstractmethod
    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        """Return the answer to a token that was traded before, or `None` to end the session."""

    def _issue(self, parent: str | None) -> str:
        name = str(next(self._names))
        self._superseded_at[name] = None
        if parent is not None:
            self._parent[name] = parent
        return name


class NoGrace(_Family):
    """RFC 9700, section 4.14.2, to the letter: whatever is presented twice was stolen."""

    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        return None


class ParentWithinTheGrace(_Family):
    """Every use rotates. The parent gets the active token for the grace; nothing else is forgiven."""

    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        active = next(reversed(self._superseded_at))
        is_parent = self._parent[active] == presented
        return Served(active, shared=True) if is_parent and now - superseded_at <= GRACE else None


class EveryReplayANewChild(_Family):
    """Within the window each replay gets a token of its own, and all of them stay good (Ory Hydra's grace period)."""

    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        return Served(self._issue(presented)) if now - superseded_at <= GRACE else None


class NewChildForTheParent(_Family):
    """As `EveryReplayANewChild`, for the token before the newest alone (Auth0's overlap period)."""

    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        newest = next(reversed(self._superseded_at))
        if self._parent[newest] == presented and now - superseded_at <= GRACE:
            return Served(self._issue(presented))
        return None


class ParentForEver(_Family):
    """The parent of the active token gets the active one, however late; others a new child for 10 s (Supabase)."""

    _INTERVAL = 10

    def _again(self, presented: str, superseded_at: int, now: int) -> Served | None:
        active = next(reversed(self._superseded_at))
        if self._parent[active] == presented and self._superseded_at[active] is None:
            return Served(active, shared=True)
        return Served(self._issue(presented)) if now - superseded_at <= self._INTERVAL else None


RULES: dict[str, Callable[[], Rule]] = {
    "nuovo": Nuovo,
    "parent only, within the grace": ParentWithinTheGrace,
    "parent shares the active token for ever": ParentForEver,
    "every replay a new child": EveryReplayANewChild,
    "new child for the parent": NewChildForTheParent,
    "no grace": NoGrace,
}
GRACES = {f"nuovo, grace of {grace} s": partial(Nuovo, SessionPolicy(replay_grace=grace)) for grace in (0, 10, 15, 20)}
"""The rule of this service with a grace that is shorter than journeys may be."""
