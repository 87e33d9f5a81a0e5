"""Settings for sessions that are bound to a key: by DPoP from their start, or to a key of their browser's device."""

import re
from collections.abc import Iterator

from pydantic import BaseModel

from domain.model.proofs import DeviceBinding
from entrypoints.setting_types import Name

_URL = re.compile(
    r"https://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*"
    r"|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~-]+)*",
    re.ASCII,
)
"""Where clients find the service: with TLS; and, for whoever develops, a name of this machine without."""


class BindingSettings(BaseModel):
    """What may be set about bound sessions. A session that is bound stays so, whatever is switched off later."""

    public_url: Name | None = None
    device_binding: DeviceBinding = DeviceBinding.OFF
    dpop_access_tokens: bool = False

    def public_base(self, issuer: str) -> str | None:
        """Return the URL below which clients find the endpoints: the one that is set, or an issuer that is one."""
        return self.public_url or _as_url(issuer)

    def metadata_base(self, issuer: str) -> str | None:
        """Return the same, if the issuer is a URL itself: clients ask there for the metadata (RFC 8414, section 3)."""
        return None if _as_url(issuer) is None else self.public_base(issuer)

    def binding_problems(self, *, issuer: str, rotation: bool, cookie_path: str) -> Iterator[str]:
        """Yield in words what cannot be, or does not go together."""
        if self.public_url is not None and not _URL.fullmatch(self.public_url):
            yield (
                "NUOVO_PUBLIC_URL must be where clients find Nuovo, such as https://auth.example.org or"
                " https://example.org/auth: https, host in lower case, no / at its end"
            )
        if self.dpop_access_tokens and self.public_base(issuer) is None:
            yield "NUOVO_DPOP_ACCESS_TOKENS needs NUOVO_PUBLIC_URL: a proof names the URL that it is for"
        if self.device_binding is not DeviceBinding.OFF:
            if not rotation:
                yield "NUOVO_DEVICE_BINDING needs NUOVO_ROTATION=true: a session is bound when it rotates"
            if cookie_path != "/":
                yield "NUOVO_DEVICE_BINDING needs NUOVO_COOKIE_PATH=/, or browsers keep the cookie from /dbsc"


def _as_url(issuer: str) -> str | None:
    url = issuer.removesuffix("/")
    return url if _URL.fullmatch(url) else None
