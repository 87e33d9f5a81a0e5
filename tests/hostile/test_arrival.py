"""What counts as arrived is enough for gunicorn's parser, whatever a client sends and wherever it stops."""

import socket

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from entrypoints.arrival import Arrival, arrival_of
from entrypoints.gunicorn_worker import _Socket

_LINES = (
    b"Host: x",
    b"Content-Length: 5",
    b"CONTENT-LENGTH: 0",
    b"content-length:  7 ",
    b"Content-Length : 5",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: \xb2",
    b"Transfer-Encoding: chunked",
    b"TRANSFER-ENCODING:chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"X: y\nContent-Length: 5",
    b"Expect: 100-continue",
    b"",
)
_BODY = (
    b"5\r\n", b"0\r\n", b"\r\n", b"hello", b"0000000005\r\n", b"000000000\r\n", b"5;a=b\r\n", b'5 ; a="\\""\r\n',
    b"5;\n\r\n", b"0;a\r\n", b"X: y\r\n", b"-1\r\n", b"0x5\r\n", b"5\r", b"\n", b"fffff\r\n", b"G\r\n",
)  # fmt: skip
requests = st.builds(
    lambda line, headers, body, kept: b"\r\n".join([line, *headers, b"", b"".join(body)])[:kept],
    st.sampled_from([b"POST / HTTP/1.1", b"GET / HTTP/1.0", b"", b"\r\nPOST / HTTP/1.1", b"POST /"]),
    st.lists(st.sampled_from(_LINES), max_size=4),
    st.lists(st.sampled_from(_BODY), max_size=8),
    st.integers(min_value=0, max_value=400),
)


class _WaitedError(Exception):
    """The parser wanted more than had arrived."""


class _Nothing:
    """A client that has said all that it will say."""

    def recv(self, _size: int) -> bytes:
        raise _WaitedError


@settings(max_examples=2_000)
@given(requests)
@example(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0000000005\r\n")
@example(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n000000000\r\nX: y\r\n")
@example(b"\r\n\r\n")
def test_the_parser_never_asks_for_more_than_has_arrived(request_: bytes) -> None:
    if arrival_of(bytearray(request_)) is not Arrival.WHOLE:
        return
    parser = RequestParser(Config(), _Nothing(), ("127.0.0.1", 1))
    parser.unreader.unread(request_)
    try:
        request = next(parser)
        while request.body.read(1024):
            pass
    except (ParseException, StopIteration):
        pass  # refused, which needs no waiting


def test_a_request_that_has_arrived_is_seen() -> None:
    """Otherwise the test above could not fail."""
    assert (
        arrival_of(bytearray(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"))
        is Arrival.WHOLE
    )
    assert arrival_of(bytearray(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello")) is Arrival.WHOLE


def test_nothing_waits_on_a_client_even_if_told_to() -> None:
    here, there = socket.socketpair()
    with there, _Socket(here) as client:
        client.setblocking(True)
        client.settimeout(None)
        with pytest.raises(BlockingIOError):
            client.recv(1)
