"""What a URL says of a cluster, and what is refused."""

import pytest

from infrastructure.redis.address import Address, InvalidRedisUrlError


@pytest.mark.parametrize(
    ("url", "nodes"),
    [
        ("redis://10.0.0.1:6379", (("10.0.0.1", 6379),)),
        ("redis://a.example:7000,b.example:7001/", (("a.example", 7000), ("b.example", 7001))),
        ("redis://[2001:db8::1]:6379,[::1]:65535", (("2001:db8::1", 6379), ("::1", 65535))),
    ],
)
def test_nodes_are_named_by_host_and_port(url: str, nodes: tuple[tuple[str, int], ...]) -> None:
    assert Address.parse(url) == Address(nodes=nodes)


@pytest.mark.parametrize(
    ("login", "options"),
    [
        ("nuovo:s%40c/r:et", {"username": "nuovo", "password": "s@c/r:et"}),
        (":secret", {"password": "secret"}),
        ("", {}),
    ],
)
def test_whoever_logs_in_is_named_before_the_nodes(login: str, options: dict[str, str]) -> None:
    assert Address.parse(f"redis://{login}{'@' if login else ''}h:1").options == options


def test_how_many_replicas_confirm_is_the_operators_choice() -> None:
    assert Address.parse("redis://h:1").replicas == 1
    assert Address.parse("redis://h:1/?replicas=2").replicas == 2


def test_certificates_are_named_for_encrypted_connections() -> None:
    address = Address.parse("rediss://h:1?ca=/etc/ca.pem&cert=/etc/me.pem&key=/etc/me.key&replicas=0")

    assert address.is_encrypted
    assert address.replicas == 0
    assert address.options == {
        "ssl_ca_certs": "/etc/ca.pem",
        "ssl_certfile": "/etc/me.pem",
        "ssl_keyfile": "/etc/me.key",
    }


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://hush",
        "redis://hush:",
        "redis://hush:0",
        "redis://hush:65536",
        "redis://hush:6379,",
        "redis://hush:6379/0",
        "redis://hush:6379 ",
        "redis://hush@h:1",
        "redis://user:@h:1?x=hush",
        "redis://h:1?replicas=-1",
        "redis://h:1?replicas=6",
        "redis://h:1?replicas=hush",
        "redis://h:1?password=hush",
        "redis://h:1?ca=hush",
        "redis://:hush?:@:hush",
    ],
)
def test_what_is_not_understood_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidRedisUrlError) as caught:
        Address.parse(url)

    assert "hush" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "hush" not in repr(Address.parse("redis://:hush@h:1"))
