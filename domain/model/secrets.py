"""What a secret must be like before anything may rest on it."""

import re

MIN_SECRET_BYTES = 32
"""As long as the output of the hash it keys (RFC 7518, section 3.2)."""
_MIN_DISTINCT_CHARACTERS = 10
_WELL_KNOWN = (
    "changeme",
    "replaceme",
    "yoursecret",
    "your256bitsecret",
    "supersecret",
    "mysecret",
    "insecure",
    "placeholder",
    "examplekey",
    "secretkey",
    "stringsecret",
    "longsecret",
    "donotuse",
    "password",
    "qwertyuiop",
    "abcdefghij",
    "0123456789",
    "404e635266556a586e32",
)
_KEY_FILE_MARKS = ("-----BEGIN", "---- BEGIN", "ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", '"kty"')
_DER_IN_BASE64 = re.compile(r"M(?:II[A-Za-z]|FkwEwYHKoZI|HYwEAYHKoZI|CowBQYDK2V|C4CAQAwBQYDK2V)[A-Za-z0-9+/]{20,}")
"""How public and private keys begin in the body of a PEM file."""
HOW_TO_MAKE_ONE = "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"


def weakness_of(secret: str) -> str | None:
    """Return in words why `secret` must not be used, or `None` if nothing speaks against it.

    This finds mistakes (an empty variable, a sample value, a public key); it cannot measure randomness.
    """
    if not secret:
        return "is empty"
    # APPSEC: a public key as an HMAC secret would let everybody sign (RFC 8725, section 2.1).
    if any(mark in secret for mark in _KEY_FILE_MARKS) or _DER_IN_BASE64.match(secret):
        return "is a key file (PEM or SSH); HS256 needs a random secret"
    length = len(secret.encode("utf-8", "surrogatepass"))
    if length < MIN_SECRET_BYTES:
        return f"has {length} bytes; at least {MIN_SECRET_BYTES} are needed"
    if len(set(secret)) < _MIN_DISTINCT_CHARACTERS or secret in (secret + secret)[1:-1]:
        return "repeats a few characters"
    letters = "".join(filter(str.isalnum, secret.lower()))
    if any(sample in letters for sample in _WELL_KNOWN):
        return "is a sample value that everybody knows"
    return None
