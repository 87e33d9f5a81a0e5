"""Client secrets as django-oauth-toolkit keeps them: in plain text, or hashed as Django hashes passwords."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections import OrderedDict
from threading import Lock

from domain.model.errors import StoreUnavailableError

_HASHED = re.compile(r"([a-z0-9_]+)\$(.+)", re.ASCII)
_PBKDF2 = {"pbkdf2_sha256": "sha256", "pbkdf2_sha1": "sha1"}
_MAX_REMEMBERED = 1024
_SCRYPT_MEMORY = 128 * 1024 * 1024
"""Bytes; Django's own parameters need 16 MiB."""


class DjangoSecrets:
    """Checks secrets, and remembers those that were right: Django's hash takes a good part of a second on purpose."""

    def __init__(self) -> None:
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def check(self, secret: str, stored: str) -> bool:
        """Tell whether `stored` is made of `secret`. Raises `StoreUnavailableError` for a hash that is not known here.

        APPSEC: only a hash of both is remembered, and a secret that was changed in the table is checked anew.
        """
        seen = hashlib.sha256(f"{len(secret)}:{secret}{stored}".encode("utf-8", "surrogatepass")).digest()
        if seen in self._right:
            return True
        if not _is_made_of(secret.encode("utf-8", "surrogatepass"), stored):
            return False
        with self._lock:
            self._right[seen] = None
            if len(self._right) > _MAX_REMEMBERED:
                self._right.popitem(last=False)
        return True


def _is_made_of(secret: bytes, stored: str) -> bool:
    hashed = _HASHED.fullmatch(stored)
    if hashed is None:
        return bool(secret) and hmac.compare_digest(secret, stored.encode("utf-8", "surrogatepass"))
    algorithm, parameters = hashed.groups()
    try:
        if algorithm in _PBKDF2:
            rounds, salt, _ = parameters.split("$")
            digest = hashlib.pbkdf2_hmac(_PBKDF2[algorithm], secret, salt.encode(), int(rounds))
        elif algorithm == "scrypt":
            cost, salt, block, parallel, _ = parameters.split("$")
            digest = hashlib.scrypt(
                secret, salt=salt.encode(), n=int(cost), r=int(block), p=int(parallel), maxmem=_SCRYPT_MEMORY, dklen=64
            )
        else:
            raise StoreUnavailableError(f"a client's secret is hashed by {algorithm}, which cannot be checked here")
    except ValueError:
        raise StoreUnavailableError("a client's secret is hashed in a form that cannot be checked here") from None
    return hmac.compare_digest(b64encode(digest), parameters.rpartition("$")[2].encode())
