"""The batch size: its effect on the time per step and per epoch, and on accuracy.

python examples/batch_size.py

Draws batch_size.png.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import matplotlib.pyplot as plt

from fastmlp import layers, models, optimizers, sweep
from fastmlp.datasets import spiral

GRID = {
    "batch_size": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1200],
    "learning_rate": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1],
    "epochs": 20,
}
USUAL_RATE = 0.001
BLUE, RED, GREEN = "#4477AA", "#EE6677", "#228833"


def build(learning_rate: float) -> models.Sequential:
    """A compiled network, the same for every batch size, which is an argument of fit."""
    model = models.Sequential([layers.Input(shape=(2,))])
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare batch sizes on three spiral arms.")
    parser.add_argument("--quick", action="store_true", help="a quick check with few sizes and one seed")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plot (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    grid, seeds = GRID, 5
    if options.quick:
        grid, seeds = GRID | {"batch_size": [4, 32, 1200], "learning_rate": [USUAL_RATE, 0.03], "epochs": 8}, 1

    (x_train, y_train), test = spiral.load_data(noise=0.3)

    # One worker, so that runs do not slow each other down. The first sweep only warms up.
    sweep.run(build, grid | {"batch_size": 32, "epochs": 1}, (x_train, y_train), test, seeds=1, workers=1, verbose=0)
    results = sweep.run(build, grid, (x_train, y_train), test, seeds=seeds, workers=1)

    print("rows  steps/epoch  us/step  ms/epoch  accuracy at 0.001  at the best rate")
    table = []
    for size in grid["batch_size"]:
        rows = [row for row in results if row.combination["batch_size"] == size]  # best first, as in results
        usual = next(row for row in rows if row.combination["learning_rate"] == USUAL_RATE)
        steps = math.ceil(len(x_train) / size)
        epoch = min(run.numbers["seconds"] for row in rows for run in row.runs) / grid["epochs"]
        table.append((size, steps, epoch, usual, rows[0]))
        print(
            f"{size:4}  {steps:11}  {epoch / steps * 1e6:7.1f}  {epoch * 1e3:8.2f}  {usual.mean('validation_accuracy'):17.4f}  "
            f"{rows[0].mean('validation_accuracy'):8.4f} ({rows[0].combination['learning_rate']:g})"
        )
    best = results.best
    print(f"best validation accuracy {best.mean('validation_accuracy'):.4f} with {best.combination}")

    draw(table, len(x_train), grid["epochs"]).savefig(options.plots / "batch_size.png", dpi=100)


def draw(table: list, rows: int, epochs: int) -> plt.Figure:
    """Times on the left, accuracies on the right."""
    sizes, steps, seconds, usual, best = zip(*table, strict=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    left.plot(sizes, [second * 1e3 for second in seconds], "o-", color=BLUE, label="one epoch, in ms")
    left.plot(sizes, [second / count * 1e3 for second, count in zip(seconds, steps, strict=True)], "s-", color=RED, label="one step, in ms")
    left.set(yscale="log", ylabel="time (ms)", title=f"Cost: {rows:,} rows an epoch")
    for points, colour, marker, label in (
        (usual, RED, "s", f"learning rate {USUAL_RATE:g} for all"),
        (best, GREEN, "o", "the best learning rate for each"),
    ):
        means, deviations = [row.mean("validation_accuracy") for row in points], [row.deviation("validation_accuracy") for row in points]
        right.errorbar(sizes, means, yerr=deviations, fmt=f"{marker}-", color=colour, capsize=3, label=label)
    right.set(ylabel="share of validation points right", title=f"Precision after {epochs} epochs")
    for axes in (left, right):
        axes.set(xscale="log", xlabel="rows in a minibatch")
        axes.set_xticks([1, 4, 16, 64, 256, rows], ["1", "4", "16", "64", "256", f"{rows:,}"])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


if __name__ == "__main__":
    main()
