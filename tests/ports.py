"""Ports of the loopback interface for servers that tests start."""

import socket
from collections import deque

_KEPT = 256
_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port that nobody else is given while the latest ones are remembered.

    A socket that is bound and does not listen keeps the port: the system then gives it to no other test's server and
    to no outgoing connection. A server that allows the reuse of addresses, as all do, may still listen there, and may
    be killed and come back.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    _reserved.append(reservation)
    if len(_reserved) > _KEPT:
        _reserved.popleft().close()
    return int(reservation.getsockname()[1])
