"""Many threads that do one thing at the same moment, again and again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import TypeVar

_Result = TypeVar("_Result")
_PATIENCE = 60
"""Seconds after which a race that one thread left is given up; a race that goes well never waits for it."""


class Turn:
    """One thread's part in one round."""

    def __init__(self, barrier: Barrier, number: int, contender: int) -> None:
        self.number = number
        self.contender = contender
        self._barrier = barrier

    def wait_for_all(self) -> None:
        """Go on when every thread has come to this point."""
        self._barrier.wait(_PATIENCE)


class Race:
    def __init__(self, close: Callable[[], None]) -> None:
        """Take what gives back, in each thread at its end, what the stores hold there."""
        self._close = close

    def run(self, work: Callable[[Turn], _Result], *, rounds: int, contenders: int = 16) -> list[list[_Result]]:
        """Run `work` in all threads, round by round, and return each round's results by contender.

        All begin a round together, and `work` may make them meet again.
        """
        barrier = Barrier(contenders)

        def contend(contender: int) -> list[_Result]:
            results = []
            try:
                for number in range(rounds):
                    turn = Turn(barrier, number, contender)
                    turn.wait_for_all()
                    results.append(work(turn))
            except BaseException:
                barrier.abort()
                raise
            finally:
                self._close()
            return results

        with ThreadPoolExecutor(contenders) as pool:
            futures = [pool.submit(contend, contender) for contender in range(contenders)]
        for error in (future.exception() for future in futures):
            # Who failed first says why; the others only found the barrier broken.
            if error is not None and not isinstance(error, BrokenBarrierError):
                raise error
        by_contender = [future.result() for future in futures]
        return [list(results) for results in zip(*by_contender, strict=True)]
