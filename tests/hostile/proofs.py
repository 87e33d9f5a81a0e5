"""Hostile proofs of possession, by name: each differs from an honest one in what its case names, and is rightly signed.

Whoever sends one has a key of their own, so most can be signed: nothing but strict reading refuses them.
"""

import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry

from tests.fakes.dpop import BASE
from tests.hostile.headers import EXTENSIONS, NONES, OTHER_ALGORITHMS
from tests.hostile.public_keys import points_of_small_order
from tests.hostile.shapes import BLANKS, FOREIGN, respelled
from tests.key_holder import KeyHolder, part, rsa_key

METHOD, PATH = "POST", "/refresh_token"
URL = BASE + PATH
ADA, MALLORY = KeyHolder(), KeyHolder()
RSA, ED = KeyHolder("RS256"), KeyHolder("EdDSA")
HOLDERS = (ADA, RSA, ED)
Named = tuple[str, str]
SURPLUS: dict[str, Any] = {
    "d": part(bytes(32)), "k": part(b"x" * 32), "oth": [], "x5u": "http://127.0.0.1:9/", "kid": "1", "x5c": ["MIIB"],
    "use": "sig", "key_ops": ["verify"], "alg": "ES256", "ext": True, "": "",
}  # fmt: skip
ANYTHING: list[Any] = [None, True, False, 0, 1, -1, 1.5, "", " ", "x", [], {}, ["x"], {"x": 1}, [[]], "\x00", "\u00e9"]


def signed_by(algorithm: str, key: Any, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a proof under any header, signed by any algorithm that there is."""
    message = f"{part(header)}.{part(claims)}"
    return f"{message}.{part(JWSRegistry.algorithms[algorithm].sign(message.encode(), key))}"


def algorithm_cases(nonce: str) -> Iterator[Named]:
    """No algorithm, one of secrets, one of another kind of key."""
    claims = ADA.claims(METHOD, URL, nonce)
    for holder in HOLDERS:
        for alg in [*NONES, *OTHER_ALGORITHMS]:
            if alg in ("ES256", "RS256", "PS256", "EdDSA", "Ed25519") and holder.algorithm[:2] == str(alg)[:2]:
                continue
            yield f"{holder.algorithm}: alg {str(alg)[:20]!r}", holder.signed(holder.header | {"alg": alg}, claims)
        yield f"{holder.algorithm}: no alg", holder.signed({"typ": "dpop+jwt", "jwk": holder.jwk}, claims)
        message = f"{part(holder.header | {'alg': 'none'})}.{part(claims)}"
        yield f"{holder.algorithm}: none, unsigned", f"{message}."
        for secret in (json.dumps(holder.jwk), holder.key.as_pem(private=False).decode(), *holder.jwk.values(), ""):
            message = f"{part(holder.header | {'alg': 'HS256'})}.{part(claims)}"
            end = part(hmac.digest(str(secret).encode(), message.encode(), "sha256"))
            yield f"{holder.algorithm}: the public key as a secret {str(secret)[:12]!r}", f"{message}.{end}"
    known = OctKey.import_key("0123456789abcdef0123456789abcdef")
    header = {"typ": "dpop+jwt", "alg": "HS256", "jwk": known.as_dict(private=True)}
    yield "a secret as a key", signed_by("HS256", known, header, claims)
    for name, key in (
        ("ES384", ECKey.generate_key("P-384")),
        ("ES512", ECKey.generate_key("P-521")),
        ("ES256K", ECKey.generate_key("secp256k1")),
        ("Ed448", OKPKey.generate_key("Ed448")),
        ("RS512", rsa_key(2048)),
        ("PS384", rsa_key(2048)),
    ):
        jwk = key.as_dict(private=False)
        yield f"{name} done right", signed_by(name, key, {"typ": "dpop+jwt", "alg": name, "jwk": jwk}, claims)
    for alg, key in (("EdDSA", OKPKey.generate_key("Ed448")), ("Ed25519", OKPKey.generate_key("Ed448"))):
        jwk = key.as_dict(private=False)
        yield f"{alg} with Ed448", signed_by("Ed448", key, {"typ": "dpop+jwt", "alg": alg, "jwk": jwk}, claims)


def with_jwk(holder: KeyHolder, jwk: Any, nonce: str) -> str:
    """Return a proof that encloses something else, signed by the holder all the same."""
    return holder.signed(holder.header | {"jwk": jwk}, holder.claims(METHOD, URL, nonce))


def member_cases(nonce: str) -> Iterator[Named]:
    """Members of a key that are missing, surplus, of another type or spelled otherwise; and what is no key at all."""
    for holder in HOLDERS:
        kind, jwk = holder.algorithm, holder.jwk
        yield f"{kind}: a private key", with_jwk(holder, holder.key.as_dict(private=True), nonce)
        for name, text in jwk.items():
            yield f"{kind}: without {name}", with_jwk(holder, {n: v for n, v in jwk.items() if n != name}, nonce)
            for value in ANYTHING:
                yield f"{kind}: {name} {value!r}", with_jwk(holder, jwk | {name: value}, nonce)
            for spelled in (text + "=", text + "A", "AA" + text, text[:-1], f" {text}", text.upper() + "_", text * 2):
                yield f"{kind}: {name} spelled {spelled[-8:]!r}", with_jwk(holder, jwk | {name: spelled}, nonce)
        for name in {"x", "y", "n"} & jwk.keys():
            for spelled in respelled(jwk[name]):
                yield f"{kind}: trailing bits of {name}", with_jwk(holder, jwk | {name: spelled}, nonce)
        for member, value in SURPLUS.items():
            yield f"{kind}: with {member}", with_jwk(holder, jwk | {member: value}, nonce)
        for value in (*ANYTHING, json.dumps(jwk), [jwk], {"keys": [jwk]}, "A" * 3000):
            yield f"{kind}: jwk {str(value)[:20]!r}", with_jwk(holder, value, nonce)


def forged(point: bytes, nonce: str) -> str:
    """Return a proof of a point as a key, by somebody who holds no key at all."""
    key = Ed25519PublicKey.from_public_bytes(point)
    header = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": part(point)}}
    identity = (1).to_bytes(32, "little")
    for count in range(1_000):
        message = f"{part(header)}.{part(ED.claims(METHOD, URL, nonce) | {'jti': str(count)})}"
        for signature in (identity + bytes(32), point + bytes(32)):
            with suppress(InvalidSignature):
                key.verify(signature, message.encode())
                return f"{message}.{part(signature)}"
    raise AssertionError("no signature was found: the library has become strict")


COSTLY = "an exponent as large as its modulus"


def key_cases(nonce: str) -> Iterator[Named]:
    """Keys that are weak, costly, on no curve or on another one."""
    zero = part(bytes(32))
    for x, y in ((zero, zero), (zero, ADA.jwk["y"]), (part(b"\xff" * 32), ADA.jwk["y"]), (ADA.jwk["y"], ADA.jwk["x"])):
        yield f"a point off the curve {x[:4]}", with_jwk(ADA, ADA.jwk | {"x": x, "y": y}, nonce)
    p384 = ECKey.generate_key("P-384").as_dict(private=False)
    for holder, name in ((ADA, "x"), (ADA, "y"), (ED, "x"), (RSA, "n")):
        longer = part(b"\0" + urlsafe_b64decode(holder.jwk[name] + "=="))
        yield f"{holder.algorithm}: {name} with a zero before it", with_jwk(holder, holder.jwk | {name: longer}, nonce)
    for point in points_of_small_order():
        yield f"a point of small order {point.hex()[:4]}…{point.hex()[-4:]}", forged(point, nonce)
    yield "P-384 that calls itself P-256", with_jwk(ADA, p384 | {"crv": "P-256"}, nonce)
    yield "P-256 that calls itself P-384", with_jwk(ADA, ADA.jwk | {"crv": "P-384"}, nonce)
    yield "X25519", with_jwk(ED, OKPKey.generate_key("X25519").as_dict(private=False), nonce)
    for bits, exponent in ((1024, 65_537), (2040, 65_537), (2048, 3), (4104, 65_537)):
        for algorithm in ("RS256", "PS256"):
            weak = KeyHolder(algorithm, rsa_key(bits, exponent))
            yield f"RSA of {bits} bits, e {exponent}, {algorithm}", weak.prove(METHOD, URL, nonce)
    modulus = rsa_key(2048).public_key.public_numbers().n
    yield COSTLY, with_jwk(RSA, RSA.jwk | {"e": part((modulus - 2).to_bytes(256))}, nonce)
    for name, number in (("even", modulus + 1), ("of ones alone", 2**2048 - 1), ("a power of two", 2**2047)):
        yield f"a modulus that is {name}", with_jwk(RSA, RSA.jwk | {"n": part(number.to_bytes(256))}, nonce)


def header_cases(nonce: str) -> Iterator[Named]:
    """Another type, extensions, members that point elsewhere, and the same header spelled otherwise."""
    claims = ADA.claims(METHOD, URL, nonce)
    for typ in (
        *ANYTHING, "JWT", "dpop", "DPoP+JWT", "dpop+JWT", "application/dpop+jwt", "dpop+jwt ", " dpop+jwt", "dbsc+jwt",
        "at+jwt", "rt+jwt", ["dpop+jwt"], "dpop+jwt\x00", "dpop-nonce+jwt",
    ):  # fmt: skip
        yield f"typ {typ!r}", ADA.signed(ADA.header | {"typ": typ}, claims)
    yield "no typ", ADA.signed({"alg": "ES256", "jwk": ADA.jwk}, claims)
    yield "no jwk", ADA.signed({"alg": "ES256", "typ": "dpop+jwt"}, claims)
    for extension in (
        *EXTENSIONS, {"kid": "1"}, {"kid": "../../dev/null"}, {"jku": "http://127.0.0.1:9/keys"}, {"x5c": ["MIIB"]},
        {"x5u": "http://127.0.0.1:9/"}, {"jwks": {"keys": [ADA.jwk]}}, {"jwk ": ADA.jwk}, {"ALG": "none"},
    ):  # fmt: skip
        yield f"extension {json.dumps(extension)[:40]}", ADA.signed(ADA.header | extension, claims)
    text = json.dumps(ADA.header)
    for name, spelled in (
        ("with alg twice, none first", text.replace('"alg"', '"alg": "none", "alg"')),
        ("with alg twice, none last", text[:-1] + ', "alg": "none"}'),
        ("with jwk twice", text[:-1] + f', "jwk": {json.dumps(MALLORY.jwk)}}}'),
        ("with kty twice", text.replace('"kty"', '"kty": "oct", "kty"')),
        ("with a name twice, once escaped", text[:-1] + ', "\\u0061lg": "ES256"}'),
        ("with a comma too many", text[:-1] + ",}"),
        ("with a comment", "/**/" + text),
        ("in a list", f"[{text}]"),
        ("as a string", json.dumps(text)),
        ("as a number", "1"),
        ("null", "null"),
        ("empty", "{}"),
        ("broken off", text[:-1]),
        ("with a BOM", "\ufeff" + text),
        ("nested deeply", "[" * 1400),
        ("of nested objects", '{"a":' * 400 + "1" + "}" * 400),
        ("with NaN", text[:-1] + ', "x": NaN}'),
        ("with text behind it", text + "x"),
        ("twice", text * 2),
    ):
        yield f"header {name}", ADA.signed(spelled, claims)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"):
        yield f"header in {encoding}", ADA.signed(text.encode(encoding), claims)
    yield "header is no UTF-8", ADA.signed(b"\xff\xfe\x00", claims)


def claim_cases(nonce: str) -> Iterator[Named]:
    """Claims that are missing, of another type, or about another request."""
    claims = ADA.claims(METHOD, URL, nonce)
    for name in ("jti", "htm", "htu", "iat"):
        yield f"no {name}", ADA.signed(ADA.header, {n: v for n, v in claims.items() if n != name})
    no_texts = [value for value in ANYTHING if not isinstance(value, str)]
    wrong = {"jti": [*no_texts, ""], "nonce": no_texts, "ath": no_texts, "htm": ANYTHING, "htu": ANYTHING}
    wrong["iat"] = [value for value in ANYTHING if type(value) is not int]
    for name, values in wrong.items():
        for value in values:
            yield f"{name} {value!r}", ADA.signed(ADA.header, claims | {name: value})
    for iat in ("1800000000", 1.8e9, [1], True, 1e999):
        yield f"iat {iat!r}", ADA.signed(ADA.header, claims | {"iat": iat})
    yield "a long jti", ADA.signed(ADA.header, claims | {"jti": "x" * 257})
    for htm in ("post", "POST ", " POST", "POST, GET", "GET", "*", "PO\u017fT", "P%4fST", ["POST"], "POST\x00", "HEAD"):
        yield f"htm {htm!r}", ADA.signed(ADA.header, claims | {"htm": htm})
    for htu in HOSTILE_URLS:
        yield f"htu {htu!r}", ADA.signed(ADA.header, claims | {"htu": htu})


HOSTILE_URLS: list[Any] = [
    BASE, f"{BASE}/", f"{URL}/", f"{BASE}//refresh_token", f"{BASE}/./refresh_token", f"{BASE}/x/../refresh_token",
    f"{BASE}/refresh%5Ftoken", f"{BASE}/Refresh_Token", f"{BASE}/refresh_token;a", f"{BASE}/refresh_token%00",
    f"{BASE}/refresh_token%20", f"{URL}%3Fa", f"{URL} ", f" {URL}", f"{URL}\n", f"{URL}\x00", f"{URL}\\", PATH,
    "http://auth.example.org/refresh_token", "https://auth.example.org:80/refresh_token",
    "https://auth.example.org:8443/refresh_token", "https://auth.example.org./refresh_token",
    "https://ada@auth.example.org/refresh_token", "https://auth.example.org@evil.example/refresh_token",
    "https://evil.example/refresh_token#https://auth.example.org/refresh_token",
    "https://evil.example/?https://auth.example.org/refresh_token",
    "https://evil.example\\@auth.example.org/refresh_token",
    "https://evil-auth.example.org/refresh_token", "https://auth.example.org.evil.example/refresh_token",
    "https://auth.example.orgevil/refresh_token", "https://evil.example/https://auth.example.org/refresh_token",
    "https://AUTH.EXAMPLE.ORG/REFRESH_TOKEN", "https://auth\uff0eexample.org/refresh_token",
    "https://auth.ex\u0430mple.org/refresh_token", "https:auth.example.org/refresh_token",
    "//auth.example.org/refresh_token",
    "https:///auth.example.org/refresh_token", "javascript:https://auth.example.org/refresh_token", "*", "null",
    [URL], {"url": URL}, "https://auth.example.org/refresh_token, https://auth.example.org/oauth/token",
]  # fmt: skip


def spelling_cases(nonce: str) -> Iterator[Named]:
    """Payloads that one reader takes for this and another for that."""
    claims = ADA.claims(METHOD, URL, nonce)
    text = json.dumps(claims)
    elsewhere = json.dumps(claims | {"htu": "https://evil.example/x"})
    for name, spelled in (
        ("with htu twice, the right one last", elsewhere[:-1] + f', "htu": {json.dumps(URL)}}}'),
        ("with htu twice, the right one first", text[:-1] + ', "htu": "https://evil.example/x"}'),
        ("with htm twice", text[:-1] + ', "htm": "POST"}'),
        ("with nonce twice", text[:-1] + f', "nonce": {json.dumps(nonce)}}}'),
        ("with a name twice within", text[:-1] + ', "x": {"a": 1, "a": 2}}'),
        ("with a name twice, once escaped", text[:-1] + ', "\\u0068tm": "POST"}'),
        ("in a list", f"[{text}]"),
        ("as a string", json.dumps(text)),
        ("null", "null"),
        ("a number", "1"),
        ("nothing", " "),
        ("{}", "{}"),
        ("broken off", text[:-1]),
        ("with text behind it", text + "x"),
        ("twice", text * 2),
        ("with a comma too many", text[:-1] + ",}"),
        ("with NaN", text[:-1] + ', "x": NaN}'),
        ("with Infinity", text[:-1] + ', "x": -Infinity}'),
        ("with a BOM", "\ufeff" + text),
        ("nested deeply", "[" * 2500),
        ("of nested objects", '{"a":' * 450 + "1" + "}" * 450),
        ("with a long number", text[:-1] + ', "x": ' + "9" * 2000 + "e}"),
    ):
        yield f"payload {name}", ADA.signed(ADA.header, spelled)
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        yield f"payload in {encoding}", ADA.signed(ADA.header, text.encode(encoding))
    yield "payload is no UTF-8", ADA.signed(ADA.header, b"\xff\xfe\x00")
    header, payload, _ = ADA.prove(METHOD, URL, nonce).split(".")
    standard = b64encode(json.dumps(claims | {"x": "???>>>"}).encode()).decode()
    for name, encoded in (("in the standard alphabet", standard), ("in the clear", text)):
        message = f"{header}.{encoded}"
        yield f"payload {name}", f"{message}.{ADA.sign(message)}"
    for other in respelled(payload):
        yield "trailing bits of the payload", f"{header}.{other}.{ADA.sign(f'{header}.{other}')}"
    for other in respelled(header):
        yield "trailing bits of the header", f"{other}.{payload}.{ADA.sign(f'{other}.{payload}')}"


def signature_cases(nonce: str) -> Iterator[Named]:
    """Signatures that are missing, foreign, cut, stretched or in another form."""
    for holder in HOLDERS:
        kind, proof = holder.algorithm, holder.prove(METHOD, URL, nonce)
        header, payload, end = proof.split(".")
        message = f"{header}.{payload}"
        for length in (0, 1, 2, 10, 43, len(end) - 1, len(end) - 2):
            yield f"{kind}: cut to {length}", f"{message}.{end[:length]}"
        for name, other in (
            ("of zeros", part(bytes(64))),
            ("of zeros, long", part(bytes(256))),
            ("of ones", part(b"\xff" * 64)),
            ("doubled", end + end),
            ("of the payload alone", holder.sign(payload)),
            ("of another proof", holder.prove(METHOD, URL, nonce).split(".")[2]),
            ("a stranger's", KeyHolder(kind, rsa_key(3072) if kind == "RS256" else None).sign(message)),
        ):
            yield f"{kind}: {name}", f"{message}.{other}"
        for other in respelled(end):
            yield f"{kind}: trailing bits", f"{message}.{other}"
        swapped = part(holder.header | {"jwk": MALLORY.jwk, "alg": "ES256"})
        yield f"{kind}: another key enclosed", f"{swapped}.{payload}.{end}"
    header, payload, _ = ADA.prove(METHOD, URL, nonce).split(".")
    message = f"{header}.{payload}"
    assert isinstance(ADA.key, ECKey)
    assert ADA.key.private_key is not None
    der = ADA.key.private_key.sign(message.encode(), ECDSA(SHA256()))
    yield "ES256 in DER", f"{message}.{part(der)}"
    pss, pkcs = KeyHolder("PS256", rsa_key(2048)), RSA
    for signer, claimed in ((pss, pkcs), (pkcs, pss)):
        message = f"{part(claimed.header)}.{payload}"
        yield f"{signer.algorithm} that calls itself {claimed.algorithm}", f"{message}.{signer.sign(message)}"


def shape_cases(nonce: str) -> Iterator[Named]:
    """Texts that are no compact token, or an honest one with something at its edges, and too much of everything."""
    proof = ADA.prove(METHOD, URL, nonce)
    header, payload, end = proof.split(".")
    yield from (
        ("nothing", ""), ("a dot", "."), ("two dots", ".."), ("two parts", f"{header}.{payload}"),
        ("padded", proof + "=="),
        ("four parts", f"{proof}.{end}"), ("detached", f"{header}..{end}"), ("no header", f".{payload}.{end}"),
        ("twice", f"{proof},{proof}"), ("twice with a space", f"{proof} {proof}"), ("in quotes", f'"{proof}"'),
        ("behind its scheme", f"DPoP {proof}"), ("backwards", proof[::-1]), ("lower case", proof.lower()),
        ("JSON", json.dumps({"protected": header, "payload": payload, "signature": end})), ("a list", f"[{proof}]"),
        ("URL-encoded", proof.replace(".", "%2E")), ("a lone surrogate", proof + "\ud800"),
        ("wide", "\uff45" + proof[1:]),
        ("a nonce", nonce), ("parts exchanged", f"{payload}.{header}.{end}"),
    )  # fmt: skip
    for char in (*BLANKS, *FOREIGN):
        yield f"{char!a} at the beginning", char + proof
        yield f"{char!a} at the end", proof + char
        yield f"{char!a} in the payload, signed", _signed_text(header, payload[:9] + char + payload[9:])
    for size in (4097, 65_536, 1_000_000):
        yield f"{size} letters", "a" * size
        yield f"{size} dots", "." * size
        yield f"{size} of header", f"{'A' * size}.{payload}.{end}"
        yield f"{size} of a signed claim", ADA.signed(ADA.header, ADA.claims(METHOD, URL, nonce) | {"x": "x" * size})


def _signed_text(header: str, payload: str) -> str:
    message = f"{header}.{payload}"
    return f"{message}.{ADA.sign(message) if message.isascii() else 'AAAA'}"


GROUPS: dict[str, Callable[[str], Iterator[Named]]] = {
    "algorithms": algorithm_cases,
    "members of keys": member_cases,
    "keys": key_cases,
    "headers": header_cases,
    "claims": claim_cases,
    "spelling": spelling_cases,
    "signatures": signature_cases,
    "shapes": shape_cases,
}


@cache
def proofs(group: str, nonce: str) -> tuple[Named, ...]:
    """Return the group's proofs, names first, each but for its fault good with `nonce`."""
    return tuple(GROUPS[group](nonce))


def every_proof(nonce: str) -> Iterator[Named]:
    """Yield the whole catalogue, names first."""
    for group in GROUPS:
        for name, text in proofs(group, nonce):
            yield f"{group}: {name}", text
