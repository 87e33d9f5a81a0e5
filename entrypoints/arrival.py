"""How much of a request has arrived, told from its bytes without reading more of it than is needed for that.

It decides nothing: gunicorn's parser reads the request. What looks complete here is, or the parser refuses it.
"""

import re
from enum import Enum

_MAX_AWAITED_BODY = 16 * 1024
"""A body beyond this is not waited for: the application refuses it unread."""

_HAS_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n|$)", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]+)[ \t]*(?:;[^\r\n]*)?\r\n", re.IGNORECASE)


class Arrival(Enum):
    """What can be done with what has arrived of a request."""

    PARTIAL = "wait for more"
    WHOLE = "it can be answered without waiting"
    UNREAD = "it can be refused by its announced size, and must not be read"
    TOO_LARGE = "more than is waited for, and no size was announced"


def arrival_of(arrived: bytearray) -> Arrival:
    """Tell what can be done with what has arrived."""
    end = arrived.find(b"\r\n\r\n")
    if end < 0:
        return Arrival.PARTIAL
    # Names of headers are looked for in any case, as the parser reads them.
    if not _HAS_BODY.search(arrived, 0, end):
        return Arrival.WHOLE  # the common request
    head, body_begin = bytes(arrived[:end]), end + 4
    if _TRANSFER_ENCODING.search(head):
        if _has_last_chunk(arrived, body_begin):
            return Arrival.WHOLE
        return Arrival.TOO_LARGE if len(arrived) - body_begin >= _MAX_AWAITED_BODY else Arrival.PARTIAL
    length = _CONTENT_LENGTH.search(head)
    if length is None or len(arrived) - body_begin >= int(length[1]):
        return Arrival.WHOLE
    return Arrival.UNREAD if int(length[1]) > _MAX_AWAITED_BODY else Arrival.PARTIAL


def _has_last_chunk(arrived: bytearray, begin: int) -> bool:
    """Tell whether a chunked body is there to its end, or to what the parser refuses.

    It is walked chunk by chunk: what looks like the last one may be the inside of another.
    """
    while (line_end := arrived.find(b"\r\n", begin)) >= 0:
        size = _CHUNK_SIZE.match(arrived, begin)
        if size is None:
            return True
        if int(size[1], 16) == 0:
            return arrived.find(b"\r\n\r\n", line_end) >= 0
        begin = line_end + 2 + int(size[1], 16) + 2
    return False
