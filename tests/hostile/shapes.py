"""An honest token, bent: parts, alphabets, encodings, signatures and sizes that are not the service's."""

import json
from base64 import b16encode, b32encode, b64encode, b85encode
from collections.abc import Iterator

from tests.hostile.forge import SECRET, STRANGERS_SECRET, Kind, as_json, part, signature, signed
from tests.hostile.headers import Named

_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BLANKS = [" ", "\t", "\n", "\r", "\r\n", "\x0b", "\x0c", "\x00", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\u3000"]
FOREIGN = [
    "=",
    "+",
    "/",
    "*",
    "~",
    "%2E",
    '"',
    "'",
    "\\",
    ",",
    ";",
    ":",
    "\u200b",
    "\ufeff",
    "\u202e",
    "\u0130",
    "\uff0e",
]
MEGABYTE = 1_000_000


def respelled(text: str) -> Iterator[str]:
    """Yield the other texts that a careless decoder takes for the same bytes: trailing bits that should be 0."""
    spare = {2: 16, 3: 4}.get(len(text) % 4, 1)
    last = _BASE64URL.index(text[-1])
    assert last % spare == 0
    yield from (text[:-1] + _BASE64URL[last + bits] for bits in range(1, spare))


def part_cases(kind: Kind) -> Iterator[Named]:
    """Wrong numbers of parts, and parts that are empty or exchanged."""
    header, payload, end = kind.honest.split(".")
    for text in (
        "",
        ".",
        "..",
        "...",
        "....",
        "a",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "null",
        "undefined",
        "Bearer",
        "[object Object]",
    ):
        yield f"only {text!r}", text
    for name, text in (
        ("header alone", header),
        ("without a signature", f"{header}.{payload}"),
        ("with an empty signature", f"{header}.{payload}."),
        ("with an empty payload", signed(header, "")),
        ("without a payload", f"{header}..{end}"),
        ("without a header", f".{payload}.{end}"),
        ("with a fourth part", f"{kind.honest}.{end}"),
        ("with an empty fourth part", f"{kind.honest}."),
        ("behind a dot", f".{kind.honest}"),
        ("twice", f"{kind.honest}.{kind.honest}"),
        ("twice with a comma", f"{kind.honest},{kind.honest}"),
        ("twice with a space", f"{kind.honest} {kind.honest}"),
        ("with parts exchanged", f"{payload}.{header}.{end}"),
        ("backwards", kind.honest[::-1]),
        ("in quotes", f'"{kind.honest}"'),
        ("behind its scheme", f"Bearer {kind.honest}"),
        (
            "encrypted, five parts",
            f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..{part(bytes(12))}.{payload}.{part(bytes(16))}",
        ),
        ("nested", kind.with_payload(kind.honest)),
        ("nested as a string", kind.with_payload(json.dumps(kind.honest))),
        ("JSON serialization", as_json({"payload": payload, "protected": header, "signature": end})),
        ("general JSON", as_json({"payload": payload, "signatures": [{"protected": header, "signature": end}]})),
        ("upper case", kind.honest.upper()),
        ("lower case", kind.honest.lower()),
        ("URL-encoded", kind.honest.replace(".", "%2E")),
    ):
        yield name, text


def alphabet_cases(kind: Kind) -> Iterator[Named]:
    """Characters, encodings and spellings that decode to what an honest token decodes to, or nearly."""
    header, payload, end = kind.honest.split(".")
    for char in (*BLANKS, *FOREIGN):
        name = ascii(char)
        yield f"{name} at the beginning", char + kind.honest
        yield f"{name} at the end", kind.honest + char
        yield f"{name} in the header", f"{header[:5]}{char}{header[5:]}.{payload}.{end}"
        yield f"{name} in the payload, signed", signed(header, payload[:5] + char + payload[5:])
        yield f"{name} in the signature", f"{header}.{payload}.{end[:5]}{char}{end[5:]}"
        yield f"{name} before a dot", f"{header}{char}.{payload}.{end}"
    for pad in ("=", "==", "==="):
        yield f"header padded {pad}", f"{header}{pad}.{payload}.{end}"
        yield f"payload padded {pad}, signed", signed(header, payload + pad)
        yield f"signature padded {pad}", f"{kind.honest}{pad}"
    # Blanks after a JSON payload shift its length, so that each remainder of its base64 length is met.
    for blanks in range(3):
        text = part(as_json(kind.claims | {"x": "x" * blanks}))
        for other in respelled(text):
            yield f"trailing bits of the payload {other[-1]} ({len(text) % 4}), signed", signed(header, other)
    for other in respelled(end):
        yield f"trailing bits of the signature {other[-1]}", f"{header}.{payload}.{other}"
    for other in respelled(header):
        yield f"trailing bits of the header {other[-1]}, signed", signed(other, payload)
    slashes = as_json(kind.claims | {"x": "???>>>\u00ff\u00fe"}).encode()
    assert {"-", "_"} & set(part(slashes))
    yield "standard alphabet, signed", signed(header, b64encode(slashes).decode().rstrip("="))
    for name, encode in (("base16", b16encode), ("base32", b32encode), ("base85", b85encode)):
        yield f"{name} payload, signed", signed(header, encode(as_json(kind.claims).encode()).decode())
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp037"):
        yield f"whole token in {encoding}", kind.honest.encode(encoding).decode("latin-1")
    wide = "".join(chr(ord(char) + 0xFEE0) for char in kind.honest)
    yield "full-width letters", wide
    yield "look-alike letters", kind.honest.replace("e", "\u0435").replace("a", "\u0430")
    yield "a lone surrogate", kind.honest + "\ud800"
    yield "only a lone surrogate", "\udfff"
    yield "surrogates throughout", ".".join(["\ud800\udc00" * 20] * 3)


def signature_cases(kind: Kind) -> Iterator[Named]:
    """Signatures that are missing, foreign, cut or stretched."""
    header, payload, end = kind.honest.split(".")
    message = f"{header}.{payload}"
    for length in (1, 2, 10, 21, 22, 32, 40, 41, 42):
        yield f"signature cut to {length}", f"{message}.{end[:length]}"
    for name, text in (
        ("a stranger's", signature(message, STRANGERS_SECRET)),
        ("an empty key's", signature(message, b"")),
        ("the secret in base64", signature(message, part(SECRET))),
        ("of other claims", kind.saying(sub="bob").split(".")[2]),
        ("of the payload alone", signature(payload)),
        ("of the header alone", signature(header)),
        ("of nothing", signature("")),
        ("zeros", part(bytes(32))),
        ("ones", part(b"\xff" * 32)),
        ("doubled", end + end),
        ("with a byte more", part(bytes(33))),
        ("of HS512", signature(message, digest="sha512")),
        ("of HS512, cut", signature(message, digest="sha512")[:43]),
        ("of SHA-1", signature(message, digest="sha1")),
        ("of MD5", signature(message, digest="md5")),
        ("the payload", payload),
        ("one bit off", end[:20] + _BASE64URL[_BASE64URL.index(end[20]) ^ 1] + end[21:]),
        ("first bit off", _BASE64URL[_BASE64URL.index(end[0]) ^ 32] + end[1:]),
        ("in hexadecimal", "".join(f"{ord(char):x}" for char in end)),
    ):
        yield f"signature {name}", f"{message}.{text}"
    yield "claims changed, honest signature", f"{header}.{part(as_json(kind.claims | {'sub': 'bob'}))}.{end}"


def size_cases(kind: Kind) -> Iterator[Named]:
    """Too much of everything, up to a megabyte; some of it validly signed."""
    header, payload, end = kind.honest.split(".")
    for size in (4097, 8192, 65_536, MEGABYTE):
        yield f"{size} letters", "a" * size
        yield f"{size} dots", "." * size
        yield f"{size} blanks", " " * (size - 1) + "x"
        yield f"{size} beyond ASCII", "\u00e9" * size
        yield f"{size} of header", f"{'A' * size}.{payload}.{end}"
        yield f"{size} of payload", f"{header}.{'A' * size}.{end}"
        yield f"{size} of signature", f"{header}.{payload}.{'A' * size}"
        yield f"{size} of parts", "a." * (size // 2)
        yield f"{size} behind an honest token", kind.honest + "A" * size
        yield f"{size} of padding", kind.honest + "=" * size
        yield f"{size} of a signed claim", kind.saying(x="x" * size)
    yield "just over the limit, signed", just_over(kind, 4096)


def just_over(kind: Kind, limit: int) -> str:
    """Return a validly signed token that is longer than `limit` characters by as little as base64 allows."""
    filler = (limit - len(kind.saying(x=""))) * 3 // 4 - 3
    while len(token := kind.saying(x="x" * filler)) <= limit:
        filler += 1
    return token
