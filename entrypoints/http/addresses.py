"""Whose request it is, as far as that can be known, for the log."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

import falcon

UNIX = "unix"
"""Names whoever connects by a Unix socket: its file's permissions say who that can be."""
_CACHE_SIZE = 1024


class ClientAddresses:
    """Finds the address of the client behind the proxies that are trusted.

    `X-Forwarded-For` is what a client likes to say, until a proxy appends whom it was connected by. So it is read from
    its right end, and only as far as proxies of one's own have written it.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        """Take addresses and networks of the proxies, or `UNIX` for a proxy that connects by a Unix socket."""
        names = set(trusted)
        self._trusts_unix = UNIX in names
        self._networks = [ip_network(name) for name in names - {UNIX}]
        self._is_trusted = lru_cache(_CACHE_SIZE)(self._is_of_a_network)

    def of(self, req: falcon.Request) -> str | None:
        """Return the address as text that holds nothing else, or `None` if a Unix socket leaves it unknown."""
        address = _canonical(req.env.get("REMOTE_ADDR", ""))
        if not (self._trusts_unix if address is None else self._networks and self._is_trusted(address)):
            return address
        # APPSEC: from the right, and no further than the first that no proxy of ours is known to have.
        for hop in reversed(req.env.get("HTTP_X_FORWARDED_FOR", "").split(",")):
            forwarded = _canonical(hop.strip())
            if forwarded is None:
                break
            address = forwarded
            if not self._is_trusted(address):
                break
        return address

    def _is_of_a_network(self, text: str) -> bool:
        address = ip_address(text)
        return any(address in network for network in self._networks)


@lru_cache(_CACHE_SIZE)
def _canonical(text: str) -> str | None:
    """Return the one spelling of the address in `text`, which may have a port and be IPv4 in the form of IPv6.

    `None` if there is none.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
