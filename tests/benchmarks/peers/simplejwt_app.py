"""djangorestframework-simplejwt with rotation and its blacklist application."""

import json
import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path
from django_database import databases

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY=os.environ["BENCH_SECRET_KEY"],
    ROOT_URLCONF="simplejwt_app",
    DATABASES=databases(os.environ["BENCH_DATABASE_URL"]),
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # without it answers have no length
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
)
django.setup()

from rest_framework_simplejwt.views import TokenRefreshView  # noqa: E402  Django must be set up before

sys.modules.setdefault("simplejwt_app", sys.modules[__name__])
urlpatterns = [path("refresh_token", TokenRefreshView.as_view())]
app = get_wsgi_application()

if __name__ == "__main__":
    from django.contrib.auth.models import User
    from rest_framework_simplejwt.tokens import RefreshToken

    call_command("migrate", verbosity=0)
    users = [User.objects.create(username=f"user{number}") for number in range(int(sys.argv[1]))]
    print(json.dumps({"tokens": [str(RefreshToken.for_user(user)) for user in users]}))  # noqa: T201
