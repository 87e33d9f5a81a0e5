"""Coverage-guided fuzzing of the codec: `python tests/hostile/fuzz_codec.py -max_total_time=60 -runs=1000000`.

Arguments are libFuzzer's own. Whatever the bytes, the codec raises nothing but the domain's own errors, accepts no text
but an honest token, and of what the ring itself has signed only claims that it writes again to the same values.
With NUOVO_TEST_FUZZ_READER=VerifiesNothing, or another careless reader by name, it shows that it finds what is wrong.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from domain.model.errors import InvalidAccessTokenError, InvalidRefreshTokenError

# Absent from most environments, and there is nothing to check without it.
atheris: Any = importlib.import_module("atheris")

with atheris.instrument_imports(include=["infrastructure.authlib", "domain.model", "tests.wrong.readers"]):
    from ports.token_codec import TokenCodec
    from tests.hostile.catalogue import every_token
    from tests.hostile.forge import ACCESS, REFRESH, Kind, as_json, part, signed, strict_codec
    from tests.wrong import readers

STRICT = strict_codec()
SEEDED = WHOLE, PAYLOAD, SPELLED_PAYLOAD, HEADER, _SIGNATURE = range(5)
LONGEST_SEED = 4200


def chosen_codec() -> TokenCodec:
    name = os.environ.get("NUOVO_TEST_FUZZ_READER")
    return getattr(readers, name)() if name else STRICT


def text_of(given: bytes, kind: Kind) -> tuple[str, bool]:
    """Return a text made from the fuzzer's bytes, and whether the ring has signed it under the honest header."""
    how, rest = given[0] % len(SEEDED), given[1:]
    header, payload, _ = kind.honest.split(".")
    if how == WHOLE:
        return rest.decode("utf-8", "replace"), False
    if how == PAYLOAD:
        return kind.with_payload(rest), True
    if how == SPELLED_PAYLOAD:
        return signed(header, rest.decode("latin-1")), True
    if how == HEADER:
        return signed(part(rest), payload), False
    return f"{header}.{payload}.{rest.decode('latin-1')}", False


def seeds(kind: Kind, number: int) -> Iterator[bytes]:
    """Yield the honest token in each way, and the catalogue's tokens for the fuzzer to go on from."""
    _, payload, end = kind.honest.split(".")
    claims, fields = as_json(kind.claims).encode(), as_json(kind.header_fields).encode()
    ways = [bytes([number * len(SEEDED) + how]) for how in SEEDED]
    for way, seed in zip(ways, (kind.honest.encode(), claims, payload.encode(), fields, end.encode()), strict=True):
        yield way + seed
    for _, text in every_token(kind):
        if len(text) < LONGEST_SEED:
            yield ways[WHOLE] + text.encode("utf-8", "replace")
            yield ways[SPELLED_PAYLOAD] + text.partition(".")[2].rpartition(".")[0].encode("utf-8", "replace")


def check(codec: TokenCodec, kind: Kind, text: str, *, is_signed: bool) -> None:
    read: Callable[[str], Any] = codec.read_refresh_token if kind is REFRESH else codec.read_access_token
    write: Callable[[Any], str] = STRICT.write_refresh_token if kind is REFRESH else STRICT.write_access_token
    try:
        token = read(text)
    except (InvalidRefreshTokenError, InvalidAccessTokenError):
        return
    if not is_signed and text != kind.honest:
        raise AssertionError(f"accepted: {text!r}")
    if read(write(token)) != token:
        raise AssertionError(f"not the same when written again: {text!r}")


def main() -> None:
    codec = chosen_codec()
    kinds = [REFRESH] if codec is not STRICT else [REFRESH, ACCESS]

    def one_input(given: bytes) -> None:
        if given:
            kind = kinds[given[0] // len(SEEDED) % len(kinds)]
            text, is_signed = text_of(given, kind)
            check(codec, kind, text, is_signed=is_signed)

    with TemporaryDirectory(prefix="nuovo-fuzz-") as folder:
        for number, seed in enumerate(seed for kind in kinds for seed in seeds(kind, kinds.index(kind))):
            Path(folder, str(number)).write_bytes(seed)
        # libFuzzer ends its process without a farewell, so it gets one of its own.
        if (child := os.fork()) == 0:
            atheris.Setup([*sys.argv, folder, "-max_len=4200"], one_input)
            atheris.Fuzz()
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
