"""Hostile bytes against the real server, bare and behind nginx: 0 answers of 500, and honest clients are served."""

import json
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from tests.e2e.client import Client
from tests.e2e.nginx import SERVERS, ProxiedNuovo
from tests.e2e.server import USER, Nuovo
from tests.hostile.wire import (
    REFRESH,
    WireAnswer,
    body_cases,
    cookie_cases,
    exchange,
    header_cases,
    line_cases,
    request_bytes,
)
from tests.http.contract import AMBIGUOUS, CROSS_SITE, INVALID, MISSING

EXPECTED = {100, 200, 201, 204, 400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 422, 431, 501, 505}


@pytest.fixture(scope="module", params=SERVERS, ids=list(SERVERS))
def nuovo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nuovo]:
    """Return a running service that logs all it can. Tests share it and leave it running."""
    folder = tmp_path_factory.mktemp("wire")
    environment = {"NUOVO_LOG_LEVEL": "DEBUG"}
    with SERVERS[request.param](
        folder, f"sqlite:///{folder}/nuovo.sqlite3", environment=environment
    ).prepare() as nuovo:
        yield nuovo


@pytest.fixture
def client(nuovo: Nuovo) -> Iterator[Client]:
    with Client(nuovo.url) as client:
        yield client


@pytest.fixture
def token(nuovo: Nuovo) -> str:
    """Return the refresh token of a new session."""
    with Client(nuovo.inner_url) as client:
        return client.sign_in(nuovo.service_credential, USER).refresh_token


def cases(group: str, nuovo: Nuovo, token: str) -> Iterator[bytes]:
    if group == "lines":
        return line_cases()
    if group == "headers":
        return header_cases(token)
    return cookie_cases(token) if group == "cookies" else body_cases(nuovo.service_credential)


@pytest.mark.parametrize("group", ["lines", "headers", "cookies", "bodies"])
def test_no_bytes_are_answered_with_a_500(
    nuovo: Nuovo, client: Client, token: str, group: str, record_property: Callable[[str, object], None]
) -> None:
    """Each is answered or hung up on; none ends a process, nor leaves a trace of a defect in the log."""
    processes = nuovo.worker_pids
    sent = list(cases(group, nuovo, token))
    for request, door in product(sent, {nuovo.url, nuovo.inner_url}):
        answers = exchange(door, request)
        assert {answer.status for answer in answers} <= EXPECTED, request[:200]
        assert not any(b"injected" in answer.head.lower() for answer in answers), request[:200]
        for answer in answers:
            if answer.status >= 400 and answer.body:
                assert json.loads(answer.body)["code"] == answer.status, request[:200]
    assert client.refresh(token).status == 200
    assert nuovo.worker_pids == processes
    assert "unexpected_error" not in nuovo.log_text
    assert "Traceback" not in nuovo.log_text
    record_property("hostile_wire_requests", len(sent))


def the_answer(nuovo: Nuovo, request: bytes) -> WireAnswer:
    (answer,) = exchange(nuovo.url, request)
    return answer


def test_a_repeated_authorization_is_no_choice_of_tokens(nuovo: Nuovo, token: str) -> None:
    """Nginx refuses them; gunicorn joins them, and what is joined is no token: neither first nor last is picked."""
    bearer = f"Authorization: Bearer {token}"
    for headers in ([bearer, "Authorization: Bearer x"], ["Authorization: Bearer x", bearer], [bearer, bearer]):
        answer = the_answer(nuovo, request_bytes(REFRESH, *headers))
        assert answer.status == 400 or (answer.status, answer.body) == (401, INVALID)
    assert the_answer(nuovo, request_bytes(REFRESH, bearer)).status == 200


@pytest.mark.parametrize("byte", ["\xa0", "\x85"])
@pytest.mark.parametrize("where", ["{0}{1}", "{1}{0}", "a=b; {0}{1}"])
def test_a_planted_cookie_name_is_not_the_cookies(nuovo: Nuovo, token: str, byte: str, where: str) -> None:
    cookie = f"Cookie: {where.format(byte, '__Host-refresh_token')}={token}"
    answer = the_answer(nuovo, request_bytes(REFRESH, cookie, "Sec-Fetch-Site: same-origin"))
    assert (answer.status, answer.body) == (401, MISSING)
    assert b"set-cookie" not in answer.head.lower()


def test_two_cookies_are_ambiguous(nuovo: Nuovo, token: str) -> None:
    cookie = f"Cookie: __Host-refresh_token={token}; __Host-refresh_token=x"
    answer = the_answer(nuovo, request_bytes(REFRESH, cookie, "Sec-Fetch-Site: same-origin"))
    assert (answer.status, answer.body) == (400, AMBIGUOUS)


def test_another_cookie_with_any_bytes_hides_nothing(nuovo: Nuovo, token: str) -> None:
    cookie = f"Cookie: name=J\xfcrgen; __Host-refresh_token={token}; last=\xff"
    assert the_answer(nuovo, request_bytes(REFRESH, cookie, "Sec-Fetch-Site: same-origin")).status == 200


def test_two_cookie_headers_are_never_a_choice(nuovo: Nuovo, token: str) -> None:
    headers = [f"Cookie: __Host-refresh_token={token}", "Cookie: __Host-refresh_token=x", "Sec-Fetch-Site: same-origin"]
    assert the_answer(nuovo, request_bytes(REFRESH, *headers)).status in {400, 401}


@pytest.mark.parametrize("header", ["Sec_Fetch_Site: same-origin", "Sec_Fetch-Site: same-origin"])
def test_an_underscore_is_no_hyphen(nuovo: Nuovo, token: str, header: str) -> None:
    """To WSGI both names are one; a page could send the first, which browsers do not reserve."""
    cookie = f"Cookie: __Host-refresh_token={token}"
    answer = the_answer(nuovo, request_bytes(REFRESH, cookie, header))
    assert (answer.status, answer.body) == (403, CROSS_SITE)
    answers = exchange(nuovo.url, request_bytes(REFRESH, cookie, header, "Sec-Fetch-Site: cross-site"))
    assert all(answer.status in {400, 403} for answer in answers)


@pytest.mark.parametrize("header", ["Sec_Fetch_Mode: no-cors", "Sec-Fetch_Mode: no-cors"])
def test_no_script_passes_for_a_browser_by_an_underscore(nuovo: Nuovo, token: str, header: str) -> None:
    """A script may send what begins with `Sec_`, and would register a key of its own."""
    sent = [f"Cookie: __Host-refresh_token={token}", "Secure-Session-Response: x", header]
    for headers in (sent, [*sent, "Sec-Fetch-Mode: cors"], ["Sec-Fetch-Mode: cors", *sent]):
        answers = exchange(nuovo.url, request_bytes("POST /dbsc/register HTTP/1.1", *headers))
        assert [(answer.status, b"Only browsers register keys." in answer.body) for answer in answers] == [(403, True)]


SMUGGLED = [
    (["Content-Length: {length}", "Transfer-Encoding: chunked"], "0\r\n\r\n{hidden}"),
    (["Transfer-Encoding: chunked", "Content-Length: 4"], "5c\r\n{hidden}\r\n0\r\n\r\n"),
    (["Transfer-Encoding: xchunked", "Content-Length: {length}"], "0\r\n\r\n{hidden}"),
    (["Transfer-Encoding : chunked", "Content-Length: {length}"], "0\r\n\r\n{hidden}"),
    (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], "0\r\n\r\n{hidden}"),
    (["Content-Length: 0", "Content-Length: {length}"], "{hidden}"),
    (["Content-Length: {length}"], "{hidden}"),
    (["CONTENT-LENGTH: {length}"], "{hidden}"),
    (["Transfer-Encoding: identity", "Transfer-Encoding: chunked", "Content-Length: {length}"], "0\r\n\r\n{hidden}"),
    (["TE: identity", "TE: chunked", "Content-Length: {length}"], "{hidden}"),
]


@pytest.mark.parametrize(("headers", "body"), SMUGGLED, ids=[str(number) for number in range(len(SMUGGLED))])
def test_no_request_is_hidden_in_another(
    nuovo: Nuovo, client: Client, token: str, headers: list[str], body: str
) -> None:
    """What one reader takes for a body must not be a request to the next: here, a logout of the honest client."""
    hidden = f"POST /revoke_token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    content = body.format(hidden=hidden)
    filled = [header.format(length=len(content)) for header in headers]
    lines = ["POST /refresh_token HTTP/1.1", "Host: nuovo.example.org", *filled]
    answers = exchange(nuovo.url, ("\r\n".join(lines) + "\r\n\r\n" + content).encode())
    assert len(answers) <= 1
    assert client.refresh(token).status == 200


def test_pipelined_requests_are_answered_in_order(nuovo: Nuovo, token: str) -> None:
    """Without nginx the first one only: then the connection is closed."""
    honest = f"POST /refresh_token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    answers = exchange(nuovo.url, honest + request_bytes(REFRESH))
    assert [answer.status for answer in answers] == [200, 401][: len(answers)]
    assert len(answers) == (2 if isinstance(nuovo, ProxiedNuovo) else 1)


def test_what_is_no_http_is_refused_in_the_envelope_without_a_word_of_it(nuovo: Nuovo, token: str) -> None:
    """A token may be in it: in a header that lost its name, in an address, in a chunk."""
    lost = token[-40:]
    malformed = [
        request_bytes(REFRESH, "Authorization: Bearer", token),
        request_bytes(REFRESH, f"Authorization {token}"),
        request_bytes(REFRESH, f"{token}: x"),
        request_bytes(f"POST /{token}"),
        request_bytes(f"{token} /refresh_token HTTP/1.1"),
        request_bytes(f"POST /refresh_token {token}"),
        request_bytes(REFRESH, f"Transfer-Encoding: {token}", body=b"0\r\n\r\n"),
        request_bytes(REFRESH, f"Expect: {token}"),
        request_bytes(REFRESH, f"Content-Length: {token}"),
        request_bytes(REFRESH, *[f"X-{n}: {token}" for n in range(101)]),
        request_bytes(f"POST /{token * 30} HTTP/1.1"),
        request_bytes(f"GET /sessions/{token} HTTP/1.1"),
        request_bytes(f"GET /refresh_token?{token} HTTP/1.1"),
    ]
    for request in malformed:
        answer = the_answer(nuovo, request)
        envelope = json.loads(answer.body)
        assert (envelope["status"], envelope["code"]) == ("error", answer.status), request[:100]
        assert lost.encode() not in answer.head + answer.body
    assert lost not in nuovo.log_text
    for file in nuovo.folder.glob("nginx*"):
        assert lost not in file.read_text(encoding="utf-8")
