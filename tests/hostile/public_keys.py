"""Public keys in every encoding, for the attack that uses what everybody knows as an HMAC secret."""

from collections.abc import Iterator
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.hostile.forge import as_json, part


@cache
def public_keys() -> dict[str, bytes]:
    """Return names and encodings of the public keys of an RSA, a P-256 and an Ed25519 pair."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    ec_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    ed_key = ed25519.Ed25519PrivateKey.generate().public_key()
    encoded: dict[str, bytes] = {}
    for name, key in (("rsa", rsa_key), ("ec", ec_key), ("ed25519", ed_key)):
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        encoded[f"{name} PEM"] = pem
        encoded[f"{name} PEM stripped"] = pem.strip()
        encoded[f"{name} PEM with CRLF"] = pem.replace(b"\n", b"\r\n")
        encoded[f"{name} PEM on one line"] = pem.replace(b"\n", b"")
        encoded[f"{name} PEM body"] = b"".join(pem.split(b"\n")[1:-2])
        encoded[f"{name} DER"] = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        encoded[f"{name} SSH"] = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    encoded["rsa PKCS1 PEM"] = rsa_key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    encoded["rsa PKCS1 DER"] = rsa_key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    encoded["ec point"] = ec_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    encoded["ec compressed point"] = ec_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    encoded["ed25519 raw"] = ed_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    numbers = rsa_key.public_numbers()
    modulus = numbers.n.to_bytes(256, "big")
    encoded["rsa modulus"] = modulus
    encoded["rsa JWK"] = as_json({"e": "AQAB", "kty": "RSA", "n": part(modulus)}).encode()
    return encoded


_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7


def points_of_small_order() -> Iterator[bytes]:
    """Yield every spelling of the points of Ed25519 that have order 8 or less. Each y stands for two points."""
    for y in (0, 1, _P - 1, _ORDER_8, _P - _ORDER_8, _P, _P + 1):
        for sign in (0, 1):
            yield (y | sign << 255).to_bytes(32, "little")
