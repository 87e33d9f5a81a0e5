"""Hostile requests as data: methods, paths, headers, cookies and bodies that no honest client sends."""

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

from tests.hostile.forge import ACCESS, REFRESH, SESSION_ID
from tests.http.contract import ALLOWED_ORIGIN, COOKIE, SERVICE_CREDENTIAL

Request = tuple[str, str, bytes, dict[str, Any]]
"""Method, path, body, and further WSGI variables."""

ENDPOINTS = [
    ("POST", "/refresh_token", REFRESH.honest),
    ("POST", "/revoke_token", REFRESH.honest),
    ("POST", "/sessions", SERVICE_CREDENTIAL),
    ("GET", "/sessions", ACCESS.honest),
    ("DELETE", "/sessions", ACCESS.honest),
    ("DELETE", f"/sessions/{SESSION_ID}", ACCESS.honest),
    ("GET", "/users/ada/sessions", SERVICE_CREDENTIAL),
    ("DELETE", "/users/ada/sessions", SERVICE_CREDENTIAL),
    ("DELETE", f"/users/ada/sessions/{SESSION_ID}", SERVICE_CREDENTIAL),
    ("POST", "/oauth/token", ""),
    ("POST", "/oauth/revoke", ""),
    ("POST", "/oauth/introspect", SERVICE_CREDENTIAL),
    ("GET", "/.well-known/jwks.json", ""),
    ("GET", "/.well-known/oauth-authorization-server", ""),
    ("GET", "/health/live", ""),
    ("GET", "/health/ready", ""),
]
METHODS = [
    "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK",
    "UNLOCK", "REPORT", "SEARCH", "PURGE", "LINK", "QUERY", "get", "Post", "post", "GETS", "FOO", "", " ", "GET ",
    "\u00e9",
    "G\x00T", "PRI", "M-SEARCH", "WEBSOCKET", "X" * 5000,
]  # fmt: skip
PATHS = [
    "", "/", "//", "*", "/refresh_token/", "//refresh_token", "/refresh_token//", "/./refresh_token",
    "/x/../refresh_token", "/refresh_token/..", "/refresh_token/.", "/refresh_token;a=b", "/refresh_token?",
    "/refresh_token#x", "/refresh_token%20", "/refresh_token ", " /refresh_token", "/refresh_token\x00",
    "/refresh_token\n", "/Refresh_Token", "/REFRESH_TOKEN", "/refresh\u00adtoken", "/refresh_token\xff", "/\xff\xfe",
    "/\xc3\x28", "/\xed\xa0\x80", "/%00", "/%", "/%zz", "/%2e%2e/%2e%2e/etc/passwd", "/../../../../etc/passwd",
    "/..\\..\\windows\\win.ini", "/refresh_token\\", "\\refresh_token", "http://nuovo.example.org/refresh_token",
    "https://evil.example/refresh_token", "//evil.example/refresh_token", "/sessions/", "/sessions//", "/sessions/a/b",
    "/sessions/..", "/sessions/.", "/sessions/%2e%2e", "/sessions/\x00", "/sessions/" + "a" * 10_000,
    "/sessions/\r\nX: y",
    "/users", "/users/", "/users//sessions", "/users/\xff/sessions", "/users/\x00/sessions", "/users/../sessions",
    "/users/" + "a/" * 5000 + "sessions", "/users/" + "a" * 100_000 + "/sessions", "/users/sessions/sessions/sessions",
    "/users/a\r\nX: y/sessions", "/users/\xed\xa0\x80/sessions", "/oauth", "/oauth/", "/oauth/token/", "/oauth/nowhere",
    "/oauth/\xff", "/.well-known", "/.well-known/", "/.well-known/openid-configuration", "/.well-known/../oauth/token",
    "/sessions/{session_id}", "/sessions/\u202e".encode().decode("latin-1"),
    "/sessions/'; DROP TABLE nuovo_sessions;--",
    "/" + "a" * 100_000, "/" + "a/" * 5000, "/health", "/health/", "/health/live/", "/health/dead", "/.git/config",
    "/.env", "/favicon.ico", "/robots.txt", "/openapi.json/", "/docs/../openapi.json", "/docs/..%2f..%2fetc%2fpasswd",
    "/docs/\x00", "/docs/" + "../" * 50, "/admin", "/metrics", "/token", "/login", "/${jndi:ldap://127.0.0.1/a}",
    "/<script>alert(1)</script>", "/{{7*7}}", "/;/refresh_token", "/refresh_token/\xe2\x80\xae",
]  # fmt: skip
NASTY = [
    "", " ", "\t", ",", ";", "=", '"', "'", '"unclosed', "\\", "\r\nX-Injected: yes", "a\r\n\r\n<html>", "a\nb", "\r",
    "\x00",
    "a\x00b", "\x7f", "\x1b[31m", "\x85", "\xa0", "\xff", "\xe9" * 100, "\u00e9\u0130\u202e".encode().decode("latin-1"),
    "\U0001f4a9".encode().decode("latin-1"), "%00", "%0d%0aX-Injected: yes", "null", "undefined", "NaN", "-1", "0",
    "1e999",
    "9" * 5000, "A" * 100_000, "a," * 5000, "*", "*/*", "../../etc/passwd", "${jndi:ldap://127.0.0.1/a}",
    "<script>alert(1)</script>", "' OR 1=1 --", "{{7*7}}", "%s%s%n", "{}", "[]", "() { :; }; echo x", "=?utf-8?q?x?=",
    "data:text/html,x", "gzip;q=0", "a" + " " * 5000 + "b", ";" * 3000, '="' * 2000,
]  # fmt: skip
HEADERS = [
    "AUTHORIZATION", "DPOP",
    "COOKIE", "ORIGIN", "SEC_FETCH_SITE", "HOST", "ACCEPT", "ACCEPT_ENCODING", "ACCEPT_LANGUAGE",
    "X_REQUEST_ID", "USER_AGENT", "REFERER", "FORWARDED", "X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO",
    "X_HTTP_METHOD_OVERRIDE", "IF_NONE_MATCH", "IF_MODIFIED_SINCE", "RANGE", "EXPECT", "CONNECTION", "UPGRADE", "TE",
    "TRAILER", "DATE", "FROM", "ACCESS_CONTROL_REQUEST_METHOD", "ACCESS_CONTROL_REQUEST_HEADERS", "TRANSFER_ENCODING",
]  # fmt: skip
BODIES = [
    b"", b"null", b"{}", b"[]", b"0", b'"', b"{", b"}", b"\x00", b"\xff" * 100, b"[" * 8192, b"[" * 4000 + b"]" * 4000,
    b'{"a":' * 1300 + b"1" + b"}" * 1300, b" " * 8192, b" " * 8193, b"a" * 100_000, b'{"user_id":"ada"}' * 400,
    b'{"user_id":"ada","user_id":"bob"}', b'{"user_id":' + b"9" * 5000 + b"}", b'{"user_id":1e999}', b'{"user_id":NaN}',
    b'{"user_id":"' + b"a" * 8000 + b'"}', b'{"user_id":"\\u0000"}', b'{"user_id":"\\ud800"}', b'{"user_id":"a\\nb"}',
    b'{"user_id":{"$ne":null}}', b'{"user_id":["ada"]}', b'{"user_id":true}', b'{"device":"x"}', b'{"__proto__":{}}',
    b'{"user_id":"ada","device":"\\u202e\\u0007"}', b'{"user_id":"ada","device":"' + b"\xf0\x9f\x92\xa9" * 300 + b'"}',
    b'{"user_id":"ada","transport":"both"}', b"\xef\xbb\xbf{}", '{"user_id":"ada"}'.encode("utf-16"),
    gzip.compress(b'{"user_id":"ada"}', mtime=0), zlib.compress(b" " * 1_000_000), b"<?xml version='1.0'?><x/>",
    b"--x\r\nContent-Disposition: form-data; name=user_id\r\n\r\nada\r\n--x--\r\n", b"user_id=ada&" * 500,
    b"grant_type=refresh_token", b"grant_type=refresh_token&refresh_token=" + b"A" * 8100, b"token=%00", b"token=\xff",
    b"token=%ff", b"token=x&token=y", b"token", b"&", b"=", b"&&&=&", b"token=%", b"token=%zz", b"token[]=x",
    b"token=" * 900, b"a=b&" * 2000,
    b"grant_type=%72efresh_token&refresh_token=%0d%0aX:y", b"token=x;token_type_hint=y", b"+" * 8000,
    b'{"user_id":"ada","claims":' + b'{"a":' * 1300 + b"1" + b"}" * 1300 + b"}",
    b'{"user_id":"ada","claims":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
    b'{"user_id":"ada","claims":{"a":1e400}}', b'{"user_id":"ada","claims":{"a":-1e308,"b":18446744073709551615}}',
    b'{"user_id":"ada","claims":{"a":"\\u0000\\u202e","\\u0000":1}}', b'{"user_id":"ada","claims":{"__proto__":{}}}',
    b'{"user_id":"ada","lifetime":' + b"9" * 4000 + b"}", b'{"user_id":"ada","lifetime":1e3}',
    b'{"user_id":"ada","lifetime":-0}', b'{"user_id":"ada","remember":"false"}',
]  # fmt: skip
MEDIA_TYPES = [
    "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "text/plain",
    "multipart/form-data; boundary=x", "application/xml", "application/msgpack", "", "application/json; charset=\xff",
]  # fmt: skip
AUTHORIZATIONS = [
    "{token}", "Bearer", "Bearer ", "bearer  {token}", "Bearer\t{token}", "Bearer\xa0{token}", "Bearer{token}",
    "Bearer:{token}", "Bearer={token}", "Bearer {token} ", "Bearer {token},", "Bearer {token}, Bearer {token}",
    "Bearer {token},Bearer x", "Bearer x,Bearer {token}", "Bearer {token} {token}", 'Bearer "{token}"',
    "Bearer '{token}'",
    "Bearer <{token}>", "Bearer token={token}", "Bearer Bearer {token}", "Basic {token}", "Basic YWRhOg==", "Digest x",
    "Negotiate YII=", "JWT {token}", "Token {token}", "DPoP {token}",
    "DPoP", "DPoP ", "dpop  {token}", "DPoP\xa0{token}", "DPoP {token}, Bearer {token}",
    "MAC id=x", "\x00Bearer {token}", "Bearer \x00",
    "Bearer {token}\x00", "Bearer \r\n {token}", "Bearer\r\n{token}", "B\xe9arer {token}", "Bearer \xff\xfe",
    "Bearer " + "=" * 5000, "Bearer " + "a" * 1_000_000, " " * 10_000 + "Bearer x", "," * 5000,
    "Bearer \u2028".encode().decode(
        "latin-1"
    ), "Bearer null", "Bearer undefined", "Bearer [object Object]", "Bearer {{token}}",
]  # fmt: skip
COOKIES = [
    "", ";", "=", "==", ";;;;", "=;=;=", "{name}", "{name}=", "{name}=;", "={token}", "{name}={token};{name}={token}",
    "{name}={token}; {name}=x", "{name}=x; {name}={token}", "{name}={token},{name}={token}", '{name}="{token}"',
    "{name}={token}=", "{name}=={token}", "{name} ={token}", "{name}= {token}", "{name}=\xff", "{name}=\x00",
    "{name}=a\r\nb",
    "{name}=%00", "\xa0{name}={token}", "\x85{name}={token}", "{name}\xa0={token}", "$Version=1; {name}={token}",
    "{name}=" + "a" * 1_000_000, "; ".join(f"c{n}={n}" for n in range(600)),
    "; ".join(f"c{n}={n}" for n in range(600)) + "; {name}={token}", "; ".join(["{name}=x"] * 600), "a=b; " * 20_000,
    ";" * 100_000,
    "{name}=" * 1000, "{name}={token}; path=/; HttpOnly", '"{name}"="{token}"', "{name}={token}\x00; a=b",
    "a\xe9=b; {name}=x",
]  # fmt: skip
LENGTHS = [
    "-1",
    "abc",
    "1e3",
    "0x10",
    "1 2",
    "+5",
    "\xb2",
    "\u0661".encode().decode("latin-1"),
    "9" * 5000,
    "",
    " ",
    "1,1",
]
QUERIES = [
    "&", "=", "&&==", "access_token={token}", "refresh_token={token}", "%", "%zz", "%00", "a=%ff", "a" * 100_000,
    "&".join(f"a{n}={n}" for n in range(5000)), "a[]=1&a[b]=2", "\xff", "a=\r\nb", ",".join("a" * 5000), ";" * 1000,
    "limit=1&limit=2", "limit=" + "9" * 5000, "limit=%00", "after=" + "A" * 100_000, "after=%ff", "after=====",
    "except=%00", "except[]=current", "except=current%00", "limit=\xb2", "after=" + "%F0%9F%98%80" * 100,
]  # fmt: skip


def as_usual(credential: str) -> dict[str, Any]:
    """Return the variables of a request with an honest credential."""
    return {"HTTP_AUTHORIZATION": f"Bearer {credential}"} if credential else {}


def with_body(body: bytes, media_type: str) -> dict[str, Any]:
    """Return the variables that announce a body."""
    return {"CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": media_type}


def line_cases() -> Iterator[Request]:
    """Methods, paths and queries."""
    for _, path, credential in ENDPOINTS:
        for method in METHODS:
            yield method, path, b"", as_usual(credential)
    for path in PATHS:
        for method in ("GET", "POST", "DELETE", "OPTIONS", "FOO"):
            yield method, path, b"", as_usual(ACCESS.honest)
    for method, path, credential in ENDPOINTS:
        for query in QUERIES:
            yield method, path, b"", {"QUERY_STRING": query.replace("{token}", credential)}


def header_cases() -> Iterator[Request]:
    """Every header with every nasty value, at every endpoint."""
    for method, path, credential in ENDPOINTS:
        for header in HEADERS:
            for value in NASTY:
                yield method, path, b"", as_usual(credential) | {f"HTTP_{header}": value}
        for length in LENGTHS:
            yield method, path, b"", as_usual(credential) | {"CONTENT_LENGTH": length}
        for media_type in (*NASTY, *MEDIA_TYPES):
            yield method, path, b"{}", as_usual(credential) | with_body(b"{}", media_type)


def credential_cases() -> Iterator[Request]:
    """Malformed and repeated credentials, in the header and in cookies."""
    sites: list[dict[str, Any]] = [
        {},
        {"HTTP_SEC_FETCH_SITE": "same-origin"},
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": ALLOWED_ORIGIN},
    ]
    for method, path, credential in ENDPOINTS:
        for authorization in AUTHORIZATIONS:
            yield method, path, b"", {"HTTP_AUTHORIZATION": authorization.replace("{token}", credential)}
        for cookie in COOKIES:
            for site in sites:
                filled = cookie.replace("{name}", COOKIE).replace("{token}", credential)
                yield method, path, b"", site | {"HTTP_COOKIE": filled}


def body_cases() -> Iterator[Request]:
    """Bodies of every kind, announced as every type, sized and chunked, at every endpoint."""
    for method, path, credential in ENDPOINTS:
        for body in BODIES:
            for media_type in MEDIA_TYPES:
                yield method, path, body, as_usual(credential) | with_body(body, media_type)
            chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": "application/json"}
            yield method, path, body, as_usual(credential) | chunked
            for encoding in ("gzip", "deflate", "br", "x" * 100):
                encoded = with_body(body, "application/json") | {"HTTP_CONTENT_ENCODING": encoding}
                yield method, path, body, as_usual(credential) | encoded


GROUPS = {"lines": line_cases, "headers": header_cases, "credentials": credential_cases, "bodies": body_cases}
