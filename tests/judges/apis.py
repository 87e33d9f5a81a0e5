"""Resource servers: those of the how-to page, and some as their libraries' documentation shows them."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.browser.how_to import write_snippet
from tests.browser.programs import running
from tests.e2e.client import Answer, Client
from tests.judges.authority import Authority
from tests.ports import free_port

PROGRAMS = Path(__file__).with_name("programs")
_DJANGO = """
from simple_jwt_settings import *
SECRET_KEY = "django itself insists on one, and nothing here uses it"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
ROOT_URLCONF = "urls"
DATABASES = {}
REST_FRAMEWORK = {**REST_FRAMEWORK, "UNAUTHENTICATED_USER": None}
"""
_URLS = """
import views
from django.urls import path
urlpatterns = [path("api/me", views.me), path("api/reports", views.reports)]
"""
_GUNICORN = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource server: its files, which are snippets or programs, and its command."""

    command: list[str]
    snippets: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    needs_node: bool = False
    fetches_keys: bool = True


KINDS = {
    "FastAPI, PyJWT": Kind(
        [sys.executable, "-m", "uvicorn", "--port", "{port}", "api_fastapi:app"], snippets=("api_fastapi.py",)
    ),
    "Flask-JWT-Extended": Kind([*_GUNICORN, "api_flask:app"], snippets=("api_flask.py",)),
    "Flask-JWT-Extended, settings alone": Kind(
        [*_GUNICORN, "flask_settings:app"], programs=("flask_settings.py",), fetches_keys=False
    ),
    "simplejwt": Kind(
        [*_GUNICORN, "django.core.wsgi:get_wsgi_application()"],
        snippets=("simple_jwt_settings.py", "views.py"),
        files={"settings.py": _DJANGO, "urls.py": _URLS},
        environment={"DJANGO_SETTINGS_MODULE": "settings"},
    ),
    "Authlib": Kind([*_GUNICORN, "authlib_validator:app"], programs=("authlib_validator.py",)),
    "express-oauth2-jwt-bearer": Kind(["node", "api_express.js"], snippets=("api_express.js",), needs_node=True),
    "jose": Kind(["node", "api_node.js"], snippets=("api_node.js",), needs_node=True),
    "oauth4webapi": Kind(["node", "oauth4webapi_api.mjs"], programs=("oauth4webapi_api.mjs",), needs_node=True),
}


class Api:
    """A running resource server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, token: str | None = None) -> Answer:
        with Client(self.url) as client:
            return client.get(path, token)

    def status(self, token: str | None) -> int:
        """Return what somebody gets who asks who they are."""
        return self.get("/api/me", token).status


@contextmanager
def serving(kind: Kind, authority: Authority, folder: Path, port: int = 0, **environment: str) -> Iterator[Api]:
    """Run a resource server on what seems another machine: it is told the issuer, and no secret."""
    for name in kind.snippets:
        write_snippet(name, folder)
    for name in kind.programs:
        shutil.copy(PROGRAMS / name, folder)
    for name, text in kind.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    port = port or free_port()
    environment = {
        **authority.environment_of_others(),
        "PUBLIC_KEY": authority.public_key(authority.access_token_key),
        "PORT": str(port),
        **kind.environment,
        **environment,
    }
    command = [argument.format(port=port) for argument in kind.command]
    with running(command, port, folder, environment):
        yield Api(f"http://127.0.0.1:{port}")
