"""An application on Django with djangorestframework-simplejwt, its blacklist, and django-oauth-toolkit."""

import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections

SECRET = "old-django-key-Zp4vR9sX2mQ7wL1kT6yB3nH8cJ5dF0gA"

if not settings.configured:
    settings.configure(
        DEBUG=False,
        ALLOWED_HOSTS=["*"],
        SECRET_KEY=SECRET,
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nonexistent/old.sqlite3"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "rest_framework",
            "rest_framework_simplejwt.token_blacklist",
            "oauth2_provider",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"],
    )
    django.setup()

from django.contrib.auth.models import User  # noqa: E402  Django must be set up before
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.decorators import protected_resource  # noqa: E402
from oauth2_provider.models import AccessToken, Application  # noqa: E402
from oauth2_provider.models import RefreshToken as ToolkitToken  # noqa: E402
from oauth2_provider.settings import oauth2_settings  # noqa: E402
from oauth2_provider.views import IntrospectTokenView, RevokeTokenView, TokenView  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt import state  # noqa: E402
from rest_framework_simplejwt.authentication import JWTAuthentication  # noqa: E402
from rest_framework_simplejwt.settings import api_settings  # noqa: E402
from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken, Token  # noqa: E402
from rest_framework_simplejwt.views import TokenRefreshView  # noqa: E402


class Me(APIView):
    """Says who is signed in, by simplejwt."""

    authentication_classes = (JWTAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response({"user": str(request.user.pk), "role": request.auth.get("role")})


@protected_resource(scopes=["read"])
def resource(request: HttpRequest) -> JsonResponse:
    """Says who is signed in, by the toolkit."""
    return JsonResponse({"user": str(request.resource_owner.pk)})


urlpatterns = [
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("me", Me.as_view()),
    path("o/token/", TokenView.as_view()),
    path("o/revoke_token/", RevokeTokenView.as_view()),
    path("o/introspect/", IntrospectTokenView.as_view()),
    path("resource", resource),
]
sys.modules.setdefault("tests.moving.old.django_app", sys.modules[__name__])
wsgi = get_wsgi_application()


def use_database(url: str) -> None:
    """Make Django use another database."""
    connections.close_all()
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        chosen = {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path.removeprefix("/")}
    else:
        chosen = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.removeprefix("/"),
            "USER": parts.username or "",
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
        }
    connections["default"].settings_dict.update(chosen)
    connections.databases["default"].update(chosen)
    del connections["default"]


def migrate(url: str) -> None:
    """Create the tables of all applications in a database."""
    use_database(url)
    call_command("migrate", verbosity=0)
    connections.close_all()


@contextmanager
def simplejwt(**changed: Any) -> Iterator[None]:
    """Change settings of `SIMPLE_JWT` as they stand when an application starts."""
    before = dict(api_settings.user_settings)
    _set_simplejwt({**before, **changed})
    try:
        yield
    finally:
        _set_simplejwt(before)


def _set_simplejwt(chosen: dict[str, Any]) -> None:
    api_settings._user_settings = chosen
    for name in api_settings._cached_attrs:
        delattr(api_settings, name)
    api_settings._cached_attrs.clear()
    # The library reads its settings once, when it is imported.
    state.token_backend.__init__(  # type: ignore[misc]
        api_settings.ALGORITHM,
        api_settings.SIGNING_KEY,
        api_settings.VERIFYING_KEY,
        api_settings.AUDIENCE,
        api_settings.ISSUER,
        api_settings.JWK_URL,
        api_settings.LEEWAY,
        api_settings.JSON_ENCODER,
    )
    for cached in ("prepared_signing_key", "prepared_verifying_key"):
        state.token_backend.__dict__.pop(cached, None)
    RefreshToken.lifetime = api_settings.REFRESH_TOKEN_LIFETIME


@contextmanager
def toolkit(**changed: Any) -> Iterator[None]:
    """Change settings of `OAUTH2_PROVIDER`."""
    before = {name: getattr(oauth2_settings, name) for name in changed}
    for name, value in changed.items():
        setattr(oauth2_settings, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(oauth2_settings, name, value)


def add_users(count: int) -> list[User]:
    """Add users and return them."""
    User.objects.bulk_create([User(username=f"user-{uuid.uuid4().hex}", password="!") for _ in range(count)])
    return list(User.objects.order_by("pk"))[-count:]


def issue_simplejwt(user: User, **claims: Any) -> RefreshToken:
    """Return a refresh token as a sign-in gives it."""
    token = RefreshToken.for_user(user)
    for name, value in claims.items():
        token[name] = value
    return token


def issue_sliding(user: User) -> SlidingToken:
    """Return the library's third kind of token."""
    return SlidingToken.for_user(user)


def blacklist(tokens: Iterable[Token]) -> None:
    """Do what `TokenBlacklistView` does."""
    for token in tokens:
        token.blacklist()  # type: ignore[attr-defined]


def add_client(*, confidential: bool = False, secret: str = "", **options: Any) -> Application:
    """Register an OAuth client."""
    usual = {
        "authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE,
        "redirect_uris": "https://a.example.org/",
    }
    return Application.objects.create(
        client_type=Application.CLIENT_CONFIDENTIAL if confidential else Application.CLIENT_PUBLIC,
        client_secret=secret,
        **{**usual, **options},
    )


def toolkit_rows() -> Any:
    """Return the table of the toolkit's refresh tokens."""
    return ToolkitToken.objects


def issue_toolkit(user: User, client: Application, *, scope: str = "read", expires_in: int = 900) -> ToolkitToken:
    """Return the row of a refresh token as the authorization code grant makes it."""
    access = AccessToken.objects.create(
        user=user,
        application=client,
        token=uuid.uuid4().hex,
        expires=timezone.now() + timedelta(seconds=expires_in),
        scope=scope,
    )
    return ToolkitToken.objects.create(
        user=user, application=client, access_token=access, token=uuid.uuid4().hex[:30], token_family=uuid.uuid4()
    )
