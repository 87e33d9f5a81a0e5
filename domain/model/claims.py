"""What the application says of a user in access tokens: beside the claims that are this service's own."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from domain.model.errors import InvalidClaimsError

Claims: TypeAlias = Mapping[str, object]
"""JSON values by name."""

MAX_CLAIMS_BYTES = 2048
"""Of the claims that a sign-in gives, as compact JSON in UTF-8."""
MAX_CLAIMS_DEPTH = 16
"""How deep they may be nested, the object itself included."""
MAX_CLAIM_NAME_LENGTH = 128
REGISTERED = frozenset(
    {"iss", "aud", "sub", "type", "sid", "jti", "client_id", "iat", "exp", "nbf", "cnf", "gen", "typ", "session_expiry"}
)
"""Names whose meaning this service and its verifiers rely on: nobody else may give them one."""


def check_claim_name(name: str) -> None:
    """Raise `InvalidClaimsError` unless an application may use `name`."""
    if not 1 <= len(name) <= MAX_CLAIM_NAME_LENGTH or not name.isprintable():
        raise InvalidClaimsError(f"a claim's name has 1 to {MAX_CLAIM_NAME_LENGTH} printable characters")
    if name in REGISTERED:
        raise InvalidClaimsError(f"{name} is a claim that Nuovo itself writes")


def check_claims(claims: Claims) -> None:
    """Raise `InvalidClaimsError` unless a session may be started with `claims`."""
    for name in claims:
        check_claim_name(name)
    if _is_deeper_than(MAX_CLAIMS_DEPTH, claims):
        raise InvalidClaimsError(f"claims are nested more than {MAX_CLAIMS_DEPTH} deep")
    try:
        size = len(json.dumps(claims, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except (ValueError, TypeError):
        raise InvalidClaimsError("claims must be JSON values") from None
    if size > MAX_CLAIMS_BYTES:
        raise InvalidClaimsError(f"claims have {size} bytes; at most {MAX_CLAIMS_BYTES} are kept")


def _is_deeper_than(limit: int, claims: Claims) -> bool:
    level: list[object] = [claims]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
    return any(isinstance(value, Mapping | list) for value in level)
