"""Write the tokens of an answer."""

from dataclasses import dataclass

from domain.model.claims import Claims
from domain.model.sessions import SessionPolicy
from domain.model.tokens import AccessToken, RefreshToken, TokenPair, new_id
from ports.token_codec import TokenCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTokens:
    """Give a session's refresh token in compact form, and a new access token beside it."""

    tokens: TokenCodec
    policy: SessionPolicy

    def __call__(self, token: RefreshToken, claims: Claims, *, now: int, stays_in_use: bool = False) -> TokenPair:
        """Return both, or the access token alone if the client has `token` and it `stays_in_use`.

        An access token lives no longer than its session.
        """
        expires_at = min(now + self.policy.access_token_ttl, token.ends_at + self.policy.leeway)
        access_token = AccessToken(
            id=new_id(),
            session_id=token.session_id,
            user_id=token.user_id,
            issued_at=now,
            expires_at=expires_at,
            claims=claims,
        )
        return TokenPair(
            session_id=token.session_id,
            access_token=self.tokens.write_access_token(access_token),
            access_token_expires_in=expires_at - now,
            refresh_token=None if stays_in_use else self.tokens.write_refresh_token(token),
            refresh_token_expires_in=None if stays_in_use else max(0, token.expires_at - now),
            remember=token.remember,
        )
