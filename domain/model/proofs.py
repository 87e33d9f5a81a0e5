"""What a request proves beside its token: that its sender holds the private key to which a session is bound."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def is_thumbprint(value: object) -> TypeGuard[str]:
    """Tell whether `value` is of the form of a key's thumbprint: SHA-256 in base64url (RFC 7638)."""
    return type(value) is str and _THUMBPRINT.fullmatch(value) is not None


class DeviceBinding(StrEnum):
    """Whether sessions that were not bound to a key at their start are bound to a key of their device."""

    OFF = "off"
    """None is. Those that are bound stay so."""
    OFFER = "offer"
    """Those whose browser takes the offer."""
    REQUIRE = "require"
    """All: one that is still unbound after its first rotation is served no more until it is bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSession:
    """A key that a browser has made for one session, under the identifier by which the browser names it.

    `is_vouched` if this service is known to have given that identifier, and not merely anybody.
    """

    identifier: str
    session_id: str
    thumbprint: str
    is_vouched: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a browser shows for some minutes after it has proven its key, and the seconds for which it does."""

    text: str
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenKey:
    """A key that the sender of a request holds, by its thumbprint (RFC 7638).

    `session_id` names the one session for which the key was proven: such a proof may bind that session. A proof that
    names none (DPoP, RFC 9449) serves whichever session is bound to the key, and binds nothing.
    """

    thumbprint: str
    session_id: str | None = None


def key_for(session_id: str, proven: ProvenKey | None) -> str | None:
    """Return the thumbprint of the key that was proven for a session, or for any; `None` if none was."""
    if proven is None or proven.session_id not in (None, session_id):
        return None
    return proven.thumbprint


def key_to_bind(session_id: str, proven: ProvenKey | None) -> str | None:
    """Return the thumbprint of the key that was proven for this very session, and so may be bound to it."""
    return None if proven is None or proven.session_id != session_id else proven.thumbprint
