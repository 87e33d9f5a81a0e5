"""The whole domain over fakes, wired as the composition root wires it over real adapters."""

from dataclasses import dataclass, field

from domain.model.sessions import SessionPolicy
from domain.model.users import User
from domain.use_cases.authenticate_access_token import AuthenticateAccessToken
from domain.use_cases.end_all_sessions import EndAllSessions
from domain.use_cases.end_session import EndSession
from domain.use_cases.list_sessions import ListSessions
from domain.use_cases.purge_expired_sessions import PurgeExpiredSessions
from domain.use_cases.refresh_access_token import RefreshAccessToken
from domain.use_cases.revoke_token import RevokeToken
from domain.use_cases.start_session import StartSession
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from tests.fakes.clock import FakeClock
from tests.fakes.security_log import FakeSecurityLog
from tests.fakes.sessions import FakeSessions
from tests.fakes.token_codec import FakeTokenCodec
from tests.fakes.users import FakeUsers


@dataclass
class FakeService:
    """Every use case over the same ports. Any port may be replaced by a real adapter."""

    policy: SessionPolicy = field(default_factory=SessionPolicy)
    clock: FakeClock = field(default_factory=FakeClock)
    tokens: TokenCodec = field(default_factory=FakeTokenCodec)
    users: FakeUsers = field(default_factory=lambda: FakeUsers(User(id="ada"), User(id="bob")))
    sessions: Sessions = field(default_factory=FakeSessions)
    log: FakeSecurityLog = field(default_factory=FakeSecurityLog)

    @property
    def start(self) -> StartSession:
        return StartSession(
            clock=self.clock,
            tokens=self.tokens,
            users=self.users,
            sessions=self.sessions,
            log=self.log,
            policy=self.policy,
        )

    @property
    def refresh(self) -> RefreshAccessToken:
        return RefreshAccessToken(
            clock=self.clock,
            tokens=self.tokens,
            users=self.users,
            sessions=self.sessions,
            log=self.log,
            policy=self.policy,
        )

    @property
    def revoke(self) -> RevokeToken:
        return RevokeToken(clock=self.clock, tokens=self.tokens, sessions=self.sessions, log=self.log)

    @property
    def authenticate(self) -> AuthenticateAccessToken:
        return AuthenticateAccessToken(clock=self.clock, tokens=self.tokens, sessions=self.sessions, policy=self.policy)

    @property
    def list_sessions(self) -> ListSessions:
        return ListSessions(clock=self.clock, sessions=self.sessions)

    @property
    def end(self) -> EndSession:
        return EndSession(clock=self.clock, sessions=self.sessions, log=self.log)

    @property
    def end_all(self) -> EndAllSessions:
        return EndAllSessions(clock=self.clock, sessions=self.sessions, log=self.log)

    @property
    def purge(self) -> PurgeExpiredSessions:
        return PurgeExpiredSessions(clock=self.clock, sessions=self.sessions, policy=self.policy)
