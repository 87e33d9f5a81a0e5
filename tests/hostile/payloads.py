"""Claims that this service never writes, validly signed.

A leaked key, another program with the same key, or a future mistake of our own could produce them; only the reading of
claims stands between them and the store.
"""

import json
from collections.abc import Iterator
from typing import Any

from domain.model.tokens import MAX_SESSION_TTL
from tests.hostile.forge import ACCESS, AUDIENCE, DAY, ISSUER, REFRESH, SESSION_ID, Kind, as_json
from tests.hostile.headers import Named

_NO_TEXT: list[Any] = [None, True, False, 0, 1, -1, 1.5, [], {}]
_NO_NUMBER: list[Any] = [
    None, True, False, "", "1", "0", "NaN", "\x00", [], {}, -1, -(2**31), -(2**63), 1.5, 1e300, 2**63, 2**64, 10**40,
    10**1000, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
_ODD_TEXT = ["", " ", "\x00", "\n", "\u0000ada", "\x1b[2J", "\x7f", "\x9b", "\ud800", "\udfff", "x" * 10_000]
_ODD_IDENTIFIERS = [
    SESSION_ID[:-1], SESSION_ID + "A", SESSION_ID[:-1] + "=", SESSION_ID[:-1] + "+", SESSION_ID[:-1] + "/",
    SESSION_ID[:-1] + ".", SESSION_ID[:-1] + "\n", SESSION_ID + "\n", SESSION_ID + "\x00", " " + SESSION_ID,
    SESSION_ID[:-1] + "\u00e9", SESSION_ID[:-1] + "\u0661", "\uff33" + SESSION_ID[1:], "../" * 7 + "A",
]  # fmt: skip
_INSTANTS = {"auth_time", "session_expiry", "iat", "exp"}
_END_OF_TIME = 253_402_300_800


def type_cases(kind: Kind) -> Iterator[Named]:
    """Every claim missing, null, of another type, out of range, or ten kilobytes long."""
    for claim, honest in kind.claims.items():
        if claim == "client_id":
            continue  # written for others (RFC 9068) and not read here
        yield f"{claim} missing", kind.without(claim)
        other: list[Any] = [[honest], [honest, honest], {"value": honest}, {claim: honest}]
        if isinstance(honest, int):
            other += [*_NO_NUMBER, str(honest), float(honest), honest + 0.5, -honest, "x" * 10_000]
            other += [_END_OF_TIME, 2**53, 2**62] if claim in _INSTANTS else [0, 2**31, 2**32]
        else:
            other += [*_NO_TEXT, *_ODD_TEXT]
        if claim in ("iss", "aud", "type"):
            other += [honest + " ", " " + honest, honest + "\x00", honest.upper(), honest[:-1], honest + "/", "*"]
        if claim in ("sid", "jti"):
            other += _ODD_IDENTIFIERS
        if claim == "sub":
            other = [value for value in other if value != " "] + ["a" * 256, "a\nb", "ada\x00", "ada\r", "a\x85b"]
        for value in other:
            spelled = json.dumps({**kind.claims, claim: value}, separators=(",", ":"), ensure_ascii=False)
            yield f"{claim} {str(value)[:30]!r}", kind.with_payload(spelled)


def meaning_cases(kind: Kind) -> Iterator[Named]:
    """Claims of the right types that do not belong together, or to another token."""
    stranger = "https://evil.example.org"
    for name, changed in (
        ("another issuer", {"iss": stranger}),
        ("another audience", {"aud": stranger}),
        ("another issuer and audience", {"iss": stranger, "aud": stranger}),
        ("an audience among others", {"aud": [kind.claims["aud"], stranger]}),
        ("the other kind's audience", {"aud": AUDIENCE if kind is REFRESH else ISSUER}),
        ("the issuer as audience and the reverse", {"iss": AUDIENCE, "aud": ISSUER}),
        ("the other kind's type", {"type": "access" if kind is REFRESH else "refresh"}),
        ("a list of types", {"type": ["refresh", "access"]}),
        ("an unknown type", {"type": "id"}),
    ):
        yield name, kind.saying(**changed)
    other = ACCESS if kind is REFRESH else REFRESH
    yield "the other kind's claims", kind.with_payload(as_json(other.claims))
    yield "the other kind's claims with this type", kind.with_payload(as_json(other.claims | {"type": kind.name}))
    yield "the other kind's token", other.honest
    yield "these claims under the other kind's header", other.with_payload(as_json(kind.claims))
    if kind is REFRESH:
        yield from _refresh_meaning_cases()


def _refresh_meaning_cases() -> Iterator[Named]:
    claims, other_id = REFRESH.claims, "B" * 22
    for name, changed in (
        ("jti of another session", {"jti": f"{other_id}.1"}),
        ("sid of another session", {"sid": other_id}),
        ("jti of another generation", {"jti": f"{SESSION_ID}.2"}),
        ("gen of another jti", {"gen": 2}),
        ("jti without a generation", {"jti": SESSION_ID}),
        ("jti with a leading zero", {"jti": f"{SESSION_ID}.01"}),
        ("jti with a sign", {"jti": f"{SESSION_ID}.+1"}),
        ("jti with a fraction", {"jti": f"{SESSION_ID}.1.0"}),
        ("jti with a blank", {"jti": f"{SESSION_ID}.1 "}),
        ("jti in other digits", {"jti": f"{SESSION_ID}.\u0661"}),
        ("expiring after its session", {"exp": claims["session_expiry"] + 1}),
        ("expiring long after its session", {"session_expiry": claims["auth_time"] + 1}),
        ("a session without an end", {"session_expiry": claims["auth_time"] + MAX_SESSION_TTL + 1}),
        ("a session begun in 1970", {"auth_time": 0}),
        ("a session that ends in 9999", {"session_expiry": _END_OF_TIME - 1, "exp": _END_OF_TIME - 1}),
        ("a session that ended in 1970", {"session_expiry": 0}),
    ):
        yield name, REFRESH.saying(**changed)
    for generation in (-1, 0, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**40, -(2**63), 1.0, "1", True):
        jti = f"{SESSION_ID}.{generation}"
        yield f"generation {generation!r}", REFRESH.saying(gen=generation, jti=jti)
    for session_id in (*_ODD_IDENTIFIERS, "", "x" * 200):
        yield f"a session called {session_id[-8:]!r}", REFRESH.saying(sid=session_id, jti=f"{session_id}.1")
    yield "a day of grace for exp", REFRESH.saying(exp=claims["session_expiry"] + DAY)


def spelling_cases(kind: Kind) -> Iterator[Named]:
    """Spell the honest claims in JSON that this service does not write, or that is no object at all."""
    honest = as_json(kind.claims)
    for name, text in (
        ("with white space", json.dumps(kind.claims)),
        ("after a blank", " " + honest),
        ("before a line break", honest + "\n"),
        ("before NUL", honest + "\x00"),
        ("before rubbish", honest + "x"),
        ("twice", honest + honest),
        ("with an escape", honest.replace('"ada"', '"\\u0061da"')),
        ("with an escaped slash", honest.replace("https://", "https:\\/\\/")),
        ("with an escaped surrogate", honest.replace('"ada"', '"\\ud800"')),
        ("with an escaped NUL", honest.replace('"ada"', '"ada\\u0000"')),
        ("with sub twice", honest[:-1] + ',"sub":"bob"}'),
        ("with sub twice, the other first", '{"sub":"bob",' + honest[1:]),
        ("with the same sub twice", honest[:-1] + ',"sub":"ada"}'),
        ("with type twice", honest[:-1] + f',"type":"{kind.name}"}}'),
        ("with another type first", '{"type":"other",' + honest[1:]),
        ("with exp twice", honest[:-1] + ',"exp":9999999999}'),
        ("with a comma too many", honest[:-1] + ",}"),
        ("with a comment", honest[:-1] + "/**/}"),
        ("in single quotes", honest.replace('"', "'")),
        ("in a list", f"[{honest}]"),
        ("as a string", json.dumps(honest)),
        ("list of pairs", as_json(list(kind.claims.items()))),
        ("with a number in exponent form", honest.replace("00000,", "e5,")),
        ("with a fraction of zero", honest.replace('"iat":1800000000', '"iat":1800000000.0')),
        ("with a leading zero", honest.replace('"iat":', '"iat":0')),
        ("with a plus sign", honest.replace('"iat":', '"iat":+')),
        ("with minus zero", honest.replace('"iat":1800000000', '"iat":-0')),
        ("with NaN", honest[:-1] + ',"x":NaN}'),
        ("with infinity", honest[:-1] + ',"x":-Infinity}'),
        ("with a huge number", honest[:-1] + ',"x":1' + "0" * 400 + "}"),
        ("with a huge exponent", honest[:-1] + ',"x":1e999}'),
        ("with a lone surrogate", honest[:-1] + ',"x":"\ud800"}'),
        ("with an escaped lone surrogate", honest[:-1] + ',"x":"\\udc00"}'),
        ("with a control character", honest[:-1] + ',"x":"\x01"}'),
        ("with lists nested deeply", honest[:-1] + ',"x":' + "[" * 1200 + "]" * 1200 + "}"),
        ("with objects nested deeply", honest[:-1] + ',"x":' + '{"a":' * 390 + "1" + "}" * 390 + "}"),
        ("broken off", honest[:-1]),
        ("without a beginning", honest[1:]),
        ("null", "null"),
        ("true", "true"),
        ("a number", "1"),
        ("an empty string", '""'),
        ("an empty list", "[]"),
        ("an empty object", "{}"),
        ("nothing but a blank", " "),
        ("nothing but brackets", "[" * 2800),
        ("nothing but braces", '{"a":' * 500),
        ("a billion laughs", '<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'),
        ("a prototype", honest[:-1] + ',"__proto__":{"type":"x"},}'),
        ("ten kilobytes of a claim", honest[:-1] + f',"x":"{"x" * 10_000}"}}'),
        ("ten kilobytes of names", honest[:-1] + "".join(f',"x{n}":0' for n in range(1000)) + "}"),
    ):
        assert text != honest, name
        yield f"payload {name}", kind.with_payload(text)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp037"):
        yield f"payload in {encoding}", kind.with_payload(honest.encode(encoding))
    latin = as_json(kind.claims | {"sub": "\u00e4da"})
    yield "payload in Latin-1", kind.with_payload(latin.encode("latin-1"))
    yield "payload in overlong UTF-8", kind.with_payload(honest.encode().replace(b"ada", b"\xc1\xa1da"))
    yield "payload of random bytes", kind.with_payload(bytes(range(256)))
