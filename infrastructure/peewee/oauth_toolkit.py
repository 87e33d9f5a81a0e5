"""django-oauth-toolkit's tables in the application's own database: refresh tokens, and the clients they belong to.

Its refresh tokens are opaque. Since version 3.1 a row is found by the SHA-256 of its token, before by the token itself.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from peewee import JOIN, SQL, DataError, Table, fn

from domain.model.adoption import SUPERSEDED_GENERATION, ForeignToken, Scheme, adopted
from domain.model.errors import StoreUnavailableError
from domain.model.tokens import FIRST_GENERATION
from domain.model.users import is_user_id
from infrastructure.peewee.blocklists import require_columns, seconds_of
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.statement import Statement, slot
from infrastructure.peewee.tables import Expression
from ports.foreign_tokens import ForeignTokens
from ports.oauth_clients import OAuthClients

_REFRESH, _ACCESS, _CLIENTS = (f"oauth2_provider_{name}" for name in ("refreshtoken", "accesstoken", "application"))
_NEEDED = {
    _REFRESH: ("token", "user_id", "application_id", "access_token_id", "created", "revoked"),
    _ACCESS: ("id", "expires", "scope"),
    _CLIENTS: ("id", "client_id", "client_type", "client_secret"),
}
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,255}", re.ASCII)
"""What the toolkit's generators make (30 letters and digits), and what others may be set to make instead."""
_PUBLIC = "public"
_CHECKSUM, _FAMILY = "token_checksum", "token_family"

CheckSecret = Callable[[str, str], bool]
"""Tell whether a secret is the one that a row has, hashed or not. Raises `StoreUnavailableError` if it cannot."""


class OAuthToolkitTokens(ForeignTokens):
    """Refresh tokens by their rows. All that rotation made of one grant (a token family) is one session."""

    def __init__(self, engine: Engine, *, expire_seconds: int | None, session_ttl: int) -> None:
        """Take `REFRESH_TOKEN_EXPIRE_SECONDS`, which counts from the end of the access token beside it.

        Nothing is connected yet: the tables are looked at when the first token is looked up.
        """
        self._engine = engine
        self._expire_seconds = expire_seconds
        self._session_ttl = session_ttl
        self._known: Statement | None = None

    def find(self, presented: str) -> ForeignToken | None:
        """Look the token up. Of several rows for one token the one counts that was not revoked."""
        row = self.row_of(presented)
        if row is None:
            return None
        user_id, _, created, revoked, family, expires, scope = row
        if not is_user_id(str(user_id)):
            return None
        is_revoked = revoked is not None or expires is None
        expires_at = None if expires is None or not self._expire_seconds else seconds_of(expires) + self._expire_seconds
        issued_at = seconds_of(created)
        return adopted(
            Scheme.OAUTH_TOOLKIT,
            f"family {family}" if family else _checksum(presented),
            issuer="",
            user_id=str(user_id),
            issued_at=issued_at,
            expires_at=None if expires_at is None else max(expires_at, issued_at),
            session_ttl=self._session_ttl,
            claims={"scope": scope} if scope else {},
            # APPSEC: what its family has left behind ends the session that its successor has become by now.
            generation=SUPERSEDED_GENERATION if is_revoked else FIRST_GENERATION,
        )

    def is_revoked(self, foreign: ForeignToken) -> bool:
        """Return what the row has told: it was revoked, or its access token was deleted, which the toolkit refuses."""
        return foreign.token.generation == SUPERSEDED_GENERATION

    def row_of(self, presented: str) -> tuple[Any, ...] | None:
        """Return user, client, created, revoked, family, expiry of the access token, and scope; or `None`."""
        if _TOKEN.fullmatch(presented) is None:
            return None
        statement = self._known or self.inspect()
        try:
            rows = self._engine.select(statement, {"token": presented, "checksum": _checksum(presented)})
        except DataError as error:
            raise StoreUnavailableError("the toolkit's table cannot hold such a token") from error
        return min(rows, key=lambda row: row[3] is not None, default=None)

    def inspect(self) -> Statement:
        """Learn the tables' columns. Raises `StoreUnavailableError`, in words, if one is missing or not readable."""
        columns = {table: require_columns(self._engine, table, needed) for table, needed in _NEEDED.items()}
        refresh, access, clients = (_table(name, columns[name]) for name in (_REFRESH, _ACCESS, _CLIENTS))
        has_checksum, has_family = _CHECKSUM in columns[_REFRESH], _FAMILY in columns[_REFRESH]
        self._known = self._engine.compile(
            refresh.select(
                refresh.user_id,
                clients.client_id,
                refresh.created,
                refresh.revoked,
                refresh.token_family if has_family else SQL("NULL"),
                access.expires,
                access.scope,
            )
            .join(clients, on=(refresh.application_id == clients.id))
            .join(access, JOIN.LEFT_OUTER, on=(refresh.access_token_id == access.id))
            .where(refresh.token_checksum == slot("checksum") if has_checksum else refresh.token == slot("token"))
        )
        return self._known

    def last_expiry(self) -> int | None:
        """Return when the last token expires that was not revoked, or `None` if there is none, or if none ever does."""
        if not self._expire_seconds:
            return None
        refresh: Expression = Table(_REFRESH, ("access_token_id", "revoked"))
        access: Expression = Table(_ACCESS, ("id", "expires"))
        query = (
            refresh.select(fn.MAX(access.expires))
            .join(access, on=(refresh.access_token_id == access.id))
            .where(refresh.revoked.is_null())
        )
        ((latest,),) = self._engine.select(self._engine.compile(query), {})
        return None if latest is None else seconds_of(latest) + self._expire_seconds


class OAuthToolkitClients(OAuthClients):
    """The toolkit's applications."""

    def __init__(self, engine: Engine, tokens: OAuthToolkitTokens, check_secret: CheckSecret) -> None:
        """Take whose tokens they present, and what knows how secrets are hashed."""
        self._engine = engine
        self._tokens = tokens
        self._check_secret = check_secret
        clients: Expression = Table(_CLIENTS, ("client_id", "client_type", "client_secret"))
        self._find = engine.compile(
            clients.select(clients.client_type, clients.client_secret).where(clients.client_id == slot("client_id"))
        )

    def authenticate(self, client_id: str, secret: str | None) -> bool:
        """Read the client's row, and hash the secret if there is one."""
        if not is_user_id(client_id):
            return False
        rows = self._engine.select(self._find, {"client_id": client_id})
        if not rows:
            return False
        client_type, stored = rows[0]
        return client_type == _PUBLIC if secret is None else self._check_secret(secret, stored)

    def may_present(self, client_id: str, presented: str) -> bool:
        """Read the token's row: without one it is none of the toolkit's."""
        row = self._tokens.row_of(presented)
        return row is None or row[1] == client_id


def _table(name: str, columns: set[str]) -> Expression:
    return Table(name, sorted(columns))


def _checksum(presented: str) -> str:
    return hashlib.sha256(presented.encode("utf-8")).hexdigest()
