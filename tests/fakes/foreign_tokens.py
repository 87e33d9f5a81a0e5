"""Another system's refresh tokens, in memory."""

from domain.model.adoption import SUPERSEDED_GENERATION, ForeignToken, Scheme, adopted
from domain.model.claims import Claims
from domain.model.errors import StoreUnavailableError
from domain.model.tokens import FIRST_GENERATION
from ports.foreign_tokens import ForeignTokens
from tests.fakes.clock import START


class FakeForeignTokens(ForeignTokens):
    """Issues tokens, and revokes them."""

    def __init__(self) -> None:
        self.issued: dict[str, ForeignToken] = {}
        self.revoked: set[str] = set()
        self.asked = 0
        self.is_away = False

    def issue(
        self,
        user_id: str = "ada",
        *,
        issued_at: int = START - 86_400,
        expires_at: int | None = START + 86_400,
        claims: Claims | None = None,
        superseded_by: str | None = None,
    ) -> str:
        """Return a token; one that is `superseded_by` another is an older one of the same session."""
        text = f"foreign-{len(self.issued)}"
        self.issued[text] = adopted(
            Scheme.SIMPLEJWT,
            superseded_by or text,
            issuer="",
            user_id=user_id,
            issued_at=issued_at,
            expires_at=expires_at,
            session_ttl=60 * 86_400,
            claims=claims,
            generation=FIRST_GENERATION if superseded_by is None else SUPERSEDED_GENERATION,
        )
        if superseded_by is not None:
            self.revoked.add(superseded_by)
        return text

    def find(self, presented: str) -> ForeignToken | None:
        return self.issued.get(presented)

    def is_revoked(self, foreign: ForeignToken) -> bool:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailableError("the blocklist is away")
        return foreign.id in self.revoked
