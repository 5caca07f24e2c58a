"""Hidden layers, activations, learning rates and epochs: trains every combination and compares them in one table.

python examples/combinations.py

Draws combinations.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from fastmlp import layers, models, optimizers, sweep
from fastmlp.datasets import spiral

GRID = {
    "hidden": [(), (8,), (32,), (32, 32)],
    "activation": ["sigmoid", "tanh", "relu"],
    "learning_rate": [0.001, 0.01, 0.1],
    "epochs": [10, 30, 100],
}


def build(hidden: tuple[int, ...], activation: str, learning_rate: float) -> models.Sequential:
    """A compiled network for one combination. The number of epochs is not passed here because it is an argument of fit."""
    model = models.Sequential([layers.Input(shape=(2,))])
    for units in hidden:
        model.add(layers.Dense(units, activation=activation))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare networks and hyperparameters on three spiral arms.")
    parser.add_argument("--quick", action="store_true", help="a quick check with one seed instead of five and fewer epochs")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plot (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    grid, seeds = (GRID | {"epochs": [5, 20]}, 1) if options.quick else (GRID, 5)

    # Three intertwined spiral arms; a fifth of the points are the validation set.
    train, test = spiral.load_data(noise=0.3)

    # Train every combination with several seeds, on all cores. The rows of the results are sorted, best first.
    results = sweep.run(build, grid, train, test, seeds=seeds)

    print("\n".join(str(results).splitlines()[:11]))
    print(f"... {len(results)} combinations, {len(results.runs)} runs")
    best = results.best
    print(f"best validation accuracy {best.mean('validation_accuracy'):.4f} with {best.combination}")

    # The best accuracy with each value of a hyperparameter, over all values of the others.
    for name, values in grid.items():
        print(f"\nbest accuracy by {name.replace('_', ' ')}")
        for value in values:
            row = next(row for row in results if row.combination[name] == value)
            print(f"  {value!s:>10}  {row.mean('validation_accuracy'):.4f}")

    draw(results, grid).savefig(options.plots / "combinations.png", dpi=100)


def draw(results: sweep.Results, grid: dict) -> plt.Figure:
    """All results as a heat map: a row for each network, a column for each learning rate and number of epochs."""
    networks = [(hidden, activation) for hidden in grid["hidden"] for activation in grid["activation"] if hidden or activation == "relu"]
    trainings = [(rate, epochs) for rate in grid["learning_rate"] for epochs in grid["epochs"]]
    accuracy = np.zeros((len(networks), len(trainings)))
    for row in results:
        about = row.combination
        if (about["hidden"], about["activation"]) in networks:
            place = networks.index((about["hidden"], about["activation"])), trainings.index((about["learning_rate"], about["epochs"]))
            accuracy[place] = row.mean("validation_accuracy")

    figure, axes = plt.subplots(figsize=(9, 5.4), layout="constrained")
    image = axes.imshow(accuracy, cmap="viridis", vmin=1 / 3, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(accuracy):
        axes.text(x, y, f"{value:.1%}", ha="center", va="center", fontsize=9, color="black" if value > 0.75 else "white")
    names = [f"{'-'.join(map(str, (2, *hidden, 3)))}  {activation if hidden else ''}" for hidden, activation in networks]
    axes.set_yticks(range(len(networks)), names)
    axes.set_xticks(range(len(trainings)), [str(epochs) for _, epochs in trainings])
    axes.set_xlabel("epochs")
    width = len(grid["epochs"])
    for number, rate in enumerate(grid["learning_rate"]):
        axes.text(number * width + (width - 1) / 2, -0.7, f"learning rate {rate:g}", ha="center", fontsize=10)
        axes.axvline(number * width - 0.5, color="white", linewidth=4)
    for number, (hidden, _) in enumerate(networks[1:], start=1):
        if hidden != networks[number - 1][0]:
            axes.axhline(number - 0.5, color="white", linewidth=4)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, label="share of validation points right", format=lambda share, _: f"{share:.0%}")
    return figure


if __name__ == "__main__":
    main()
