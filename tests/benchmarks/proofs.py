"""What a proof of DPoP costs the service, in this process: `python -m tests.benchmarks.proofs`."""

import time
from collections.abc import Callable

from infrastructure.authlib.dpop import AuthlibDPoP
from infrastructure.authlib.key_ring import KeyRing
from tests.fakes.clock import FakeClock
from tests.fakes.dpop import BASE
from tests.hostile.forge import REFRESH, SECRET, strict_codec
from tests.key_holder import ALGORITHMS, KeyHolder

ROUNDS, TIMES = 60, 50
METHOD, PATH = "POST", "/refresh_token"


def main() -> None:
    """Print the least that each took, of rounds in which all take turns: on a shared machine the rest is others'."""
    dpop, codec = AuthlibDPoP(KeyRing(SECRET), FakeClock(), base=BASE), strict_codec()
    work: dict[str, Callable[[], object]] = {"a refresh token": lambda: codec.read_refresh_token(REFRESH.honest)}
    for name in ALGORITHMS:
        proof = KeyHolder(name).prove(METHOD, BASE + PATH, dpop.nonce())
        work[f"{name}, {len(proof)} characters"] = lambda proof=proof: dpop.verify(  # type: ignore[misc]
            proof, method=METHOD, path=PATH
        )
    least = dict.fromkeys(work, float("inf"))
    for _ in range(ROUNDS):
        for name, call in work.items():
            begun = time.perf_counter()
            for _ in range(TIMES):
                call()
            least[name] = min(least[name], (time.perf_counter() - begun) / TIMES)
    for name, seconds in least.items():
        print(f"{name:26} {seconds * 1e6:5.0f} µs")  # noqa: T201


if __name__ == "__main__":
    main()
