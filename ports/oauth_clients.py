"""The clients that are registered with the OAuth 2.0 server of an application."""

from abc import ABC, abstractmethod


class OAuthClients(ABC):
    """Knows an application's OAuth clients. This service only ever reads them."""

    @abstractmethod
    def authenticate(self, client_id: str, secret: str | None) -> bool:
        """Tell whether it is a client, and has proved it: a confidential one by its secret, a public one by its name.

        Whoever shows a secret must show the right one (RFC 6749, section 2.3.1). Raises `StoreUnavailableError`.
        """

    @abstractmethod
    def may_present(self, client_id: str, presented: str) -> bool:
        """Tell whether `presented` is not a token that the server issued to somebody else (RFC 6749, section 6).

        Raises `StoreUnavailableError`.
        """
