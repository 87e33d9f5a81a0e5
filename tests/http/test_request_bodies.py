"""The one body that the service reads, `POST /sessions`, and the limits of all others."""

import gzip
import json
from io import BytesIO
from typing import Any

import pytest
from falcon.testing import Result, TestClient

from domain.model.tokens import TokenPair
from entrypoints.http.request_body import MAX_BODY_BYTES
from tests.fakes.service import FakeService
from tests.fakes.sessions import FakeSessions
from tests.http.contract import SERVICE_CREDENTIAL, bearer, failure, refresh_token_of

TOO_LARGE = failure(413, "Request body too large.")
NOT_JSON = failure(400, "Request body is not valid JSON.")
NOT_SAID_TO_BE_JSON = failure(415, "Request body must be application/json.")
TEXT = "none of them a control character."


def post(client: TestClient, body: bytes | str, content_type: str = "application/json", **options: Any) -> Result:
    headers = bearer(SERVICE_CREDENTIAL) | {"Content-Type": content_type} | options.pop("headers", {})
    return client.simulate_post("/sessions", headers=headers, body=body, **options)


def padded(size: int) -> bytes:
    body = b'{"user_id":"ada"'
    return body + b" " * (size - len(body) - 1) + b"}"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", " application/json ;x=y"],
)
def test_json_is_read(client: TestClient, content_type: str) -> None:
    assert post(client, b'{"user_id":"ada"}', content_type).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/json, text/plain",
        "text/plain; application/json",
        "application /json",
        "\xff",
    ],
)
def test_a_body_that_does_not_say_it_is_json_is_refused(client: TestClient, content_type: str) -> None:
    """Pages of any site may send these without asking first (a preflight)."""
    answer = post(client, b'{"user_id":"ada"}', content_type)
    assert (answer.status_code, answer.content) == (415, NOT_SAID_TO_BE_JSON)


def test_no_content_type_at_all(client: TestClient) -> None:
    answer = client.simulate_post("/sessions", headers=bearer(SERVICE_CREDENTIAL), body=b'{"user_id":"ada"}')
    assert (answer.status_code, answer.content) == (415, NOT_SAID_TO_BE_JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b'["user_id"]',
        b'"user_id"',
        b"42",
        b"null",
        b"true",
        b"{user_id: 'ada'}",
        b'{"user_id":"ada",}',
        b'{"user_id":NaN}',
        b'{"user_id":Infinity}',
        b'{"user_id":"ada"}{}',
        b'{"user_id":"ada"} x',
        b'{"user_id":"\x01"}',
        b'{"user_id":"\xff"}',
        b'{"user_id":"\\ud800"}',
        b'{"user_id":"a\\u00"}',
        b"\xef\xbb\xbf" + b'{"user_id":"ada"}',
        '{"user_id":"ada"}'.encode("utf-16"),
        '{"user_id":"ada"}'.encode("utf-32"),
        gzip.compress(b'{"user_id":"ada"}', mtime=0),
        b"user_id=ada",
        b"<user_id>ada</user_id>",
        b"[" * 4000,
        b"[" * 4000 + b"]" * 4000,
        b'{"a":' * 1300 + b"1" + b"}" * 1300,
        b"\x00" * 100,
    ],
    ids=lambda body: ascii(body[:24]),
)
def test_what_is_no_json_object_is_refused(client: TestClient, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.content) == (400, NOT_JSON)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
def test_compressed_bodies_are_not_unpacked(client: TestClient, encoding: str) -> None:
    body = gzip.compress(b'{"user_id":"ada"}', mtime=0)
    assert post(client, body, headers={"Content-Encoding": encoding}).content == NOT_JSON


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_BODY_BYTES - 1, 201), (MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413)]
)
def test_the_limit_is_8_kib_to_the_byte(client: TestClient, size: int, status: int) -> None:
    assert post(client, padded(size)).status_code == status


@pytest.mark.parametrize(
    ("size", "status"), [(20, 201), (MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413), (10 * MAX_BODY_BYTES, 413)]
)
def test_a_chunked_body_is_read_and_has_the_same_limit(client: TestClient, size: int, status: int) -> None:
    """It announces no length; the server ends its stream where it ends."""
    stream = BytesIO(padded(size))
    extras = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": stream}
    answer = post(client, b"", extras=extras)
    assert answer.status_code == status
    assert stream.tell() <= MAX_BODY_BYTES + 1


def test_without_a_length_nothing_is_read(client: TestClient) -> None:
    """The stream would be that of the connection, and never end."""
    stream = BytesIO(padded(20))
    assert post(client, b"", extras={"wsgi.input": stream}).content == NOT_JSON
    assert stream.tell() == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/refresh_token"),
        ("POST", "/revoke_token"),
        ("POST", "/sessions"),
        ("GET", "/sessions"),
        ("DELETE", "/sessions"),
        ("DELETE", "/sessions/x"),
        ("GET", "/health/live"),
        ("POST", "/nowhere"),
    ],
)
def test_an_announced_size_over_the_limit_is_refused_before_anything(
    client: TestClient, pair: TokenPair, method: str, path: str
) -> None:
    headers = bearer(refresh_token_of(pair)) | {"Content-Length": str(MAX_BODY_BYTES + 1)}
    answer = client.simulate_request(method, path, headers=headers)
    assert (answer.status_code, answer.content) == (413, TOO_LARGE)
    assert "Set-Cookie" not in answer.headers


WRONG_USER_IDS: list[Any] = [
    None,
    42,
    4.2,
    True,
    [],
    ["ada"],
    {},
    "",
    "a" * 256,
    "a\nb",
    "a\x00",
    "\x7f",
    "\x85",
    "\x1b[31m",
]
WRONG_DEVICES: list[Any] = [None, 42, True, [], {}, "d" * 256, "a\r\nb", "\x00", "\x9f"]
WRONG_TRANSPORTS = [None, "", "Header", "both", 1, ["header"], {"header": True}]
UNKNOWN_FIELDS = ["User_id", "", "__proto__", "session_id", "generation", "<script>"]
WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"sub": "eve"}, "sub is a claim that Nuovo itself writes"),
    ({"role": "admin", "exp": 9e15}, "exp is a claim that Nuovo itself writes"),
    ({"": 1}, "a claim's name has 1 to 128 printable characters"),
    ({"x" * 129: 1}, "a claim's name has 1 to 128 printable characters"),
    ({"a\nb": 1}, "a claim's name has 1 to 128 printable characters"),
    ({"x": "y" * 2041}, "claims have 2049 bytes; at most 2048 are kept"),
    ({"x": json.loads("[" * 16 + "]" * 16)}, "claims are nested more than 16 deep"),
    ({"x": json.loads('{"x":' * 600 + "1" + "}" * 600)}, "claims are nested more than 16 deep"),
]
NO_OBJECTS: list[Any] = [None, [], "{}", 1, True]
NO_BOOLEANS: list[Any] = [None, 0, 1, "true", [], {}]
WRONG_LIFETIMES: list[Any] = [None, 0, -1, 1.5, True, "3600", "1h", [], {}, 400 * 86_400 + 1, 2**70]
WRONG_LIFETIME = "lifetime: must be a whole number of seconds from 1 to 34560000."
ONLY_FIELDS = "The only fields are user_id, device, transport, claims, lifetime, remember and dpop_jkt."
WRONG_USER_ID = f"user_id: must be a string of 1 to 255 characters, {TEXT}"
WRONG_DEVICE = f"device: must be a string of at most 255 characters, {TEXT}"
FIELD_CASES: list[tuple[dict[str, Any], str]] = [
    ({}, WRONG_USER_ID),
    *(({"user_id": value}, WRONG_USER_ID) for value in WRONG_USER_IDS),
    *(({"user_id": "ada", "device": value}, WRONG_DEVICE) for value in WRONG_DEVICES),
    *(
        ({"user_id": "ada", "transport": value}, r"transport: must be \"header\" or \"cookie\".")
        for value in WRONG_TRANSPORTS
    ),
    *(({"user_id": "ada", "claims": value}, "claims: must be an object.") for value in NO_OBJECTS),
    *(({"user_id": "ada", "claims": claims}, f"claims: {words}.") for claims, words in WRONG_CLAIMS),
    *(({"user_id": "ada", "lifetime": value}, WRONG_LIFETIME) for value in WRONG_LIFETIMES),
    *(({"user_id": "ada", "remember": value}, "remember: must be true or false.") for value in NO_BOOLEANS),
    *(({"user_id": "ada", name: "x"}, ONLY_FIELDS) for name in UNKNOWN_FIELDS),
]


@pytest.mark.parametrize(("fields", "message"), FIELD_CASES, ids=lambda value: ascii(value)[:40])
def test_a_wrong_field_is_named_and_its_value_is_not(
    client: TestClient, service: FakeService, fields: dict[str, Any], message: str
) -> None:
    answer = post(client, json.dumps(fields))
    assert (answer.status_code, answer.content) == (422, failure(422, message))
    assert isinstance(service.sessions, FakeSessions)
    assert service.sessions.rows == {}


@pytest.mark.parametrize(
    "user_id", ["ada", "a" * 255, "\u00e4\u00f6\u00fc", "\U0001f600", "a b", "'; --", "<b>", "%00"]
)
def test_any_printable_identifier_is_looked_up(client: TestClient, service: FakeService, user_id: str) -> None:
    assert post(client, json.dumps({"user_id": user_id})).status_code == (201 if user_id == "ada" else 404)


def test_the_credential_is_checked_before_the_body(client: TestClient) -> None:
    """Nobody else may make the service parse anything."""
    answer = client.simulate_post("/sessions", headers={"Content-Type": "text/plain"}, body=b"{")
    assert answer.status_code == 401


class MalformedChunkError(Exception):
    """As a server raises it; each has its own."""


class Broken(BytesIO):
    """A connection that breaks, stalls or brings a malformed chunk while its body is read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TimeoutError("timed out"), 408),
        (BlockingIOError("would block"), 408),
        (OSError("no more data"), 400),
        (ConnectionResetError("reset"), 400),
        (MalformedChunkError("xyz"), 400),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["chunked", "sized"])
def test_a_body_that_cannot_be_read_is_the_clients_trouble(
    client: TestClient, log_lines: list[str], error: Exception, status: int, how: str
) -> None:
    """Not a defect of this service: neither a 500 nor a trace in the log."""
    extras = {"HTTP_TRANSFER_ENCODING": "chunked"} if how == "chunked" else {"CONTENT_LENGTH": "20"}
    answer = post(client, b"", extras={"wsgi.input": Broken(error), **extras})
    assert answer.status_code == status
    assert answer.json["status"] == "error"
    assert log_lines == []
