"""Old applications, and Nuovo beside them over the same database."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.moving.nuovo import MovedTo
from tests.stores import SERVED, Stores

_LIBRARIES = ("flask_jwt_extended", "rest_framework_simplejwt", "oauth2_provider")

# `tox -e moving` installs them; every other environment runs without.
collect_ignore_glob = [] if all(map(importlib.util.find_spec, _LIBRARIES)) else ["test_*.py"]


@pytest.fixture(scope="session")
def templates() -> dict[str, str]:
    """Hold what has been migrated once for each kind of database: Django takes seconds for it."""
    return {}


@pytest.fixture(params=SERVED)
def database_url(request: pytest.FixtureRequest, stores: Stores, templates: dict[str, str]) -> str:
    """Return the URL of a database with the empty tables of Django's applications and of Nuovo, once of each kind."""
    kind = stores[request.param]
    if request.param not in templates:
        from tests.moving.old import django_app  # noqa: PLC0415  where the libraries are

        templates[request.param] = kind.new()
        django_app.migrate(templates[request.param])
    return kind._copy(templates[request.param])  # type: ignore[attr-defined,no-any-return]


@contextmanager
def _application(library: str, database_url: str) -> Iterator[Any]:
    from tests.moving.old.applications import APPLICATIONS  # noqa: PLC0415  where the libraries are

    with closing(APPLICATIONS[library](database_url)) as application:
        yield application


@pytest.fixture(params=["flask", "simplejwt", "toolkit"])
def old(request: pytest.FixtureRequest, database_url: str) -> Iterator[Any]:
    """Return an application of each library, over an empty database of each kind."""
    with _application(request.param, database_url) as application:
        yield application


@pytest.fixture
def flask(database_url: str) -> Iterator[Any]:
    with _application("flask", database_url) as application:
        yield application


@pytest.fixture
def simplejwt(database_url: str) -> Iterator[Any]:
    with _application("simplejwt", database_url) as application:
        yield application


@pytest.fixture
def toolkit(database_url: str) -> Iterator[Any]:
    with _application("toolkit", database_url) as application:
        yield application


@pytest.fixture
def move(database_url: str) -> Iterator[Callable[..., MovedTo]]:
    """Return what starts Nuovo over the application's database, with settings beside the necessary ones."""
    started: list[MovedTo] = []

    def start(**settings: str) -> MovedTo:
        started.append(MovedTo(database_url, settings))
        return started[-1]

    yield start
    for nuovo in started:
        nuovo.close()
