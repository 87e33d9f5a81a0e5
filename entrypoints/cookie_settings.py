"""Settings of the cookie that carries a refresh token."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_COOKIE_PATH = re.compile(r"/[\x21-\x3a\x3c-\x7e]*", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9.-]+", re.ASCII)


class CookieSettings(BaseModel):
    """The cookie's name and attributes (RFC 6265bis)."""

    cookie_name: str = "__Host-refresh_token"
    cookie_path: str = "/"
    cookie_domain: str | None = None
    cookie_same_site: Literal["Strict", "Lax", "None"] = "Strict"

    def cookie_problems(self) -> Iterator[str]:
        """Yield in words what browsers would refuse."""
        name, path, domain = self.cookie_name, self.cookie_path, self.cookie_domain
        if not _COOKIE_NAME.fullmatch(name):
            yield "NUOVO_COOKIE_NAME must be letters, digits, _ and -"
        if not _COOKIE_PATH.fullmatch(path):
            yield "NUOVO_COOKIE_PATH must begin with / and hold neither spaces nor ;"
        if domain is not None and not _DOMAIN.fullmatch(domain):
            yield "NUOVO_COOKIE_DOMAIN must be a host name such as example.org"
        if name.startswith("__Host-") and (domain is not None or path != "/"):
            yield (
                "NUOVO_COOKIE_NAME begins with __Host-, so browsers refuse it unless NUOVO_COOKIE_PATH is /"
                " and NUOVO_COOKIE_DOMAIN is not set; set another NUOVO_COOKIE_NAME"
            )
