"""The sockets that gunicorn listens at."""

import socket
import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

_CLIENT_TIMEOUT = 10
"""Seconds that a worker waits for the next bytes of a client, or for one to take the next bytes of an answer."""


def bound_waits(listeners: Iterable[Any]) -> None:
    """Limit what a client without a proxy in front can make a worker wait: accepted connections inherit it.

    Where the kernel can, a connection is not even accepted before its first byte: browsers open some in advance.
    """
    wait = struct.pack("ll", _CLIENT_TIMEOUT, 0)
    for listener in listeners:
        if listener.FAMILY == socket.AF_UNIX:
            continue
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _CLIENT_TIMEOUT)


def warn_if_public(listeners: Iterable[Any], log: Any) -> None:
    """Say once that a proxy belongs in front, if other machines may reach a listener."""
    public = [
        str(listener)
        for listener in listeners
        if listener.FAMILY != socket.AF_UNIX and not ip_address(listener.sock.getsockname()[0]).is_loopback
    ]
    if public:
        log.warning(
            "Other machines may reach %s: put a proxy with TLS in front, see docs/how-to/reverse-proxy.md",
            ", ".join(public),
        )
