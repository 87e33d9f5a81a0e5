"""How an application that moves in is wired: whose tokens are adopted, and what their access tokens say."""

from collections.abc import Callable, Iterator

from pydantic import SecretStr

from domain.model.adoption import Scheme
from domain.model.tokens import AccessToken
from domain.use_cases.count_adopted_sessions import CountAdoptedSessions
from entrypoints.cli.output import at
from entrypoints.settings import PREFIX, Settings, SettingsError
from infrastructure.adoption import flask_jwt_extended, simplejwt
from infrastructure.adoption.access_tokens import AccessClaims, CompatibleTokenCodec, OldKeyTokenCodec
from infrastructure.adoption.jwt_tokens import JwtTokens
from infrastructure.adoption.several import SeveralForeignTokens
from infrastructure.adoption.signed_claims import SignedClaims, UnusableKeyError
from infrastructure.peewee.blocklists import (
    PeeweeBlocklist,
    blocklist_table,
    last_outstanding,
    simplejwt_blacklist,
)
from infrastructure.peewee.engine import Engine
from infrastructure.peewee.oauth_toolkit import OAuthToolkitTokens
from ports.blocklist import Blocklist, NoBlocklist
from ports.foreign_tokens import ForeignTokens
from ports.token_codec import TokenCodec


class MovingIn:
    """The systems that the settings name, over the users' database. Nothing is connected yet."""

    def __init__(self, settings: Settings, users_engine: Engine | None) -> None:
        """Raise `SettingsError` for a key that cannot be used, or if there is no database for tables that are read."""
        self._settings = settings
        self._users_engine = users_engine
        self._inspections: list[Callable[[], object]] = []
        self.flask = self._flask_tokens()
        self.simplejwt = self._simplejwt_tokens()
        self.toolkit = self._toolkit_tokens()
        found: dict[Scheme, ForeignTokens | None] = {
            Scheme.FLASK_JWT_EXTENDED: self.flask,
            Scheme.SIMPLEJWT: self.simplejwt,
            Scheme.OAUTH_TOOLKIT: self.toolkit,
        }
        self.foreign = SeveralForeignTokens({scheme: tokens for scheme, tokens in found.items() if tokens is not None})

    @property
    def engine(self) -> Engine:
        """The users' database. Raises `SettingsError` if there is none."""
        if self._users_engine is None:
            raise SettingsError([f"{PREFIX}USERS_DATABASE_URL must name the database of the old application's tables"])
        return self._users_engine

    def inspect(self) -> None:
        """Raise `StoreUnavailableError`, in words, if what the old systems had revoked cannot be read."""
        for inspection in self._inspections:
            inspection()

    def describe(self, count: CountAdoptedSessions, now: int) -> Iterator[str]:
        """Yield in words how far the move has come. Raises `StoreUnavailableError`."""
        if self._settings.adopts:
            self.inspect()
            yield from self._state(count, now)

    def compatible(self, tokens: TokenCodec) -> TokenCodec:
        """Return a codec whose access tokens say what the old libraries look for."""
        settings, wanted = self._settings, list[AccessClaims]()
        if self.flask is not None or Scheme.FLASK_JWT_EXTENDED in settings.access_token_compatibility:
            wanted.append(self._flask_access_claims)
        if self.simplejwt is not None or Scheme.SIMPLEJWT in settings.access_token_compatibility:
            wanted.append(self._simplejwt_access_claims)
        for signs, name, old in (
            (settings.adopt_flask_jwt_extended_signs_access_tokens, "ADOPT_FLASK_JWT_EXTENDED", self.flask),
            (settings.adopt_simplejwt_signs_access_tokens, "ADOPT_SIMPLEJWT", self.simplejwt),
        ):
            if signs and old is not None:
                if not old.signed.can_sign:
                    raise SettingsError(
                        [f"{PREFIX}{name}_KEY is a public key, with which no access token can be signed"]
                    )
                issuer, audience = old.dialect.issuer or settings.issuer, old.dialect.audience or settings.audience
                return OldKeyTokenCodec(tokens, wanted, old.signed, issuer=issuer, audience=audience)
        return CompatibleTokenCodec(tokens, wanted) if wanted else tokens

    def _state(self, count: CountAdoptedSessions, now: int) -> Iterator[str]:
        live = {each.scheme: each for each in count(now=now)}
        for scheme in self.foreign.schemes:
            of_scheme = live.get(scheme)
            if of_scheme is None:
                yield f"No session that came from {scheme} is live."
            else:
                yield (
                    f"{of_scheme.count} live sessions came from {scheme};"
                    f" the last of the old tokens that they began with expires at {at(of_scheme.expires_at)}."
                )
        if self.flask is not None and self._settings.adopt_flask_jwt_extended_blocklist_table is None:
            yield "No blocklist of flask-jwt-extended is read: what the old application had revoked is adopted."
        known: dict[Scheme, int | None] = {}
        if self.simplejwt is not None and self._settings.adopt_simplejwt_blacklist:
            known[Scheme.SIMPLEJWT] = last_outstanding(self.engine)
        if self.toolkit is not None:
            known[Scheme.OAUTH_TOOLKIT] = self.toolkit.last_expiry()
        for scheme, expires_at in known.items():
            if expires_at is not None:
                yield f"The last token in the tables of {scheme} expires at {at(expires_at)}."

    def _flask_tokens(self) -> JwtTokens | None:
        settings = self._settings
        if settings.adopt_flask_jwt_extended_key is None:
            return None
        blocklist: Blocklist = NoBlocklist()
        if settings.adopt_flask_jwt_extended_blocklist_table is not None:
            blocklist = self._inspected(
                blocklist_table(
                    self.engine,
                    settings.adopt_flask_jwt_extended_blocklist_table,
                    settings.adopt_flask_jwt_extended_blocklist_column,
                )
            )
        return JwtTokens(
            _signed(
                "ADOPT_FLASK_JWT_EXTENDED",
                settings.adopt_flask_jwt_extended_key,
                settings.adopt_flask_jwt_extended_algorithm,
            ),
            flask_jwt_extended.dialect(
                identity_claim=settings.adopt_flask_jwt_extended_identity_claim,
                issuer=settings.adopt_flask_jwt_extended_issuer,
                audience=settings.adopt_flask_jwt_extended_audience,
            ),
            blocklist,
            session_ttl=settings.session_ttl,
        )

    def _simplejwt_tokens(self) -> JwtTokens | None:
        settings = self._settings
        if settings.adopt_simplejwt_key is None:
            return None
        return JwtTokens(
            _signed("ADOPT_SIMPLEJWT", settings.adopt_simplejwt_key, settings.adopt_simplejwt_algorithm),
            simplejwt.dialect(
                user_id_claim=settings.adopt_simplejwt_user_id_claim,
                type_claim=settings.adopt_simplejwt_token_type_claim,
                id_claim=settings.adopt_simplejwt_jti_claim,
                issuer=settings.adopt_simplejwt_issuer,
                audience=settings.adopt_simplejwt_audience,
            ),
            self._inspected(simplejwt_blacklist(self.engine)) if settings.adopt_simplejwt_blacklist else NoBlocklist(),
            session_ttl=settings.session_ttl,
        )

    def _toolkit_tokens(self) -> OAuthToolkitTokens | None:
        if not self._settings.adopt_oauth_toolkit:
            return None
        tokens = OAuthToolkitTokens(
            self.engine,
            expire_seconds=self._settings.adopt_oauth_toolkit_refresh_token_expire_seconds or None,
            session_ttl=self._settings.session_ttl,
        )
        self._inspections.append(tokens.inspect)
        return tokens

    def _inspected(self, blocklist: PeeweeBlocklist) -> PeeweeBlocklist:
        self._inspections.append(blocklist.inspect)
        return blocklist

    def _flask_access_claims(self, token: AccessToken) -> dict[str, object]:
        claim = self._settings.adopt_flask_jwt_extended_identity_claim
        return flask_jwt_extended.access_claims(token, identity_claim=claim)

    def _simplejwt_access_claims(self, token: AccessToken) -> dict[str, object]:
        settings = self._settings
        return simplejwt.access_claims(
            token,
            user_id_claim=settings.adopt_simplejwt_user_id_claim,
            type_claim=settings.adopt_simplejwt_token_type_claim,
            id_claim=settings.adopt_simplejwt_jti_claim,
        )


def _signed(name: str, key: SecretStr, algorithm: str | None) -> SignedClaims:
    try:
        return SignedClaims(key.get_secret_value(), algorithm)
    except UnusableKeyError as error:
        raise SettingsError([f"{PREFIX}{name}_KEY {error}"]) from None
