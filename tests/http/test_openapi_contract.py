"""The OpenAPI document against the routes, and against itself."""

import re
import tomllib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import falcon
import jsonschema_rs
import pytest
from falcon import inspect
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from entrypoints.http.oauth.server import AuthorizationServer
from entrypoints.http.openapi import document
from tests.http.contract import SERVICE_CREDENTIAL, bearer, by_cookie

Json: TypeAlias = dict[str, Any]

DOCUMENT: Json = document()
"""Read at import because its operations are the cases."""

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
CREDENTIALS = (
    "refreshToken", "refreshCookie", "accessToken", "boundAccessToken", "serviceCredential", "serviceClient",
)  # fmt: skip
AT_A_URL = AuthorizationServer(issuer="https://auth.example.org", base="https://auth.example.org")
"""As which everything is there that is documented."""


@pytest.fixture
def url_client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client(server=AT_A_URL)


def resolved(node: Json) -> Json:
    """Return what `node` refers to, or `node` itself."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def operations() -> Iterator[tuple[str, str, Json]]:
    for path, item in DOCUMENT["paths"].items():
        for verb in VERBS:
            if verb in item:
                yield path, verb.upper(), item[verb]


def answers() -> Iterator[Any]:
    for path, verb, operation in operations():
        for status, response in operation["responses"].items():
            yield pytest.param(status, resolved(response), id=f"{verb} {path} {status}")


ANSWERS = list(answers())
OPERATIONS = [pytest.param(*operation, id=f"{operation[1]} {operation[0]}") for operation in operations()]


def complaints(schema: Json, instance: Any) -> list[str]:
    """Return what is wrong with `instance`; references point into the document's components."""
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    return [error.message for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(instance)]


def examples(holder: Json) -> list[Any]:
    named = [resolved(example)["value"] for example in holder.get("examples", {}).values()]
    return [*named, holder["example"]] if "example" in holder else named


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_route_is_documented_and_every_documented_operation_is_routed(
    make_app: Callable[..., falcon.App[falcon.Request, falcon.Response]],
) -> None:
    """Both ways: a route that is forgotten here fails, and so does one that is only promised."""
    routed = {
        (route.path, method.method)
        for route in inspect.inspect_routes(make_app(server=AT_A_URL))
        for method in route.methods
        if not method.internal and method.method not in {"OPTIONS", "WEBSOCKET"}
    }
    assert {(path, verb) for path, verb, _ in operations()} == routed


def test_the_version_is_the_packages(request: pytest.FixtureRequest) -> None:
    project = tomllib.loads((Path(request.config.rootpath) / "pyproject.toml").read_text(encoding="utf-8"))
    assert DOCUMENT["info"]["version"] == project["project"]["version"]


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = set(references(DOCUMENT))
    kept = {
        f"#/components/{kind}/{name}"
        for kind, components in DOCUMENT["components"].items()
        for name in components
        if kind != "securitySchemes"
    }
    assert used == kept


def test_every_operation_says_who_may_call_it() -> None:
    """An empty `security` is said, never left out: a forgotten one would read as open to all."""
    for path, verb, operation in operations():
        names = [name for requirement in operation["security"] for name in requirement]
        assert set(names) <= set(CREDENTIALS), (verb, path)
    assert set(DOCUMENT["components"]["securitySchemes"]) == set(CREDENTIALS)


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)


def test_every_path_parameter_is_described_with_an_example() -> None:
    for path, verb, operation in operations():
        parameters = [resolved(parameter) for parameter in operation.get("parameters", [])]
        described = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
        assert described == re.findall(r"{(\w+)}", path), (verb, path)
        for parameter in parameters:
            assert examples(parameter), (verb, path, parameter["name"])
            for example in examples(parameter):
                assert complaints(parameter["schema"], example) == []


def test_request_bodies_have_examples_that_are_valid() -> None:
    for path, verb, operation in operations():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert examples(content), (verb, path)
            for example in examples(content):
                assert complaints(content["schema"], example) == [], (verb, path)


@pytest.mark.parametrize(("status", "response"), ANSWERS)
def test_every_answer_has_examples_that_are_valid(status: str, response: Json) -> None:
    """Each status of each operation, in each media type."""
    assert response["content"]
    for media_type, content in response["content"].items():
        assert examples(content), media_type
        for example in examples(content):
            assert complaints(content["schema"], example) == []
            if isinstance(example, dict) and "status" in example:
                assert example["code"] == int(status)
                assert example["status"] == ("success" if status.startswith("2") else "error")


@pytest.mark.parametrize(("status", "response"), ANSWERS)
def test_an_error_is_nothing_but_the_envelope(status: str, response: Json) -> None:
    """Status, code and message are required of every answer that is not a success."""
    if status.startswith("2"):
        return
    schema = response["content"]["application/json"]["schema"]
    assert list(response["content"]) == ["application/json"]
    for incomplete in ({}, {"status": "error"}, {"status": "error", "code": int(status)}):
        assert complaints(schema, incomplete)
    assert complaints(schema, {"status": "error", "code": 418, "message": "Short and stout."})


@pytest.mark.parametrize(("status", "response"), ANSWERS)
def test_every_answer_names_its_headers_with_valid_examples(status: str, response: Json) -> None:
    headers = {name: resolved(header) for name, header in response["headers"].items()}
    required = {name for name, header in headers.items() if header.get("required")}
    assert {"X-Content-Type-Options", "X-Request-ID"} <= required
    assert ("WWW-Authenticate" in required) == (status == "401")
    assert ("Retry-After" in required) == (status == "503")
    for name, header in headers.items():
        assert examples(header), name
        for example in examples(header):
            assert complaints(header["schema"], example) == [], name


def test_whatever_takes_a_credential_is_never_stored() -> None:
    for path, verb, operation in operations():
        if operation["security"]:
            for status, response in operation["responses"].items():
                assert {"Cache-Control", "Pragma"} <= set(resolved(response)["headers"]), (verb, path, status)
                assert {"401", "500", "503"} <= set(operation["responses"]), (verb, path)


MISSING = {
    "Refresh token missing.": {"refreshToken"},
    "Access token missing.": {"accessToken", "boundAccessToken"},
    "Service credential missing.": {"serviceCredential", "serviceClient"},
}
"""What an operation says to whoever brings nothing, and the credentials that it thereby asks for."""


def words_of(answer: Result) -> str:
    """Return what an error says, in the envelope or in the form of OAuth 2.0."""
    return str(answer.json.get("message") or answer.json["error_description"])


def simulated(client: TestClient, path: str, verb: str, **options: Any) -> Result:
    """Send a request with a body that is none of the operation's business."""
    body: dict[str, Any] = {"body": "x=y"} if path.startswith("/oauth/") else {"json": {}}
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if "body" in body else {}
    headers |= options.pop("headers", {})
    return client.simulate_request(verb, re.sub(r"{\w+}", "x", path), headers=headers, **body, **options)


@pytest.mark.parametrize(("path", "verb", "operation"), OPERATIONS)
def test_an_operation_asks_for_the_credential_that_it_documents(
    url_client: TestClient, path: str, verb: str, operation: Json
) -> None:
    answer = simulated(url_client, path, verb)
    documented = {name for requirement in operation["security"] for name in requirement}
    if documented:
        assert answer.status_code == 401
        assert documented - {"refreshCookie"} <= MISSING[words_of(answer)]
    else:
        assert answer.status_code != 401


@pytest.mark.parametrize(("path", "verb", "operation"), OPERATIONS)
def test_an_operation_believes_the_refresh_cookie_only_where_it_documents_it(
    url_client: TestClient, path: str, verb: str, operation: Json
) -> None:
    answer = simulated(url_client, path, verb, headers=by_cookie("nonsense"))
    believed = answer.status_code == 401 and words_of(answer) == "Invalid refresh token."
    assert believed == ({"refreshCookie": []} in operation["security"])


@pytest.mark.parametrize(("path", "verb", "operation"), OPERATIONS)
def test_client_credentials_are_taken_only_where_they_are_documented(
    make_client: Callable[..., TestClient], path: str, verb: str, operation: Json
) -> None:
    """As HTTP Basic."""
    client = make_client(service_credentials=[f"login:{SERVICE_CREDENTIAL}"], server=AT_A_URL)
    basic = b64encode(f"login:{SERVICE_CREDENTIAL}".encode()).decode()
    answer = simulated(client, path, verb, headers={"Authorization": f"Basic {basic}"})
    if {"serviceClient": []} in operation["security"]:
        assert (answer.status_code, words_of(answer)) == (400, "token is missing.")
    elif operation["security"]:
        assert answer.status_code == 401


SESSION_OPERATIONS = [case for case in OPERATIONS if "/sessions" in str(case.values[0])]


@pytest.mark.parametrize(("path", "verb", "operation"), SESSION_OPERATIONS)
def test_an_operation_takes_the_parameters_that_it_documents_and_no_others(
    client: TestClient, pair: TokenPair, path: str, verb: str, operation: Json
) -> None:
    """It names them to whoever gives another."""
    takes_access_token = {"accessToken": []} in operation["security"]
    credential = bearer(pair.access_token if takes_access_token else SERVICE_CREDENTIAL)
    parameters = [resolved(parameter) for parameter in operation.get("parameters", ())]
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "query"]
    answer = simulated(client, path, verb, headers=credential, params={"surplus": "1"})
    assert answer.status_code == 422
    plural = "s are" if len(names) > 1 else " is"
    assert words_of(answer) == (
        f"The only query parameter{plural} {' and '.join(names)}." if names else "There are no parameters."
    )
    for parameter in parameters:
        if parameter["in"] == "query":
            wrong = simulated(client, path, verb, headers=credential, params={parameter["name"]: "~"})
            assert words_of(wrong).startswith(f"{parameter['name']}: ")


def test_a_session_is_started_with_the_fields_that_are_documented_and_no_others(client: TestClient) -> None:
    *names, last = DOCUMENT["components"]["schemas"]["SessionRequest"]["properties"]
    answer = client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), json={"user_id": "ada", "x": 1})
    assert words_of(answer) == f"The only fields are {', '.join(names)} and {last}."
