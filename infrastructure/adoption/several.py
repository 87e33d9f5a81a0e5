"""An application that comes from more than one system."""

from collections.abc import Mapping

from domain.model.adoption import ForeignToken, Scheme
from ports.foreign_tokens import ForeignTokens


class SeveralForeignTokens(ForeignTokens):
    """The tokens of several systems. Each is asked in turn, and what one has found is its own."""

    def __init__(self, tokens: Mapping[Scheme, ForeignTokens]) -> None:
        """Take the systems in the order in which they are asked."""
        self._tokens = tokens

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """Whose tokens are adopted."""
        return tuple(self._tokens)

    def find(self, presented: str) -> ForeignToken | None:
        """Return what the first system finds that knows the token."""
        found = (tokens.find(presented) for tokens in self._tokens.values())
        return next((foreign for foreign in found if foreign is not None), None)

    def is_revoked(self, foreign: ForeignToken) -> bool:
        """Ask the system whose token it is."""
        return self._tokens[foreign.scheme].is_revoked(foreign)
