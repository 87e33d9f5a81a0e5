"""Write the tokens of an answer."""

from dataclasses import dataclass

from domain.model.claims import Claims
from domain.model.proofs import ProvenKey
from domain.model.sessions import SessionPolicy
from domain.model.tokens import AccessToken, RefreshToken, TokenPair, new_id
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTokens:
    """Give a session's refresh token in compact form, and a new access token beside it."""

    tokens: TokenCodec
    policy: SessionPolicy

    def __call__(
        self,
        token: RefreshToken,
        claims: Claims,
        *,
        now: int,
        proven: ProvenKey | None = None,
        stays_in_use: bool = False,
    ) -> TokenPair:
        """Return both, or the access token alone if the client has `token` and it `stays_in_use`.

        An access token lives no longer than its session. It may be bound to a key that its holder can prove anywhere,
        but not to one that was proven for this session alone.
        """
        is_bound = self.policy.bound_access_tokens and proven is not None and proven.session_id is None
        expires_at = min(now + self.policy.access_token_ttl, token.ends_at + self.policy.leeway)
        access_token = AccessToken(
            id=new_id(),
            session_id=token.session_id,
            user_id=token.user_id,
            issued_at=now,
            expires_at=expires_at,
            claims=claims,
            key_thumbprint=token.key_thumbprint if is_bound else None,
        )
        return TokenPair(
            session_id=token.session_id,
            access_token=self.tokens.write_access_token(access_token),
            access_token_expires_in=expires_at - now,
            refresh_token=None if stays_in_use else self.tokens.write_refresh_token(token),
            refresh_token_expires_in=None if stays_in_use else max(0, token.expires_at - now),
            remember=token.remember,
            access_token_is_bound=access_token.key_thumbprint is not None,
        )
