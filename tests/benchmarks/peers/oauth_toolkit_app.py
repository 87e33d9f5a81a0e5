"""django-oauth-toolkit's refresh grant with reuse protection, for a public client (no password hash to verify)."""

import json
import os
import sys
import uuid
from datetime import timedelta

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path
from django_database import databases

CLIENT_ID = "frontend"

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=os.environ["BENCH_SECRET_KEY"],
    ROOT_URLCONF="oauth_toolkit_app",
    DATABASES=databases(os.environ["BENCH_DATABASE_URL"]),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # without it answers have no length
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "oauth2_provider"],
    OAUTH2_PROVIDER={"ROTATE_REFRESH_TOKEN": True, "REFRESH_TOKEN_REUSE_PROTECTION": True},
)
django.setup()

from oauth2_provider.views import TokenView  # noqa: E402  Django must be set up before

sys.modules.setdefault("oauth_toolkit_app", sys.modules[__name__])
urlpatterns = [path("refresh_token", TokenView.as_view())]
app = get_wsgi_application()

if __name__ == "__main__":
    from django.contrib.auth.models import User
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    call_command("migrate", verbosity=0)
    client = Application.objects.create(
        client_id=CLIENT_ID,
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://app.example.org/",
    )
    tokens = []
    for number in range(int(sys.argv[1])):
        user = User.objects.create(username=f"user{number}")
        access = AccessToken.objects.create(
            user=user,
            application=client,
            token=uuid.uuid4().hex,
            expires=timezone.now() + timedelta(minutes=15),
            scope="read",
        )
        refresh = RefreshToken.objects.create(
            user=user, application=client, access_token=access, token=uuid.uuid4().hex, token_family=uuid.uuid4()
        )
        tokens.append(refresh.token)
    print(json.dumps({"tokens": tokens}))  # noqa: T201
