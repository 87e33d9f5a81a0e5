"""Where a Redis Cluster is, as a URL says it."""

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote

Node: TypeAlias = tuple[str, int]
"""Host and port."""

SCHEMES = ("redis", "rediss")
_MAX_REPLICAS = 5
_NODE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})", re.ASCII)
_TLS_FILES = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}


class InvalidRedisUrlError(ValueError):
    """A URL that names no cluster. The message continues a sentence that begins with the setting's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Nodes to ask first, how to log in, and how many replicas must confirm what is written."""

    nodes: tuple[Node, ...]
    replicas: int = 1
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """What redis-py's connections are opened with: TLS, user name and password."""
    is_encrypted: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the address in `redis://user:password@host:port,host:port?replicas=1`.

        `rediss` encrypts, and takes the paths `ca`, `cert` and `key`. What is not understood is refused, in words that
        hold no part of the URL: `InvalidRedisUrlError`.
        """
        scheme, _, rest = url.partition("://")
        rest, _, query = rest.partition("?")
        login, _, hosts = rest.rpartition("@")
        is_encrypted = scheme == "rediss"
        replicas, files = _read_query(query, is_encrypted=is_encrypted)
        return cls(
            nodes=tuple(_read_node(node) for node in hosts.removesuffix("/").split(",")),
            replicas=replicas,
            options=_read_login(login) | files,
            is_encrypted=is_encrypted,
        )


def _read_node(text: str) -> Node:
    match = _NODE.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 2**16:
        raise InvalidRedisUrlError("must name nodes as in redis://10.0.0.1:6379,10.0.0.2:6379")
    return match[1].strip("[]"), int(match[2])


def _read_login(text: str) -> dict[str, Any]:
    user, separator, password = text.partition(":")
    if text and not (separator and password):
        raise InvalidRedisUrlError("must name a password with the user, as in redis://user:password@host:6379")
    named = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in named.items() if value}


def _read_query(query: str, *, is_encrypted: bool) -> tuple[int, dict[str, Any]]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    replicas = given.pop("replicas", "1")
    if not replicas.isdecimal() or int(replicas) > _MAX_REPLICAS:
        raise InvalidRedisUrlError(f"must have a number from 0 to {_MAX_REPLICAS} for replicas")
    files = {option: given.pop(name) for name, option in _TLS_FILES.items() if name in given}
    if files and not is_encrypted:
        raise InvalidRedisUrlError("names certificates, but only rediss:// encrypts")
    if given:
        raise InvalidRedisUrlError("may have after the ? only replicas, and for rediss:// ca, cert and key")
    return int(replicas), files
