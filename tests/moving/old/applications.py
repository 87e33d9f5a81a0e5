"""The three old applications behind one face, each with what a team sets to move it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, ClassVar

from django.db import connections, transaction
from werkzeug.test import Client, TestResponse

from tests.moving.nuovo import SERVICE_CREDENTIAL, MovedTo, serving
from tests.moving.old import django_app
from tests.moving.old.flask_app import OldFlaskApplication

FLASK_SECRET = "old-flask-key-Wd5nT8zK1vG6rM3qX9bL4yS7pC2hJ0f"


class OldApplication(ABC):
    """An application that issues refresh tokens of its own, and a client of it."""

    settings: ClassVar[dict[str, str]]
    """What Nuovo is told, without `NUOVO_`."""
    scheme: ClassVar[str]
    refresh_path: ClassVar[str]

    def __init__(self, wsgi: Any) -> None:
        self.client = Client(wsgi)

    @abstractmethod
    def add_users(self, count: int) -> list[Any]:
        """Add users; return them as the other methods take them."""

    @abstractmethod
    def id_of(self, user: Any) -> str: ...

    @abstractmethod
    def issue(self, user: Any) -> str:
        """Return a refresh token as a sign-in gives it."""

    def issue_all(self, users: list[Any]) -> dict[str, str]:
        """Return a refresh token for each user, by their identifiers."""
        return {self.id_of(user): self.issue(user) for user in users}

    @abstractmethod
    def revoke(self, tokens: Iterable[str]) -> None:
        """Revoke tokens as a logout does."""

    @abstractmethod
    def request(self, token: str) -> dict[str, Any]:
        """Return a refresh request in the library's own words, as Werkzeug's client takes it."""

    @abstractmethod
    def tokens_in(self, body: Any) -> tuple[str, str | None]:
        """Return the access and the refresh token of an answer to it."""

    @abstractmethod
    def whose(self, access_token: str) -> str | None:
        """Return for which user the application accepts an access token, or `None`."""

    @abstractmethod
    def access_tokens(self, user: Any) -> list[str]:
        """Return access tokens as a sign-in gives them."""

    @abstractmethod
    def set_active(self, user: Any, *, active: bool) -> None:
        """Switch a user on or off."""

    def heed(self, nuovo: MovedTo) -> None:  # noqa: B027  where Nuovo has the application's key, nothing is to be done
        """Set in the application what makes it accept Nuovo's access tokens."""

    def refresh(self, token: str) -> TestResponse:
        """Refresh at the application's own endpoint."""
        return self.client.post(self.refresh_path, **self.request(token))

    @abstractmethod
    def close(self) -> None:
        """Leave the database."""


class FlaskApplication(OldApplication):
    settings: ClassVar = {
        "USERS_TABLE": "users",
        "USERS_ACTIVE_COLUMN": "active",
        "ADOPT_FLASK_JWT_EXTENDED_KEY": FLASK_SECRET,
        "ADOPT_FLASK_JWT_EXTENDED_BLOCKLIST_TABLE": "token_blocklist",
        "ADOPT_FLASK_JWT_EXTENDED_PATH": "/refresh",
        "ADOPT_FLASK_JWT_EXTENDED_SIGNS_ACCESS_TOKENS": "true",
    }
    scheme = "flask-jwt-extended"
    refresh_path = "/refresh"

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.old = OldFlaskApplication(database_url, **{"JWT_SECRET_KEY": FLASK_SECRET, **settings})
        super().__init__(self.old.app)

    def add_users(self, count: int) -> list[Any]:
        return self.old.add_users(count)

    def id_of(self, user: Any) -> str:
        return str(user)

    def issue(self, user: Any) -> str:
        return self.old.issue(user)

    def revoke(self, tokens: Iterable[str]) -> None:
        self.old.revoke(tokens)

    def request(self, token: str) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {token}"}}

    def tokens_in(self, body: Any) -> tuple[str, str | None]:
        return body["access_token"], body.get("refresh_token")

    def whose(self, access_token: str) -> str | None:
        answer = self.client.get("/me", headers={"Authorization": f"Bearer {access_token}"})
        return answer.json["user"] if answer.status_code == 200 and answer.json else None

    def access_tokens(self, user: Any) -> list[str]:
        return [self.old.issue_access(user), self.old.issue_access(user, fresh=True)]

    def set_active(self, user: Any, *, active: bool) -> None:
        self.old.set_active(user, active=active)

    def close(self) -> None:
        self.old.close()


class DjangoApplication(OldApplication):
    path_of_user: ClassVar[str]

    def __init__(self, database_url: str) -> None:
        django_app.use_database(database_url)
        super().__init__(django_app.wsgi)

    def add_users(self, count: int) -> list[Any]:
        return django_app.add_users(count)

    def id_of(self, user: Any) -> str:
        return str(user.pk)

    def issue_all(self, users: list[Any]) -> dict[str, str]:
        with transaction.atomic():
            return super().issue_all(users)

    def whose(self, access_token: str) -> str | None:
        answer = self.client.get(self.path_of_user, headers={"Authorization": f"Bearer {access_token}"})
        return answer.json["user"] if answer.status_code == 200 and answer.json else None

    def set_active(self, user: Any, *, active: bool) -> None:
        user.is_active = active
        user.save()

    def close(self) -> None:
        connections.close_all()


class SimplejwtApplication(DjangoApplication):
    settings: ClassVar = {
        "USERS_TABLE": "auth_user",
        "USERS_ACTIVE_COLUMN": "is_active",
        "ADOPT_SIMPLEJWT_KEY": django_app.SECRET,
        "ADOPT_SIMPLEJWT_PATH": "/api/token/refresh/",
        "ADOPT_SIMPLEJWT_SIGNS_ACCESS_TOKENS": "true",
    }
    scheme = "simplejwt"
    refresh_path = "/api/token/refresh/"
    path_of_user = "/me"

    def issue(self, user: Any) -> str:
        return str(django_app.issue_simplejwt(user))

    def revoke(self, tokens: Iterable[str]) -> None:
        with transaction.atomic():
            django_app.blacklist(map(django_app.RefreshToken, tokens))

    def request(self, token: str) -> dict[str, Any]:
        return {"json": {"refresh": token}}

    def tokens_in(self, body: Any) -> tuple[str, str | None]:
        return body["access"], body.get("refresh")

    def access_tokens(self, user: Any) -> list[str]:
        return [str(django_app.RefreshToken.for_user(user).access_token), str(django_app.issue_sliding(user))]


class ToolkitApplication(DjangoApplication):
    settings: ClassVar = {
        "USERS_TABLE": "auth_user",
        "USERS_ACTIVE_COLUMN": "is_active",
        "ADOPT_OAUTH_TOOLKIT": "true",
        "ADOPT_OAUTH_TOOLKIT_PATH": "/o/token/",
        "ADOPT_OAUTH_TOOLKIT_INTROSPECTION_PATH": "/o/introspect/",
    }
    scheme = "oauth-toolkit"
    refresh_path = "/o/token/"
    path_of_user = "/resource"

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self.registered = django_app.add_client(client_id="spa")
        self._set = ExitStack()

    def issue(self, user: Any) -> str:
        return str(django_app.issue_toolkit(user, self.registered).token)

    def revoke(self, tokens: Iterable[str]) -> None:
        with transaction.atomic():
            for token in django_app.ToolkitToken.objects.filter(token__in=list(tokens)):
                token.revoke()

    def request(self, token: str) -> dict[str, Any]:
        return {"data": {"grant_type": "refresh_token", "refresh_token": token, "client_id": "spa"}}

    def tokens_in(self, body: Any) -> tuple[str, str | None]:
        return body["access_token"], body.get("refresh_token")

    def access_tokens(self, user: Any) -> list[str]:
        return [django_app.issue_toolkit(user, self.registered).access_token.token]

    def heed(self, nuovo: MovedTo) -> None:
        self._set.enter_context(
            django_app.toolkit(
                RESOURCE_SERVER_INTROSPECTION_URL=f"{self._set.enter_context(serving(nuovo))}/o/introspect/",
                RESOURCE_SERVER_AUTH_TOKEN=SERVICE_CREDENTIAL,
            )
        )

    def close(self) -> None:
        self._set.close()
        super().close()


APPLICATIONS: dict[str, type[OldApplication]] = {
    "flask": FlaskApplication,
    "simplejwt": SimplejwtApplication,
    "toolkit": ToolkitApplication,
}
