"""A roofline model of the benchmark cases: their performance against the FMA peak and the memory bandwidth of this machine.

    python benchmarks/roofline.py --plot roofline.png

The roofline of a case is the minimum of the FMA peak and arithmetic intensity × bandwidth, for the memory level that holds its working set.
Bytes are computed from the sizes: a training step reads every weight in the forward pass and again for dX, and reads and writes it and its
optimizer slots in the update; activations and gradients are written once and read by each pass that needs them. The bandwidth is that of
NumPy reading and writing an array in place. All on one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import common
import numpy as np

import fastmlp
from fastmlp.bench import peers
from fastmlp.bench.cases import CASES, Case, TrainingCase
from fastmlp.bench.peak import Peak
from fastmlp.datasets import mnist

NAMES = ("spiral", "policy", "mnist-dense", "tabular", "wide", "policy-1", "wide-1024")
"""The cases without zero skipping, because skipped zeros need no operations."""
SIZES = (500_000, 16_000_000, 400_000_000)
"""Bytes of the arrays whose bandwidth is measured: on most machines, they fit into L2, into L3, and only into memory."""
SLOTS = {"adam": 2, "rmsprop": 1}


@dataclass(frozen=True)
class Point:
    """A case in the roofline model."""

    case: Case
    seconds: float

    @property
    def gflops(self) -> float:
        return self.case.flops / self.seconds / 1e9

    @property
    def bytes(self) -> float:
        """The bytes read and written per step or call."""
        first, *others = (inputs * units for inputs, units in pairwise(self.case.widths))
        if isinstance(self.case, TrainingCase):
            update = 2 * (1 + SLOTS[self.case.optimizer])
            weights = first * (1 + update) + sum(others) * (2 + update)
            # Activations are written, then read by the next layer, by dW and by activation backward. Gradients are written, also
            # transposed, then read by dW and by dX.
            return 4.0 * (weights + 8 * self.case.batch_size * sum(self.case.widths))
        return 4.0 * (first + sum(others) + 2 * self.case.rows * sum(self.case.widths))

    @property
    def working_set(self) -> float:
        """The bytes that every step or call uses again."""
        weights = sum(inputs * units for inputs, units in pairwise(self.case.widths))
        if isinstance(self.case, TrainingCase):
            return 4.0 * (weights * (1 + SLOTS[self.case.optimizer]) + 3 * self.case.batch_size * sum(self.case.widths))
        return 4.0 * (weights + min(self.case.rows, 480) * sum(self.case.widths))

    @property
    def intensity(self) -> float:
        return self.case.flops / self.bytes

    def level(self, bandwidth: dict[int, float]) -> int:
        """The size of the smallest measured array that is as large as the working set."""
        return next((size for size in bandwidth if size >= self.working_set), max(bandwidth))

    def roof(self, peak: float, bandwidth: dict[int, float]) -> float:
        return min(peak, self.intensity * bandwidth[self.level(bandwidth)])


def runs() -> dict[str, Callable[[], object]]:
    """By case, the function that a round calls; it performs ``repeats`` steps or calls."""
    found = {}
    for name in NAMES:
        case = CASES[name]
        if case.data == "mnist" and mnist.local_folder() is None:
            continue
        found[name] = peers.trainer("fastmlp", case) if isinstance(case, TrainingCase) else _calls(name)
    return found


def _calls(name: str) -> Callable[[], object]:
    case = CASES[name]
    predict = peers.predictor("fastmlp", case)  # type: ignore[arg-type]

    def run() -> None:
        for _ in range(case.repeats):
            predict()

    return run


def bandwidth_of(size: int) -> float:
    """The bandwidth in GB/s, the median of seven runs of a millisecond or more."""
    array = np.ones(size // 4, np.float32)
    times = max(1, 20_000_000 // size)

    def run() -> None:
        for _ in range(times):
            np.multiply(array, np.float32(1), out=array)

    run()
    return 2 * size * times / median(common.seconds_of(run) for _ in range(7)) / 1e9


def draw(points: list[Point], peak: float, bandwidth: dict[int, float], file: Path) -> None:
    about = "Labels: the case and its working set. Slanted roofs: bandwidth of arrays of that size. One thread."
    drawing, (axis,) = common.figure(1, "Each case under the roofs of its data", about, width=7.6, height=4.8)
    colours = dict(zip(bandwidth, (common.BLUE, common.PURPLE, common.ORANGE), strict=False))
    low, high = min(point.intensity for point in points) / 2, max(point.intensity for point in points) * 3
    xs = np.geomspace(low, high, 200)
    for size, rate in bandwidth.items():
        axis.plot(xs, np.minimum(peak, xs * rate), color=colours[size], linewidth=1.2, label=f"{common.bytes_text(size)}: {rate:.0f} GB/s")
    axis.axhline(peak, color=common.GREY, linewidth=1.2, linestyle="--", label=f"FMA peak: {peak:.0f} GFLOP/s")
    for point in points:
        colour = colours[point.level(bandwidth)]
        axis.plot(point.intensity, point.gflops, "o", color=colour, markersize=7)
        axis.plot([point.intensity] * 2, [point.gflops, point.roof(peak, bandwidth)], ":", color=colour, linewidth=1)
        label = f"{point.case.name}\n{common.bytes_text(point.working_set)}"
        crowded = any(1 < other.intensity / point.intensity < 1.6 for other in points)
        place: dict[str, Any] = {"xytext": (-7, -4), "ha": "right"} if crowded else {"xytext": (7, -4)}
        axis.annotate(label, (point.intensity, point.gflops), textcoords="offset points", va="top", fontsize=8, **place)
    axis.set(xscale="log", yscale="log", xlabel="operations for each byte moved", title="GFLOP/s", xlim=(low, high), ylim=(10, 1.6 * peak))
    common.plain_log_axis(axis.xaxis, [tick for tick in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256) if low < tick < high])
    common.plain_log_axis(axis.yaxis, [10, 20, 50, 100, 200])
    axis.legend(loc="lower right", fontsize=8)
    common.save(drawing, file)


def main() -> None:
    parser = common.parser_of(__file__, __doc__)
    parser.add_argument("--rounds", type=common.count, default=5, help="timed rounds (default: 5)")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="save a plot")
    parser.add_argument("--quick", action="store_true", help="a quick check with one round of the small cases")
    options = parser.parse_args()
    fastmlp.set_num_threads(1)
    peak = Peak()
    peak.measure(1)
    bandwidth = {size: bandwidth_of(size) for size in (SIZES[:2] if options.quick else SIZES)}
    chosen = {name: run for name, run in runs().items() if not options.quick or name in ("spiral", "policy-1")}
    times = common.in_turns(chosen, 1 if options.quick else options.rounds)
    peak.measure(1)
    points = [Point(CASES[name], median(seconds) / CASES[name].repeats) for name, seconds in times.items()]
    rows = [
        [
            point.case.name,
            common.number(point.intensity),
            common.bytes_text(point.working_set),
            f"{bandwidth[point.level(bandwidth)]:.0f}",
            f"{point.gflops:.1f}",
            f"{point.roof(peak[1], bandwidth):.0f}",
            f"{point.gflops / point.roof(peak[1], bandwidth):.0%}",
        ]
        for point in points
    ]
    header = ["case", "operations a byte", "working set", "GB/s there", "GFLOP/s", "roof", "of the roof"]
    common.show(f"Roofline, one thread, FMA peak {peak[1]:.0f} GFLOP/s", header, rows)
    if options.plot:
        draw(points, peak[1], bandwidth, options.plot)


if __name__ == "__main__":
    main()
