"""Headers that ask the reader to choose an algorithm, a key or an extension, as an attacker writes them."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from tests.hostile.forge import (
    PREVIOUS_SECRET,
    SECRET,
    STRANGERS_SECRET,
    Kind,
    as_json,
    part,
    signature,
    signed,
    thumbprint,
)
from tests.hostile.public_keys import public_keys

Named = tuple[str, str]

NONES: list[Any] = [
    "none", "None", "NONE", "nOnE", "noNe", "NonE", " none", "none ", "none\x00", "none\n", "n\u043ene", "\uff4eone",
    "", " ", "null", "false", None, False, 0, [], ["none"], {}, {"alg": "none"},
]  # fmt: skip
OTHER_ALGORITHMS: list[Any] = [
    "HS384", "HS512", "HS1", "HS", "hs256", "HS256 ", "RS256", "RS384", "RS512", "RS1", "PS256", "ES256", "ES384",
    "ES512", "ES256K", "EdDSA", "Ed25519", "dir", "A256GCMKW", "RSA-OAEP", "RSA1_5", "PBES2-HS256+A128KW", "alg",
    256, True, ["HS256"], ["HS256", "none"], {"HS256": 1}, "x" * 2000,
]  # fmt: skip
KEY_IDS: list[Any] = [
    "", " ", "0", "1", None, 0, True, [], {}, ["a"], "/dev/null", "../../../../../../dev/null", "file:///dev/null",
    "../../etc/passwd", "..\\..\\win.ini", "' OR '1'='1", "' UNION SELECT '' --", "x'; DROP TABLE nuovo_sessions; --",
    "| id", "$(id)", "`id`", "; sleep 10", "${jndi:ldap://127.0.0.1/a}", "http://127.0.0.1/key", "a\nb", "a\r\nb: c",
    "\x00", "../" * 300, "{{7*7}}", "%00", "\ud83d\ude00", "*", "default", "primary",
]  # fmt: skip
TYPES: list[Any] = [
    "JWT", "jwt", "JOSE", "JOSE+JSON", "", None, 1, ["rt+jwt"], "RT+JWT", "AT+JWT", "application/rt+jwt",
    "application/at+jwt", "rt+jwt ", "logout+jwt", "secevent+jwt", "id_token",
]  # fmt: skip
EXTENSIONS: list[dict[str, Any]] = [
    {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"crit": 5}, {"crit": [1]}, {"crit": None},
    {"crit": "exp"}, {"crit": ["alg"]}, {"crit": ["http://example.org/unknown"], "http://example.org/unknown": 1},
    {"crit": {"exp": 1}}, {"crit": [["exp"]]}, {"crit": ["exp"] * 100}, {"b64": False}, {"b64": True}, {"b64": 0},
    {"zip": "DEF"}, {"zip": "GZIP"}, {"zip": 1}, {"cty": "JWT"}, {"cty": "jwt"}, {"enc": "A256GCM"}, {"p2c": 2**31},
    {"epk": {"kty": "EC"}}, {"iv": "AAAA"}, {"nonce": "x"}, {"url": "http://127.0.0.1/"}, {"ppt": "shaken"},
    {"svt": []}, {"exp": 0}, {"iss": "x", "aud": "y"}, {"": ""}, {"x" * 100: "y" * 1000},
]  # fmt: skip


def with_header(kind: Kind, fields: Any, how: str) -> str:
    """Return the honest claims under another header; `how` says who signs, if anybody."""
    message = (
        f"{part(fields if isinstance(fields, str | bytes | dict) else as_json(fields))}.{part(as_json(kind.claims))}"
    )
    ends = {
        "unsigned": "",
        "signed by the ring": signature(message),
        "signed by a stranger": signature(message, STRANGERS_SECRET),
        "signed with nothing": signature(message, b""),
        "with the honest signature": kind.honest.rsplit(".", 1)[1],
    }
    return f"{message}.{ends[how]}"


def algorithm_cases(kind: Kind) -> Iterator[Named]:
    """No algorithm, and others than the service's."""
    for alg in NONES:
        for how in ("unsigned", "signed by the ring", "with the honest signature"):
            yield f"alg {alg!r} {how}", with_header(kind, kind.header_fields | {"alg": alg}, how)
    for alg in ("none", "HS256"):
        yield f"alg {alg} alone unsigned", with_header(kind, {"alg": alg}, "unsigned")
        yield f"alg {alg} alone, signed", with_header(kind, {"alg": alg}, "signed by the ring")
    yield "no alg", with_header(kind, {"kid": thumbprint(SECRET), "typ": kind.typ}, "signed by the ring")
    for alg in OTHER_ALGORITHMS:
        yield f"alg {str(alg)[:20]}", with_header(kind, kind.header_fields | {"alg": alg}, "signed by the ring")
    for alg, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        header = part(kind.header_fields | {"alg": alg})
        yield f"{alg} done right", signed(header, part(as_json(kind.claims)), digest=digest)
        yield f"{alg} under the honest header", signed(kind.header, part(as_json(kind.claims)), digest=digest)
    for alg, size in (("ES256", 64), ("ES384", 96), ("Ed25519", 64), ("RS256", 256)):
        message = f"{part(kind.header_fields | {'alg': alg})}.{part(as_json(kind.claims))}"
        yield f"{alg} of zeros", f"{message}.{part(bytes(size))}"


def key_cases(kind: Kind) -> Iterator[Named]:
    """Keys that the token brings, points to, or that everybody knows."""
    jwk = {"kty": "oct", "k": part(STRANGERS_SECRET)}
    url = "http://127.0.0.1:9/keys"
    for name, value in (
        ("jwk", jwk),
        ("jwk", jwk | {"alg": "HS256", "use": "sig", "kid": thumbprint(STRANGERS_SECRET)}),
        ("jwk", {"kty": "oct", "k": ""}),
        ("jwk", {"kty": "RSA", "n": "AQ", "e": "AQ"}),
        ("jwk", {"kty": "EC", "crv": "P-256", "x": part(bytes(32)), "y": part(bytes(32))}),
        ("jwk", as_json(jwk)),
        ("jwk", []),
        ("jwks", {"keys": [jwk]}),
        ("jku", url),
        ("jku", "file:///dev/null"),
        ("jku", "http://127.0.0.1:9/\r\nX: y"),
        ("jku", [url]),
        ("x5u", url),
        ("x5u", "ldap://127.0.0.1:9/"),
        ("x5c", ["MIIB"]),
        ("x5c", [part(STRANGERS_SECRET)]),
        ("x5c", []),
        ("x5c", "MIIB" * 300),
        ("x5t", part(bytes(20))),
        ("x5t#S256", part(bytes(32))),
    ):
        for how in ("signed by a stranger", "signed by the ring"):
            yield f"{name} {str(value)[:30]} {how}", with_header(kind, kind.header_fields | {name: value}, how)
    for kid in KEY_IDS:
        for how in ("signed with nothing", "signed by the ring"):
            yield f"kid {str(kid)[:24]!r} {how}", with_header(kind, kind.header_fields | {"kid": kid}, how)
    without_kid = {"alg": "HS256", "typ": kind.typ}
    yield "no kid", with_header(kind, without_kid, "signed by the ring")
    strangers = kind.header_fields | {"kid": thumbprint(STRANGERS_SECRET)}
    yield "a stranger's kid and signature", with_header(kind, strangers, "signed by a stranger")
    previous = kind.header_fields | {"kid": thumbprint(PREVIOUS_SECRET)}
    yield "a previous key's kid, the signing key's signature", with_header(kind, previous, "signed by the ring")
    payload = part(as_json(kind.claims))
    yield "the signing key's kid, a previous key's signature", signed(kind.header, payload, PREVIOUS_SECRET)
    for name, key in public_keys().items():
        yield f"{name} as a secret", signed(kind.header, payload, key)
        for alg in ("HS256", "RS256"):
            yield f"{name} as a secret, {alg} alone", signed(part({"alg": alg, "typ": "JWT"}), payload, key)
    for name, key in (("empty", b""), ("zero", bytes(32)), ("kid", thumbprint(SECRET).encode()), ("b", b"secret")):
        yield f"{name} as a secret", signed(kind.header, payload, key)


def extension_cases(kind: Kind) -> Iterator[Named]:
    """Other types, extensions, and the same header written otherwise."""
    for typ in TYPES:
        yield f"typ {typ!r}", with_header(kind, kind.header_fields | {"typ": typ}, "signed by the ring")
    yield "no typ", with_header(kind, {"alg": "HS256", "kid": thumbprint(SECRET)}, "signed by the ring")
    for extension in EXTENSIONS:
        name = f"extension {as_json(extension)[:40]}"
        yield name, with_header(kind, kind.header_fields | extension, "signed by the ring")
    plain = as_json(kind.claims)
    unencoded = part(kind.header_fields | {"b64": False, "crit": ["b64"]})
    yield "b64 false, payload in the clear", signed(unencoded, plain)
    yield "payload in the clear under the honest header", signed(kind.header, plain)
    yield "detached payload", signed(kind.header, part(plain)).replace(part(plain), "")
    compressed = part(zlib.compress(plain.encode(), wbits=-15))
    yield "zip DEF done right", signed(part(kind.header_fields | {"zip": "DEF"}), compressed)
    yield "compressed under the honest header", signed(kind.header, compressed)
    bomb = part(zlib.compress(b" " * 1_000_000 + plain.encode(), wbits=-15))
    yield "zip DEF, a bomb", signed(part(kind.header_fields | {"zip": "DEF"}), bomb)
    text = as_json(kind.header_fields)
    yield "header in another order", with_header(kind, dict(reversed(kind.header_fields.items())), "signed by the ring")
    for name, spelled in (
        ("with white space", json.dumps(kind.header_fields)),
        ("after white space", " " + text),
        ("before a line break", text + "\n"),
        ("with an escape", text.replace("HS256", "HS25\\u0036")),
        ("with alg twice, none first", text.replace('{"alg"', '{"alg":"none","alg"')),
        ("with alg twice, none last", text[:-1] + ',"alg":"none"}'),
        ("with kid twice", text[:-1] + ',"kid":"/dev/null"}'),
        ("with a comma too many", text[:-1] + ",}"),
        ("with a comment", "/**/" + text),
        ("in a list", f"[{text}]"),
        ("as a string", json.dumps(text)),
        ("as a number", "1"),
        ("null", "null"),
        ("empty", ""),
        ("{}", "{}"),
        ("broken off", text[:-1]),
        ("with a BOM", "\ufeff" + text),
        ("nested deeply", "[" * 1400),
        ("of nested objects", '{"a":' * 400 + "1" + "}" * 400),
        ("with a lone surrogate", text.replace("HS256", "\ud800")),
        ("with NUL", text.replace("HS256", "HS256\x00")),
    ):
        for how in ("signed by the ring", "unsigned"):
            yield f"header {name} {how}", with_header(kind, spelled, how)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7"):
        yield f"header in {encoding}", with_header(kind, text.encode(encoding), "signed by the ring")
    yield "header is no UTF-8", with_header(kind, b"\xff\xfe\x00", "signed by the ring")
