"""djangorestframework-simplejwt 5: what its refresh tokens say, and what it wants of access tokens."""

from domain.model.adoption import Scheme
from domain.model.tokens import AccessToken
from infrastructure.adoption.jwt_tokens import Dialect


def dialect(
    *,
    user_id_claim: str = "user_id",
    type_claim: str = "token_type",
    id_claim: str = "jti",
    issuer: str | None = None,
    audience: str | None = None,
) -> Dialect:
    """Return how tokens are written with `USER_ID_CLAIM`, `TOKEN_TYPE_CLAIM`, `JTI_CLAIM`, `ISSUER` and `AUDIENCE`."""
    return Dialect(
        scheme=Scheme.SIMPLEJWT,
        type_claim=type_claim,
        user_claim=user_id_claim,
        id_claim=id_claim,
        must_expire=True,
        own=frozenset({user_id_claim, type_claim, id_claim}),
        issuer=issuer,
        audience=audience,
    )


def access_claims(
    token: AccessToken, *, user_id_claim: str = "user_id", type_claim: str = "token_type", id_claim: str = "jti"
) -> dict[str, object]:
    """Return what `JWTAuthentication` looks for beside `exp`, which access tokens have anyway."""
    return {user_id_claim: token.user_id, type_claim: "access", id_claim: token.id}
