"""The break-even point of skipping zeros: the time of a training step with and without, by the fraction of non-zeros in x.

    python benchmarks/zero_skipping.py                 a table for each network, on all threads
    python benchmarks/zero_skipping.py --threads 1
    python benchmarks/zero_skipping.py --plot FILE     also plot the curves (needs matplotlib)

Results are medians over interleaved rounds. The trained weights are the same with and without skipping.
"""

from __future__ import annotations

import argparse
import statistics
import time
from itertools import pairwise
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import fastmlp
from fastmlp import layers, models
from fastmlp._engine import threads

NETWORKS = {"784-32-10": (784, 32, 10), "784-128-10": (784, 128, 10), "784-512-10": (784, 512, 10), "1024-2048-1000": (1024, 2048, 1000)}
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.65, 0.8)
BATCH, ROWS, ROUNDS = 128, 1280, 7


def trainer(widths: tuple[int, ...], skip_zeros: Any) -> models.Sequential:
    """A compiled network with this ``skip_zeros``."""
    model = models.Sequential([layers.Input(shape=(widths[0],))])
    for units in widths[1:-1]:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(widths[-1], activation="softmax"))
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", skip_zeros=skip_zeros)
    return model


def measure(widths: tuple[int, ...], share: float) -> tuple[float, float]:
    """The microseconds of a training step with and without skipping zeros."""
    random = np.random.default_rng(0)
    x = np.where(random.random((ROWS, widths[0])) < share, random.random((ROWS, widths[0])), 0).astype(np.float32)
    y = random.integers(widths[-1], size=ROWS)
    both = [trainer(widths, skip_zeros) for skip_zeros in (True, False)]
    times: list[list[float]] = [[], []]
    for round_ in range(1 + ROUNDS):
        for model, taken in zip(both, times, strict=True):
            start = time.perf_counter()
            model.fit(x, y, batch_size=BATCH, epochs=2, verbose=0)
            if round_:
                taken.append((time.perf_counter() - start) / (2 * ROWS / BATCH) * 1e6)
    skipping, dense = map(statistics.median, times)
    return skipping, dense


def threshold(name: str) -> float:
    """The fraction of non-zeros below which a network skips zeros by default."""
    return float(trainer(NETWORKS[name], "auto").network.skip_below)


def crossing(curve: list[tuple[float, float, float]]) -> str:
    """The fraction of non-zeros where both take the same time, by linear interpolation."""
    for (low, skipping, dense), (high, next_skipping, next_dense) in pairwise(curve):
        before, after = skipping / dense - 1, next_skipping / next_dense - 1
        if before < 0 <= after:
            return f"{low + (high - low) * before / (before - after):.0%}"
    return "above all" if curve[-1][1] < curve[-1][2] else "below all"


def plot(curves: dict[str, list[tuple[float, float, float]]], path: str) -> None:
    """Plots the curves."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    axes: Any
    figure, axes = pyplot.subplots()
    for name, curve in curves.items():
        (line,) = axes.plot([share for share, *_ in curve], [skipping / dense for _, skipping, dense in curve], marker="o", label=name)
        axes.axvline(threshold(name), color=line.get_color(), linewidth=0.8, linestyle="--")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set(xlabel="share of x that is not zero", ylabel="time with zeros skipped / without", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="number of threads (default: the number that fastmlp uses)")
    parser.add_argument(
        "--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), metavar="WIDTHS", help=f"of {', '.join(NETWORKS)}"
    )
    parser.add_argument("--plot", metavar="FILE", help="save a plot as FILE, a .png")
    options = parser.parse_args()
    if options.threads:
        threads.set_num_threads(options.threads)
    console = Console()
    console.print(f"{fastmlp.build_info()['isa']}, {threads.get_num_threads()} threads")
    curves = {}
    for name in options.networks:
        curve = [(share, *measure(NETWORKS[name], share)) for share in SHARES]
        curves[name] = curve
        table = Table(
            "not zero", "skipping, µs", "dense, µs", "ratio", title=f"{name}: even at {crossing(curve)}, skips below {threshold(name):.0%}"
        )
        for share, skipping, dense in curve:
            table.add_row(f"{share:.0%}", f"{skipping:,.0f}", f"{dense:,.0f}", f"{skipping / dense:.2f}")
        console.print(table)
    if options.plot:
        plot(curves, options.plot)


if __name__ == "__main__":
    main()
