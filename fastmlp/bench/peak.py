"""The peak FMA rate of this machine, to which the figures of ``fastmlp bench`` are related.

A fused multiply-add counts as two floating-point operations. The loop is the kernel ``peak`` of the instruction set in use
(src/kernels/kernels.h): independent chains in registers, without memory access. The clock frequency drops when more cores are busy, so the
peak of several threads is measured, not extrapolated.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Peak"]

_SECONDS = 0.005
"""The duration of one try: long enough for the threads to overlap, short enough to fit between disturbances on a busy machine."""
_TRIES = 24


class Peak:
    """The best rate measured so far for each number of threads, since other load can only slow the loop down."""

    def __init__(self) -> None:
        self._iterations = _iterations_in(_SECONDS)
        self._best: dict[int, float] = {}

    def measure(self, threads: int) -> float:
        """Measures on ``threads`` threads; returns the best rate so far in GFLOP/s."""
        self._best[threads] = max(self._best.get(threads, 0.0), *self.tries(threads))
        return self._best[threads]

    def tries(self, threads: int) -> list[float]:
        """Current rates on ``threads`` threads in GFLOP/s, other load included."""
        return [_rate(self._iterations, threads) for _ in range(_TRIES)]

    def __getitem__(self, threads: int) -> float:
        """The best rate on ``threads`` threads in GFLOP/s, measured on first use."""
        return self._best[threads] if threads in self._best else self.measure(threads)

    def as_dict(self) -> dict[int, float]:
        """The best rates in GFLOP/s by number of threads."""
        return dict(sorted(self._best.items()))


def _iterations_in(seconds: float) -> int:
    """The number of iterations of the loop in about this time, on one thread."""
    from fastmlp._core import multiply_adds

    iterations, elapsed = 1 << 10, 0.0
    while elapsed < seconds / 10:
        iterations *= 2
        start = time.perf_counter()
        multiply_adds(iterations)
        elapsed = time.perf_counter() - start
    return max(1, round(iterations * seconds / elapsed))


def _rate(iterations: int, threads: int) -> float:
    """The rate of this many threads in GFLOP/s, from the first start to the last end."""
    from fastmlp._core import multiply_adds

    together = threading.Barrier(threads)
    spans: list[tuple[float, float]] = []
    counts: list[int] = []

    def work() -> None:
        together.wait()
        start = time.perf_counter()
        counts.append(multiply_adds(iterations))
        spans.append((start, time.perf_counter()))

    others = [threading.Thread(target=work) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    return 2 * sum(counts) / seconds / 1e9
