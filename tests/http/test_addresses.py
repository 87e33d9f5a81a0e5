"""Whose address the log gets: what a proxy of ours says of its peer, and nothing that a client says of itself."""

import falcon
import pytest
from falcon.testing import create_environ

from entrypoints.http.addresses import ClientAddresses

CLIENT, PROXY, OUTER = "203.0.113.9", "10.0.0.1", "10.0.0.2"
TRUSTED = ["10.0.0.0/24", "2001:db8::/32"]


def address_of(peer: str, forwarded: str | None, trusted: list[str]) -> str | None:
    environ = create_environ(headers={} if forwarded is None else {"X-Forwarded-For": forwarded})
    environ["REMOTE_ADDR"] = peer
    return ClientAddresses(trusted).of(falcon.Request(environ))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, "198.51.100.7", CLIENT),  # whoever is not a proxy of ours speaks for nobody
        (PROXY, None, PROXY),
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"198.51.100.7, {CLIENT}", CLIENT),  # the client said the first, our proxy the second
        (PROXY, f"198.51.100.7,{CLIENT} , {OUTER}", CLIENT),
        (PROXY, f"{CLIENT}, 198.51.100.7", "198.51.100.7"),
        (PROXY, OUTER, OUTER),  # a client of our own network
        (PROXY, "", PROXY),
        (PROXY, "unknown", PROXY),
        (PROXY, f"{CLIENT}, evil\nline", PROXY),
        (PROXY, f"{CLIENT}, <script>, {OUTER}", OUTER),  # nothing beyond what cannot be read
        (PROXY, f"{CLIENT}:4711", CLIENT),
        (PROXY, "[2001:db9::7]:4711", "2001:db9::7"),
        (PROXY, "2001:db9::7", "2001:db9::7"),
        ("2001:db8::1", CLIENT, CLIENT),
        ("::ffff:10.0.0.1", f"::ffff:{CLIENT}", CLIENT),  # IPv4 on a socket of IPv6
        (f"{PROXY}", ", ".join(["198.51.100.7"] * 500 + [CLIENT]), CLIENT),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy_of_ours(peer: str, forwarded: str | None, address: str) -> None:
    assert address_of(peer, forwarded, TRUSTED) == address


@pytest.mark.parametrize("peer", [CLIENT, PROXY, "127.0.0.1"])
def test_without_trusted_proxies_the_peer_counts_alone(peer: str) -> None:
    assert address_of(peer, "198.51.100.7", []) == peer


@pytest.mark.parametrize(("trusted", "address"), [(["unix"], CLIENT), (["10.0.0.0/8"], None), ([], None)])
def test_a_unix_socket_has_no_address(trusted: list[str], address: str | None) -> None:
    """Who connects by one is believed if that is said."""
    assert address_of("", CLIENT, trusted) == address


def test_a_unix_socket_alone_trusts_no_network() -> None:
    assert address_of(PROXY, CLIENT, ["unix"]) == PROXY
    assert address_of("", f"198.51.100.7, {PROXY}", ["unix"]) == PROXY
