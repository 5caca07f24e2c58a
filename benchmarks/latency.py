"""Latency of predictions of one sample: median, percentiles and maximum.

    python benchmarks/latency.py
    python benchmarks/latency.py --calls 200000

Each call is timed separately, including about 50 ns for the clock. Blocks of calls of each kind are interleaved, so that changes in the
speed of the machine affect all of them. The last column is the median over blocks of the ratio between the 99th percentile and the median
of a block, which does not depend on slow changes of the machine's speed. The last row, a microsecond of Python without fastmlp, shows how
much the machine itself contributes to the slowest calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import common
import numpy as np

from fastmlp.datasets import mnist

NETWORKS = {"policy": (17, 64, 64, 6), "mnist": (784, 512, 10)}
BLOCK = 1000


def calls(block: int, call: Callable[[], object]) -> list[int]:
    """The nanoseconds of each call of a block."""
    clock, times = time.perf_counter_ns, []
    for _ in range(block):
        start = clock()
        call()
        times.append(clock() - start)
    return times


def row(name: str) -> np.ndarray:
    """A sample for the network: a digit of MNIST if it is found locally, otherwise random numbers without zeros."""
    folder = mnist.local_folder() if name == "mnist" else None
    if folder is None:
        return np.random.default_rng(0).standard_normal((1, NETWORKS[name][0]), dtype=np.float32)
    return mnist.load_data(folder)[0][0][:1].reshape(1, -1).astype(np.float32) / np.float32(255)


def ways(name: str) -> dict[str, Callable[[], object]]:
    """The ways to predict one sample with a network."""
    model, x = common.classifier(NETWORKS[name]), row(name)
    return {f"{name}, model(x)": lambda: model(x), f"{name}, predict(x, verbose=0)": lambda: model.predict(x, verbose=0)}


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("--calls", type=common.count, default=50_000, help="calls of each kind (default: 50,000)")
    parser.add_argument("--quick", action="store_true", help="a quick check with 2,000 calls")
    options = parser.parse_args()
    every = {way: call for name in NETWORKS for way, call in ways(name).items()}
    every["Python alone, sum(range(200))"] = lambda: sum(range(200))
    times: dict[str, list[int]] = {way: [] for way in every}
    for call in every.values():
        calls(BLOCK, call)
    for _ in range(-(-(2000 if options.quick else options.calls) // BLOCK)):
        for way, call in every.items():
            times[way] += calls(BLOCK, call)
    rows = []
    for way, nanoseconds in times.items():
        median, hundredth, thousandth, most = np.percentile(nanoseconds, [50, 99, 99.9, 100]) / 1e3
        cells = [f"{value:,.2f}" for value in (median, hundredth, thousandth)]
        blocks = np.percentile(np.reshape(nanoseconds, (-1, BLOCK)), [50, 99], axis=1)
        rows.append([way, *cells, f"{most:,.0f}", f"{np.median(blocks[1] / blocks[0]):.2f}"])
    header = ["one row, µs a call", "median", "99 %", "99.9 %", "slowest", "99 % / median of a block"]
    common.show(f"Latency of {len(nanoseconds):,} calls", header, rows)


if __name__ == "__main__":
    main()
