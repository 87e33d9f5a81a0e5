"""The whole domain over fakes, wired as the composition root wires it over real adapters."""

from domain.model.actors import Actor, ActorKind
from domain.model.sessions import SessionPolicy
from domain.model.tokens import TokenPair
from domain.model.users import User
from domain.use_cases.service import Service
from domain.use_cases.start_session import SessionTerms
from infrastructure.authlib.device_sessions import AuthlibDeviceSessions
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.two_places import RotationsInTwoPlaces
from ports.foreign_tokens import NO_FOREIGN_TOKENS, ForeignTokens
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from tests.fakes.clock import FakeClock
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.fakes.users import FakeUsers

_PORTS = ("clock", "tokens", "users", "sessions", "log", "foreign")
SECRET = "r4Qm8Zx2Tn6Wc1Vb7Ly3Kd9Hs5Jf0Pg-aEu"
LOGIN = Actor(kind=ActorKind.SERVICE, name="login")


class FakeService(Service):
    """Every use case over the same ports. Any port and the policy may be given, or be replaced later."""

    def __init__(
        self,
        *,
        policy: SessionPolicy | None = None,
        clock: FakeClock | None = None,
        tokens: TokenCodec | None = None,
        users: FakeUsers | None = None,
        sessions: Sessions | None = None,
        log: FakeSecurityLog | None = None,
        foreign: ForeignTokens = NO_FOREIGN_TOKENS,
    ) -> None:
        self.clock = clock or FakeClock()
        self.tokens = tokens or FakeTokenCodec()
        self.users = users or FakeUsers(User(id="ada"), User(id="bob"))
        self.sessions = sessions or FakeSessions()
        self.log = log or FakeSecurityLog()
        self.foreign = foreign
        self.policy = policy or SessionPolicy()

    def __setattr__(self, name: str, value: object) -> None:
        """Set a port or the policy and wire the use cases anew, as a restart with other settings does."""
        super().__setattr__(name, value)
        if name == "policy" or (name in _PORTS and hasattr(self, "policy")):
            super().__init__(
                clock=self.clock,
                tokens=self.tokens,
                users=self.users,
                sessions=self.sessions,
                rotations=RotationsInTwoPlaces(self.users, self.sessions),
                devices=AuthlibDeviceSessions(KeyRing(SECRET), self.clock),
                log=self.log,
                policy=self.policy,
                foreign=self.foreign,
            )

    def sign_in(self, user_id: str = "ada", terms: SessionTerms | None = None, *, device: str = "") -> TokenPair:
        """Start a session as the login service does."""
        return self.start(user_id, terms or SessionTerms(device=device), by=LOGIN)
