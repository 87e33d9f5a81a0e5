"""Hostile access tokens beside keys of which everybody has the public half.

Made by hand, as everywhere here; only the arithmetic of the keys is a library's.
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError
from infrastructure.authlib.key_ring import KeyRing
from infrastructure.authlib.keys import ACCESS_TOKEN_TYPE, AccessKey, generate_private_key, private_key, public_half
from infrastructure.authlib.token_codec import AuthlibTokenCodec
from tests.hostile.forge import (
    ACCESS,
    AUDIENCE,
    CLIENT,
    ISSUER,
    PREVIOUS_SECRET,
    REFRESH,
    SECRET,
    as_json,
    part,
    signature,
    signed,
    thumbprint,
)
from tests.hostile.headers import Named
from tests.hostile.public_keys import public_keys

ALGORITHMS = ("ES256", "RS256", "EdDSA")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@cache
def pem_of(algorithm: str) -> str:
    return generate_private_key(algorithm)


@cache
def key_of(algorithm: str) -> AccessKey:
    return private_key(pem_of(algorithm))


def codec_of(signing: AccessKey, *verifying: AccessKey) -> AuthlibTokenCodec:
    keys = KeyRing(SECRET, [PREVIOUS_SECRET], access_key=signing, verification_keys=verifying)
    return AuthlibTokenCodec(keys, issuer=ISSUER, audience=AUDIENCE, client_id=CLIENT)


def codec_with(algorithm: str) -> AuthlibTokenCodec:
    return codec_of(key_of(algorithm))


def accepts(codec: AuthlibTokenCodec, text: str) -> bool:
    """Tell whether a token is accepted. Any error but the one that refuses it is a defect."""
    try:
        codec.read_access_token(text)
    except InvalidAccessTokenError:
        return False
    return True


def header(algorithm: str, kid: str, typ: str = ACCESS_TOKEN_TYPE) -> str:
    return part(as_json({"alg": algorithm, "kid": kid, "typ": typ}))


def signed_by(key: AccessKey, head: str, payload: str = "") -> str:
    """Return a token that `key` has signed, whatever its header says."""
    message = f"{head}.{payload or part(as_json(ACCESS.claims))}"
    return f"{message}.{part(key.sign(message.encode()))}"


def honest(algorithm: str) -> str:
    key = key_of(algorithm)
    return signed_by(key, header(algorithm, key.id))


def numbers_of(token: str) -> tuple[int, int]:
    """Return r and s of an ES256 token."""
    raw = urlsafe_b64decode(token.rpartition(".")[2] + "==")
    return int.from_bytes(raw[:32]), int.from_bytes(raw[32:])


def with_signature(token: str, raw: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{part(raw)}"


def with_numbers(token: str, r: int, s: int) -> str:
    return with_signature(token, r.to_bytes(32) + s.to_bytes(32))


def confusion_cases(algorithm: str) -> Iterator[Named]:
    """One key's tokens as if they were another's."""
    key, claims = key_of(algorithm), part(as_json(ACCESS.claims))
    pem = public_half(pem_of(algorithm))
    encodings = {"PEM": pem, "PEM stripped": pem.strip(), "PEM body": "".join(pem.split("\n")[1:-2])}
    encodings |= {name: value.decode("latin-1") for name, value in public_keys().items()}
    for name, encoding in encodings.items():
        for kid in (key.id, thumbprint(SECRET)):
            for alg in ("HS256", algorithm):
                secret = encoding.encode("latin-1")
                yield f"HMAC with the public key, {name}, {alg}, {kid[:4]}", signed(header(alg, kid), claims, secret)
    yield "the secret of refresh tokens, under its own header", signed(header("HS256", thumbprint(SECRET)), claims)
    yield "the secret of refresh tokens, under the key's header", signed(header(algorithm, key.id), claims)
    yield "a previous secret", signed(header("HS256", thumbprint(PREVIOUS_SECRET)), claims, PREVIOUS_SECRET)
    yield "the key's name with HS256", signed(header("HS256", key.id), claims)
    yield "signed by the key under the secret's header", signed_by(key, header("HS256", thumbprint(SECRET)))
    yield "signed by the key, said to be a refresh token", signed_by(key, header(algorithm, key.id, "rt+jwt"))
    yield "signed by the key, of no type", signed_by(key, part(as_json({"alg": algorithm, "kid": key.id})))
    yield "signed by the key, of another spelling", signed_by(key, part(as_json({"kid": key.id, "alg": algorithm})))
    yield "signed by the key, refresh claims", signed_by(key, header(algorithm, key.id), part(as_json(REFRESH.claims)))
    for other in ALGORITHMS:
        if other != algorithm:
            stranger = key_of(other)
            yield f"a key of {other} that is not in the ring", signed_by(stranger, header(other, stranger.id))
            yield f"a key of {other} under this key's header", signed_by(stranger, header(algorithm, key.id))
            yield f"this key, said to be {other}", signed_by(key, header(other, key.id))
    for alg in ("none", "None", "ES384", "ES512", "PS256", "RS384", "Ed25519", "ES256K", algorithm.lower(), ""):
        yield f"this key, said to be {alg}", signed_by(key, header(alg, key.id))
    another = private_key(generate_private_key("ES256"))
    yield "another key of the same kind", signed_by(another, header("ES256", another.id))
    yield "another key under this one's name", signed_by(another, header(algorithm, key.id))


def signature_cases(algorithm: str) -> Iterator[Named]:
    """Signatures that are none, of the right form and of others."""
    token = honest(algorithm)
    raw = urlsafe_b64decode(token.rpartition(".")[2] + "==")
    for length in (0, 1, 32, 63, 65, 96, 128, 255, 256, 257, 512, 1024):
        for filler in (b"\x00", b"\x01", b"\xff"):
            if length:
                yield f"{length} bytes of {filler!r}", with_signature(token, filler * length)
    yield "cut by a byte", with_signature(token, raw[:-1])
    yield "a byte too long", with_signature(token, raw + b"\x00")
    yield "a byte too long in front", with_signature(token, b"\x00" + raw)
    yield "twice", with_signature(token, raw * 2)
    yield "reversed", with_signature(token, raw[::-1])
    yield "its two halves exchanged", with_signature(token, raw[len(raw) // 2 :] + raw[: len(raw) // 2])
    for bit in range(0, len(raw) * 8, 61):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} changed", with_signature(token, bytes(changed))
    yield "of another message", with_signature(token, key_of(algorithm).sign(b"another message"))
    yield "an HMAC of it", f"{token.rpartition('.')[0]}.{signature(token.rpartition('.')[0])}"


def number_cases() -> Iterator[Named]:
    """ES256 with numbers that no signer makes (CVE-2022-21449 and its like)."""
    token = honest("ES256")
    r, s = numbers_of(token)
    yield "DER", with_signature(token, encode_dss_signature(r, s))
    edges = (0, 1, 2, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2**256 - 1)
    for one in edges:
        yield f"r is {one:x}", with_numbers(token, one, s)
        yield f"s is {one:x}", with_numbers(token, r, one)
        for other in edges:
            yield f"{one:x} and {other:x}", with_numbers(token, one, other)
    yield "r of another sign", with_numbers(token, P256_ORDER - r, s)
    yield "both of another sign", with_numbers(token, P256_ORDER - r, P256_ORDER - s)


def every_case(algorithm: str) -> Iterator[Named]:
    yield from confusion_cases(algorithm)
    yield from signature_cases(algorithm)
    if algorithm == "ES256":
        yield from number_cases()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_forge_makes_what_the_service_makes(algorithm: str) -> None:
    """What is refused below is refused for what is wrong with it."""
    codec = codec_with(algorithm)
    token = codec.read_access_token(honest(algorithm))
    assert codec.write_access_token(token).rpartition(".")[0] == honest(algorithm).rpartition(".")[0]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_hostile_access_token_is_refused(algorithm: str, record_property: Callable[[str, object], None]) -> None:
    """Whatever else is in the ring."""
    beside_another = codec_of(private_key(generate_private_key("ES256")), key_of(algorithm))
    cases = list(every_case(algorithm))
    for codec in (codec_with(algorithm), beside_another):
        assert accepts(codec, honest(algorithm))
        assert [name for name, text in cases if accepts(codec, text)] == []
    record_property("hostile_tokens", 2 * len(cases))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_access_key_makes_a_refresh_token(algorithm: str) -> None:
    codec, key = codec_with(algorithm), key_of(algorithm)
    for typ in ("rt+jwt", ACCESS_TOKEN_TYPE):
        for alg, kid in ((algorithm, key.id), ("HS256", thumbprint(SECRET))):
            with pytest.raises(InvalidRefreshTokenError):
                codec.read_refresh_token(signed_by(key, header(alg, kid, typ), part(as_json(REFRESH.claims))))


def test_a_signature_has_a_twin() -> None:
    """Whoever sees an ES256 token can write its signature in another way, and it is as good as the first.

    That is why nothing here is kept by a token's text: whoever keeps a list of refused tokens by text is evaded.
    """
    token = honest("ES256")
    r, s = numbers_of(token)
    twin = with_numbers(token, r, P256_ORDER - s)
    codec = codec_with("ES256")
    assert twin != token
    assert codec.read_access_token(twin) == codec.read_access_token(token)
