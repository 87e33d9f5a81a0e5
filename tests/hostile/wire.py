"""Bytes on a wire: what arrives at a real server before any library has looked at it."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 20.0
_ANSWER = re.compile(rb"HTTP/1\.\d (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True)
class WireAnswer:
    """One answer of a connection."""

    status: int
    head: bytes
    body: bytes


def exchange(url: str, request: bytes, *, patience: float = PATIENCE) -> list[WireAnswer]:
    """Send `request`, say that no more will come, and return all answers until the server hangs up."""
    address = urlsplit(url)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=patience) as connection:
        with suppress(OSError):  # it may hang up before it has heard all
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while data := connection.recv(65_536):
                received += data
    return list(_answers(received))


def _answers(received: bytes) -> Iterator[WireAnswer]:
    if received.startswith(b"{"):  # an answer of HTTP/0.9 has no head
        yield WireAnswer(json.loads(received)["code"], b"", received)
        return
    while received:
        head = _ANSWER.match(received)
        assert head is not None, f"not HTTP: {received[:100]!r}"
        length = _LENGTH.search(head[0])
        end = head.end() + (int(length[1]) if length else 0)
        yield WireAnswer(int(head[1]), head[0], received[head.end() : end])
        received = received[end:]


def request_bytes(line: str, *headers: str | bytes, body: bytes = b"", ending: bytes = b"\r\n") -> bytes:
    """Return a request of lines as they are given, with a host and without keeping the connection."""
    given = [header if isinstance(header, bytes) else header.encode("latin-1") for header in headers]
    lines = [line.encode("latin-1"), b"Host: nuovo.example.org", *given, b"Connection: close"]
    return ending.join(lines) + ending * 2 + body


REFRESH = "POST /refresh_token HTTP/1.1"


def line_cases() -> Iterator[bytes]:
    """Request lines, line ends, and protocols that are not HTTP at all."""
    for line in (
        "POST /refresh_token HTTP/0.9", "POST /refresh_token HTTP/1.0", "POST /refresh_token HTTP/1.2",
        "POST /refresh_token HTTP/2.0", "POST /refresh_token HTTP/1.1.1", "POST /refresh_token HTTP/11",
        "POST /refresh_token HTTPS/1.1", "POST /refresh_token", "POST", "", " ", "POST  /refresh_token  HTTP/1.1",
        "POST\t/refresh_token\tHTTP/1.1", " POST /refresh_token HTTP/1.1", "POST /refresh_token HTTP/1.1 ",
        "post /refresh_token HTTP/1.1", "P\x00ST /refresh_token HTTP/1.1", "P\xd6ST /refresh_token HTTP/1.1",
        "POST /refresh_token\x00 HTTP/1.1", "POST /refresh token HTTP/1.1", "POST /\xff\xfe HTTP/1.1",
        "POST refresh_token HTTP/1.1", "POST * HTTP/1.1", "OPTIONS * HTTP/1.1",
        "CONNECT nuovo.example.org:443 HTTP/1.1",
        "POST http://nuovo.example.org/refresh_token HTTP/1.1", "POST https://evil.example/refresh_token HTTP/1.1",
        "POST //refresh_token HTTP/1.1", "POST /%2e%2e/refresh_token HTTP/1.1", "POST /..;/refresh_token HTTP/1.1",
        "POST /refresh_token%00 HTTP/1.1", "POST /refresh_token%0d%0aX-Injected:%20yes HTTP/1.1",
        "POST /refresh_token?%ff=%zz HTTP/1.1", "POST /refresh_token#x HTTP/1.1", "DELETE /sessions/%00 HTTP/1.1",
        "DELETE /sessions/%ff%fe HTTP/1.1", "GET /sessions/%2e%2e%2fx HTTP/1.1", f"GET /{'a' * 3000} HTTP/1.1",
        f"GET /{'a' * 10_000} HTTP/1.1", f"GET /{'a' * 100_000} HTTP/1.1", f"{'X' * 30} /refresh_token HTTP/1.1",
        "TRACE /refresh_token HTTP/1.1", "PROPFIND / HTTP/1.1", "HEAD /refresh_token HTTP/1.1", "QUERY / HTTP/1.1",
        "GET /docs/..%2f..%2f..%2fetc%2fpasswd HTTP/1.1", "GET /docs/%00 HTTP/1.1", "GET /docs/\\..\\x HTTP/1.1",
    ):  # fmt: skip
        yield request_bytes(line)
    for ending in (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\x0b", b"\xe2\x80\xa8"):
        yield request_bytes(REFRESH, ending=ending)
    yield b"\r\n" * 5 + request_bytes(REFRESH)
    yield b"\r\n" * 50_000
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
    yield bytes.fromhex("16030100c8010000c40303") + bytes(190)
    yield b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + request_bytes(REFRESH)
    yield b"\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a" + bytes(16)
    yield b"EHLO evil.example\r\nMAIL FROM:<a@evil.example>\r\n"
    yield bytes(1000)
    yield bytes(range(256)) * 40
    yield b"\xff" * 100_000
    yield b""


def header_cases(token: str) -> Iterator[bytes]:
    """Headers that are malformed, repeated, folded, too many or too long."""
    bearer = f"Authorization: Bearer {token}"
    for headers in (
        [bearer, bearer], [bearer, "Authorization: Bearer x"], ["Authorization: Bearer x", bearer],
        [bearer, "authorization: Basic x"], ["Authorization: Basic x", bearer], ["Authorization:", bearer],
        [f"Authorization : Bearer {token}"], [f" Authorization: Bearer {token}"], [f"Authorization:Bearer {token}"],
        ["Authorization: Bearer", f" {token}"], ["Authorization: Bearer", f"\t{token}"],
        [f"Author\x00ization: {token}"],
        [f"Authorization: Bearer\x00{token}"], [f"Authorization: Bearer {token}\x00"], ["Authorization: Bearer a\rb"],
        ["Authorization: Bearer a\nX-Injected: yes"], [f"Authorization\xa0: Bearer {token}"], ["Authorization"], [":"],
        [": x"], ["Authorization: Bearer \xff\xfe"], ["Authorization: Bearer " + "a" * 8000],
        ["Authorization: Bearer " + "a" * 20_000], ["Authorization: Bearer " + "a" * 200_000],
        [f"X-{n}: {n}" for n in range(90)],
        [f"X-{n}: {n}" for n in range(101)], [f"X-{n}: {n}" for n in range(2000)], ["X-Request-ID: a\x01b"],
        ["X-Request-ID: a", "X-Request-ID: b"], ['X-Request-ID: "}{"'], ["X-Request-ID: \xe2\x80\xa8"],
        ["X_Request_ID: a"],
        ["Host: evil.example"], ["Host:"], ["Host: a b"], ["Host: \xff"], ["Host: nuovo.example.org, evil.example"],
        ["Expect: 100-continue"], ["Expect: 200-ok"], ["Upgrade: h2c", "HTTP2-Settings: x"], ["Upgrade: websocket"],
        ["Connection: close, X-Request-ID", "X-Request-ID: a"], ["TE: trailers"], ["Range: bytes=0-0"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"], ["X-Forwarded-For: \x7f"], ['Forwarded: for="_x"'],
        ["SCRIPT_NAME: /evil"], ["Script-Name: /evil"], ["Proxy: http://127.0.0.1:9"], ["Content-Type: \xff"],
        ["Accept: text/html"], ["Accept: \xff"], ["Accept-Charset: utf-16"], ["Date: \x1b[31m"], ["If-Match: *"],
    ):  # fmt: skip
        yield request_bytes(REFRESH, *headers)


def cookie_cases(token: str) -> Iterator[bytes]:
    """Cookies by the hundred, twice the same, and with the bytes that Falcon strips from names."""
    name, site = "__Host-refresh_token", "Sec-Fetch-Site: same-origin"
    for headers in (
        ["Cookie: " + "; ".join(f"c{n}=1" for n in range(600))],
        ["Cookie: " + "; ".join(f"c{n}=1" for n in range(600)) + f"; {name}=x"],
        [f"Cookie: c{n}=1" for n in range(80)],
        [f"Cookie: {name}=x", f"Cookie: {name}=y"],
        [f"Cookie: {name}=x; {name}=y"],
        [f"Cookie: \xa0{name}={token}"],
        [f"Cookie: \x85{name}={token}"],
        [f"Cookie: a=b; {name}\xa0={token}"],
        [f"Cookie: {name}=\xff\xfe"],
        [f"Cookie: {name}=a\x00b"],
        [f"Cookie: {name}=\x1b[31m"],
        [f'Cookie: {name}="x"'],
        ["Cookie: " + ";" * 7000],
        ["Cookie: " + "=" * 7000],
        ["Cookie: $Version=1; $Path=/"],
        ["Cookie2: $Version=1"],
    ):
        yield request_bytes(REFRESH, site, *headers)


def body_cases(credential: str) -> Iterator[bytes]:
    """Bodies that lie about their length, in chunks that are none, with two ways to end."""
    line, bearer = "POST /sessions HTTP/1.1", f"Authorization: Bearer {credential}"
    json, chunked = "Content-Type: application/json", "Transfer-Encoding: chunked"
    good = b'{"user_id":"nobody"}'
    for headers, body in (
        (["Content-Length: 20"], good), (["Content-Length: 200"], good), (["Content-Length: 5"], good),
        (["Content-Length: 0"], good), (["Content-Length: -1"], good), (["Content-Length: +20"], good),
        (["Content-Length: 2_0"], good), (["Content-Length: 0x14"], good), (["Content-Length: 20 "], good),
        (["Content-Length: \xb2"], good), (["Content-Length: 20, 20"], good), (["Content-Length:"], good),
        (["Content-Length: 20", "Content-Length: 20"], good), (["Content-Length: 20", "Content-Length: 5"], good),
        (["CONTENT-LENGTH: 20"], good), (["content-length: 200"], good),
        (["Content-Length: 99999999999999999999"], good), ([f"Content-Length: {'9' * 25}"], good),
        (["Content-Length: 9000"], b"a" * 9000), (["Content-Length: 100000"], b"a" * 100_000),
        (["Content-Length: 1000000"], b""),
        (["Content-Length: 20", "Content-Encoding: gzip"], good), (["Content-Length: 8192"], b"[" * 8192),
        (["Content-Length: 20", chunked], b"14\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked, "Content-Length: 5"], b"0\r\n\r\n"), ([chunked], b"14\r\n" + good + b"\r\n0\r\n\r\n"),
        (["TRANSFER-ENCODING: chunked"], b"14\r\n" + good + b"\r\n0\r\n\r\n"), ([chunked], b"14\r\n" + good),
        ([chunked], b"14\r\n" + good + b"\r\n"), ([chunked], b"zz\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"-14\r\n" + good + b"\r\n0\r\n\r\n"), ([chunked], b"0x14\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"ffffffffffffffffffff\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"1\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"ffff\r\n" + good + b"\r\n0\r\n\r\n"), ([chunked], b"\r\n\r\n"), ([chunked], b""),
        ([chunked], good),
        ([chunked], b"14;" + b"a" * 10_000 + b"\r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"14 \r\n" + good + b"\r\n0\r\n\r\n"),
        ([chunked], b"14\n" + good + b"\n0\n\n"), ([chunked], b"0\r\nX-Injected: yes\r\n\r\n"),
        ([chunked], b"0\r\nAuthorization: Bearer x\r\nContent-Length: 5\r\n\r\n"),
        ([chunked], b"1\r\n{\r\n" * 3000 + b"0\r\n\r\n"),
        ([chunked], b"2000\r\n" + b" " * 8192 + b"\r\n1\r\n \r\n0\r\n\r\n"),
        (["Transfer-Encoding: identity"], good), (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked, chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: xchunked"], b"0\r\n\r\n"), (["Transfer-Encoding:\x0bchunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding : chunked"], b"0\r\n\r\n"), (["Transfer-Encoding: Chunked"], b"0\r\n\r\n"),
        ([chunked, chunked], b"0\r\n\r\n"), (["Transfer_Encoding: chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding:", " chunked"], b"0\r\n\r\n"), (["Transfer-Encoding: \xff"], b"0\r\n\r\n"),
    ):  # fmt: skip
        yield request_bytes(line, bearer, json, *headers, body=body)
        yield request_bytes(REFRESH, *headers, body=body)
