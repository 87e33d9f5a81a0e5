"""Flask-JWT-Extended 4: what its refresh tokens say, and what it wants of access tokens."""

from domain.model.adoption import Scheme
from domain.model.tokens import AccessToken, new_id
from infrastructure.adoption.jwt_tokens import Dialect


def dialect(*, identity_claim: str = "sub", issuer: str | None = None, audience: str | None = None) -> Dialect:
    """Return how tokens are written with `JWT_IDENTITY_CLAIM`, `JWT_ENCODE_ISSUER` and `JWT_ENCODE_AUDIENCE`.

    With `JWT_REFRESH_TOKEN_EXPIRES` false, a token has no `exp`.
    """
    return Dialect(
        scheme=Scheme.FLASK_JWT_EXTENDED,
        type_claim="type",
        user_claim=identity_claim,
        id_claim="jti",
        must_expire=False,
        own=frozenset({identity_claim, "fresh", "csrf"}),
        issuer=issuer,
        audience=audience,
    )


def access_claims(token: AccessToken, *, identity_claim: str = "sub") -> dict[str, object]:
    """Return what `jwt_required` looks for beside `type` and `jti`, which access tokens have anyway."""
    return {identity_claim: token.user_id, "fresh": False, "csrf": new_id()}
