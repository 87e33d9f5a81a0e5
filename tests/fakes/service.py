"""The whole domain over fakes, wired as the composition root wires it over real adapters."""

from domain.model.actors import Actor, ActorKind
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from domain.use_cases.service import Service
from domain.use_cases.start_session import SessionTerms
from infrastructure.two_places import RotationsInTwoPlaces
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from tests.fakes.clock import FakeClock
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.fakes.users import FakeUsers

LOGIN = Actor(kind=ActorKind.SERVICE, name="login")


class FakeService(Service):
    """Every use case over the same ports. Any port may be given as a real adapter, and the policy may be changed."""

    def __init__(
        self,
        *,
        policy: SessionPolicy | None = None,
        clock: FakeClock | None = None,
        tokens: TokenCodec | None = None,
        users: FakeUsers | None = None,
        sessions: Sessions | None = None,
        log: FakeSecurityLog | None = None,
    ) -> None:
        self.clock = clock or FakeClock()
        self.tokens = tokens or FakeTokenCodec()
        self.users = users or FakeUsers(User(id="ada"), User(id="bob"))
        self.log = log or FakeSecurityLog()
        self._sessions = sessions or FakeSessions()
        self._policy = policy or SessionPolicy()
        self._wire()

    @property
    def policy(self) -> SessionPolicy:
        return self._policy

    @policy.setter
    def policy(self, policy: SessionPolicy) -> None:
        """Go on with other settings, as after a restart."""
        self._policy = policy
        self._wire()

    @property
    def sessions(self) -> Sessions:
        return self._sessions

    @sessions.setter
    def sessions(self, sessions: Sessions) -> None:
        """Go on with another store."""
        self._sessions = sessions
        self._wire()

    def sign_in(self, user_id: str = "ada", terms: SessionTerms | None = None) -> TokenPair:
        """Start a session as the login service does."""
        return self.start(user_id, terms or SessionTerms(), by=LOGIN)

    def _wire(self) -> None:
        super().__init__(
            clock=self.clock,
            tokens=self.tokens,
            users=self.users,
            sessions=self._sessions,
            rotations=RotationsInTwoPlaces(self.users, self._sessions),
            log=self.log,
            policy=self._policy,
        )
