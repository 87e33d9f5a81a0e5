"""All that can be asked of the service: the one list of use cases, over the ports that they share."""

from dataclasses import replace

from domain.model.sessions import SessionPolicy
from domain.use_cases.authenticate_access_token import AuthenticateAccessToken
from domain.use_cases.bind_device import BindDevice
from domain.use_cases.end_all_sessions import EndAllSessions
from domain.use_cases.end_everybody import EndEverybody
from domain.use_cases.end_session import EndSession
from domain.use_cases.introspect_token import IntrospectToken
from domain.use_cases.issue_tokens import IssueTokens
from domain.use_cases.list_sessions import ListSessions
from domain.use_cases.purge_expired_sessions import PurgeExpiredSessions
from domain.use_cases.read_refresh_token import ReadRefreshToken
from domain.use_cases.refresh_access_token import RefreshAccessToken
from domain.use_cases.revoke_token import RevokeToken
from domain.use_cases.start_session import StartSession
from ports.clock import Clock
from ports.device_sessions import DeviceSessions
from ports.foreign_tokens import NO_FOREIGN_TOKENS, ForeignTokens
from ports.rotations import Rotations
from ports.security_log import SecurityLog
from ports.sessions import Sessions
from ports.token_codec import TokenCodec
from ports.users import Users


class Service:
    """The use cases, each a value whose fields are its ports."""

    def __init__(
        self,
        *,
        clock: Clock,
        tokens: TokenCodec,
        users: Users,
        sessions: Sessions,
        rotations: Rotations,
        devices: DeviceSessions,
        log: SecurityLog,
        policy: SessionPolicy,
        foreign: ForeignTokens = NO_FOREIGN_TOKENS,
        claims_of_users: frozenset[str] = frozenset(),
    ) -> None:
        self.record = log.record  # for what entry points refuse by themselves
        read = ReadRefreshToken(tokens=tokens, foreign=foreign, log=log)
        issue = IssueTokens(tokens=tokens, policy=policy)
        self.start = StartSession(
            clock=clock,
            users=users,
            sessions=sessions,
            issue=issue,
            log=log,
            policy=policy,
            claims_of_users=claims_of_users,
        )
        self.refresh = RefreshAccessToken(
            clock=clock,
            read=read,
            foreign=foreign,
            users=users,
            sessions=sessions,
            rotations=rotations,
            issue=issue,
            log=log,
            policy=policy,
        )
        self.keep = replace(self.refresh, policy=replace(policy, rotation=False))
        """The refresh of clients that never take another refresh token than the one they have."""
        self.bind = BindDevice(clock=clock, tokens=tokens, devices=devices, sessions=sessions, log=log, policy=policy)
        self.revoke = RevokeToken(clock=clock, read=read, sessions=sessions, log=log)
        self.introspect = IntrospectToken(clock=clock, tokens=tokens, users=users, sessions=sessions, policy=policy)
        self.authenticate = AuthenticateAccessToken(
            clock=clock, tokens=tokens, sessions=sessions, log=log, policy=policy
        )
        self.list_sessions = ListSessions(clock=clock, sessions=sessions)
        self.end = EndSession(clock=clock, sessions=sessions, log=log)
        self.end_all = EndAllSessions(clock=clock, sessions=sessions, log=log)
        self.end_everybody = EndEverybody(clock=clock, sessions=sessions, log=log)
        self.purge = PurgeExpiredSessions(clock=clock, sessions=sessions, policy=policy)
