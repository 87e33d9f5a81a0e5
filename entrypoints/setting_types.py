"""What a setting can be beside a plain text or number, and how each is written."""

import re
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from domain.model.claims import check_claim_name
from domain.model.errors import InvalidClaimsError

_SPAN = re.compile(r"(-?[0-9]+) ?([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CREDENTIAL = re.compile(r"(?:[A-Za-z0-9_-]{1,32}:)?[^:]+", re.ASCII)
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.ASCII | re.DOTALL)
_SECRET_PART = re.compile(r"(?<=://).*[?].*@.*|(?<=://)[^?]*(?=@)|[?].*|^(?!\w+://).*", re.ASCII | re.DOTALL)
"""What must not be shown of a database URL: who logs in, libpq's parameters, and all of it where these may be mixed."""


def comma_separated(value: Any) -> Any:
    """Return the parts of a text; what is none is left to pydantic."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not (span := _SPAN.fullmatch(value.strip())):
        raise ValueError("must be whole seconds, or a number with a unit: 30s, 15m, 2h, 14d")
    return int(span[1]) * _SECONDS[span[2]]


def _pem_blocks(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # What is between the blocks would be a key that somebody thinks is in use.
    if _PEM_BLOCK.sub("", value).strip():
        raise ValueError("must be PEM blocks alone (-----BEGIN PUBLIC KEY-----), one after the other")
    return [block[0] for block in _PEM_BLOCK.finditer(value)]


def _claim_columns(value: Any) -> Any:
    """Return columns and what access tokens call them, of `column` and `column:claim` separated by commas."""
    if not isinstance(value, str):
        return value
    pairs = []
    for entry in comma_separated(value):
        column, colon, claim = entry.partition(":")
        if not column or (colon and not claim):
            raise ValueError("each entry must be column or column:claim")
        try:
            check_claim_name(claim or column)
        except InvalidClaimsError as error:
            raise ValueError(str(error)) from None
        pairs.append((column, claim or column))
    claims = [claim for _, claim in pairs]
    for claim in claims:
        if claims.count(claim) > 1:
            raise ValueError(f"claim {claim} stands twice")
    return pairs


def _credentials(value: Any) -> Any:
    """Return credentials, each a secret or `name:secret`. Which part is which is never a guess."""
    entries = comma_separated(value)
    if isinstance(value, str) and not all(map(_CREDENTIAL.fullmatch, entries)):
        raise ValueError("each must be secret or name:secret; names are letters, digits, _ and -, secrets hold no :")
    return entries


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(comma_separated)]
SecretList = Annotated[list[SecretStr], NoDecode, BeforeValidator(comma_separated)]
Credentials = Annotated[list[SecretStr], NoDecode, BeforeValidator(_credentials)]
PemBlocks = Annotated[list[str], NoDecode, BeforeValidator(_pem_blocks)]
ClaimColumns = Annotated[list[tuple[str, str]], NoDecode, BeforeValidator(_claim_columns)]
Proxy = Annotated[str, AfterValidator(lambda text: text if text == "unix" else str(ip_network(text)))]
Proxies = Annotated[list[Proxy], NoDecode, BeforeValidator(comma_separated)]
Span = Annotated[int, BeforeValidator(_seconds)]
Name = Annotated[str, Field(min_length=1, max_length=255)]


def as_text(field: str, value: Any) -> str:
    """Return a setting's value as an operator may see it: secrets and database passwords are hidden."""
    if isinstance(value, list):
        if value and isinstance(value[0], SecretStr):
            return f"{len(value)} hidden"
        if field == "access_token_verification_keys":
            return f"{len(value)} given" if value else ""
        return ", ".join(":".join(dict.fromkeys(item)) if isinstance(item, tuple) else item for item in value)
    if isinstance(value, SecretStr):
        return _SECRET_PART.sub("…", value.get_secret_value()) if field.endswith("database_url") else "…"
    return "" if value is None else str(value)
