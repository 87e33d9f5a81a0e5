"""The service against its own OpenAPI document: generated requests, every check that Schemathesis has.

The service is the real one, from settings to SQLite; only the server in front of it is missing.
"""

import atexit
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import falcon
import pytest
import schemathesis
from falcon.testing import TestClient
from hypothesis import HealthCheck, settings
from schemathesis import AuthContext, Case, HookContext
from schemathesis.generation.meta import TestPhase
from schemathesis.specs.openapi.schemas import OpenApiSchema

from domain.model.claims import check_claims
from domain.model.errors import InvalidClaimsError
from domain.model.tokens import new_id
from domain.model.users import User
from entrypoints.bootstrap import build
from entrypoints.settings import load_settings
from infrastructure.authlib.keys import generate_private_key
from ports.user_directory import UserDirectory

SERVICE_CREDENTIAL = "credential-of-the-login-service-in-these-tests"
USER_ID = "42"
START_SESSION = "POST /sessions"
END_SESSIONS = ("DELETE /sessions/{session_id}", "DELETE /users/{user_id}/sessions/{session_id}")
TAKES_A_TOKEN = {"POST /oauth/token": "refresh_token", "POST /oauth/revoke": "token", "POST /oauth/introspect": "token"}
"""Operations whose form holds a token, and the name of it there."""
COOKIE = "__Host-refresh_token"
EXAMPLES = 40
"""Generated requests per operation, beside the document's own examples and the boundary cases."""

thorough = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""A fixture that collects what all examples of an operation were answered is meant to outlive each of them."""

App: TypeAlias = falcon.App[falcon.Request, falcon.Response]
AnyCase: TypeAlias = Case[Any]


@dataclass(frozen=True)
class Credentials:
    """What a login service and its client hold after a sign-in."""

    user_id: str
    session_id: str
    access_token: str
    refresh_token: str


class SignIn:
    """Gives every request the credential that its operation asks for, from a sign-in of its own.

    A refresh token is good for one request, and ending a session takes its access token along. Each sign-in is of a
    user of its own: credentials of examples wait for their turn, and some operations end all of a user's sessions.
    """

    transport = "header"

    def get(self, case: AnyCase, context: AuthContext) -> Credentials | None:
        if not case.operation.definition.raw["security"] and case.operation.label not in TAKES_A_TOKEN:
            return None
        assert context.app is not None
        user_id = new_user()
        answer = TestClient(context.app).simulate_post(
            "/sessions", json={"user_id": user_id}, headers={"Authorization": f"Bearer {SERVICE_CREDENTIAL}"}
        )
        assert answer.status == falcon.HTTP_201, answer.text
        return Credentials(user_id=user_id, **answer.json["data"])

    def set(self, case: AnyCase, data: Credentials, context: AuthContext) -> None:
        schemes = {name for scheme in case.operation.definition.raw["security"] for name in scheme}
        label = case.operation.label
        if is_valid(case):
            case.headers.pop("DPoP", None)  # no generator makes a proof, which nobody here needs
        if is_valid_and_alone(case) and label in END_SESSIONS:
            case.path_parameters["session_id"] = data.session_id
            if "user_id" in case.path_parameters:
                case.path_parameters["user_id"] = data.user_id
        if label in TAKES_A_TOKEN and is_valid_and_alone(case) and isinstance(case.body, dict):
            case.body[TAKES_A_TOKEN[label]] = data.refresh_token
            case.body.pop("client_id", None)
        if not schemes:
            return
        if "serviceCredential" in schemes:
            case.headers["Authorization"] = f"Bearer {SERVICE_CREDENTIAL}"
        elif "accessToken" in schemes:
            case.headers["Authorization"] = f"Bearer {data.access_token}"
        elif self.transport == "cookie":
            case.cookies[COOKIE] = data.refresh_token
            case.headers["Sec-Fetch-Site"] = "same-origin"
        else:
            case.headers["Authorization"] = f"Bearer {data.refresh_token}"


class SignInByCookie(SignIn):
    """As a browser: the refresh token is in the cookie, and the request says that it comes from this site."""

    transport = "cookie"


def known_user(context: HookContext, case: AnyCase) -> AnyCase:
    """Let the valid sign-ins with a short identifier be of a user who exists, which no generator would guess."""
    body = case.body
    if case.operation.label == START_SESSION and is_valid(case) and isinstance(body, dict):
        stranger = str(body["user_id"])
        body["user_id"] = USER_ID if len(stranger) < 8 else stranger
        claims = body.get("claims")
        with suppress(InvalidClaimsError):
            if isinstance(claims, dict):
                check_claims(claims)
                return case
        body.pop("claims", None)  # too large, too deep or with a name of control characters: no schema can say that
    return case


def is_valid(case: AnyCase) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_valid_and_alone(case: AnyCase) -> bool:
    """Tell whether `case` keeps to the document, and is no step of a sequence, which brings its own values."""
    return is_valid(case) and case.meta is not None and case.meta.phase.name is not TestPhase.STATEFUL


def running_service() -> tuple[App, UserDirectory]:
    """Return the application over a database of its own, which goes when the tests have ended, and its users."""
    folder = TemporaryDirectory(prefix="nuovo-")
    atexit.register(folder.cleanup)
    service = build(
        load_settings(
            {
                "NUOVO_SECRET_KEY": "MjBiYjM3ZDgtZmYxNC00ZjE3LTk5YmEtNjQ0ZGQ0",
                "NUOVO_DATABASE_URL": f"sqlite:///{folder.name}/nuovo.sqlite3",
                "NUOVO_SERVICE_CREDENTIALS": SERVICE_CREDENTIAL,
                "NUOVO_ISSUER": "https://auth.example.org",
                "NUOVO_ACCESS_TOKEN_KEY": generate_private_key("ES256"),
            }
        )
    )
    service.operations.migrate()
    service.operations.directory.put(User(id=USER_ID))
    return service.app(), service.operations.directory


def new_user() -> str:
    """Return a user who has no session yet."""
    user_id = new_id()
    _users.put(User(id=user_id))
    return user_id


def described(app: App, credentials: type[SignIn]) -> OpenApiSchema:
    """Return the document as `app` serves it, with a way to sign in."""
    schema: OpenApiSchema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    schema.auth(refresh_interval=None)(credentials)
    schema.hooks.register_hook_with_name(known_user, "map_case")
    return schema


# Not in fixtures: each operation is a case, and Schemathesis gives its examples their credentials when pytest collects.
_app, _users = running_service()
by_header, by_cookie = described(_app, SignIn), described(_app, SignInByCookie)
tokens_by_cookie = by_cookie.include(tag="Tokens")


@pytest.fixture
def seen() -> Iterator[set[int]]:
    """Collect the statuses of an operation, and demand a success among them.

    Without valid credentials every check would pass on refusals alone.
    """
    statuses: set[int] = set()
    yield statuses
    assert statuses & {200, 201}


@by_header.parametrize()
@thorough
def test_an_operation_keeps_to_the_document(case: AnyCase, seen: set[int]) -> None:
    """Examples, boundary cases and generated requests, valid and invalid; all checks are on."""
    seen.add(case.call_and_validate().status_code)


@tokens_by_cookie.parametrize()
@thorough
def test_an_operation_keeps_to_the_document_by_cookie(case: AnyCase, seen: set[int]) -> None:
    """As above, the refresh token in its cookie."""
    seen.add(case.call_and_validate().status_code)


@pytest.mark.parametrize("schema", [by_header, by_cookie], ids=["header", "cookie"])
def test_sequences_of_operations_keep_to_the_document(schema: OpenApiSchema) -> None:
    """Sessions that one answer names are listed and ended by the next requests."""
    schema.as_state_machine().run(settings=thorough)


def test_the_document_is_openapi() -> None:
    """Against the schema of OpenAPI itself."""
    by_header.validate()
