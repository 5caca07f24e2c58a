"""Overfitting, and how to prevent it: smaller networks, dropout, L2, early stopping, and more data.

python examples/overfitting.py

Draws overfitting-curves.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from fastmlp import layers, models, utils
from fastmlp.callbacks import EarlyStopping
from fastmlp.datasets import moons
from fastmlp.regularizers import L2

BLUE, RED = "#4477AA", "#EE6677"
NOISE = 0.4
CROSSENTROPY = "binary_crossentropy"


def main() -> None:
    parser = argparse.ArgumentParser(description="Overfit 200 points, then compare ways to prevent it.")
    parser.add_argument("--quick", action="store_true", help="a quick check with fewer epochs and one repetition")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    epochs, repetitions = (150, 1) if options.quick else (600, 5)

    # Each network's arguments, number of training points and callbacks.
    patience = EarlyStopping(f"val_{CROSSENTROPY}", patience=50, mode="min", restore_best_weights=True)
    runs = {
        "large: 2-256-256-1": ({}, 200, []),
        "small: 2-8-8-1": ({"units": 8}, 200, []),
        "dropout 0.5": ({"dropout": 0.5}, 200, []),
        "L2 0.01": ({"l2": 0.01}, 200, []),
        "dropout 0.5 and L2 0.01": ({"dropout": 0.5, "l2": 0.01}, 200, []),
        "large, stopped early": ({}, 200, [patience]),
        "large, 4,000 points": ({}, 4_000, []),
    }
    shown = {}
    print(f"{'cross-entropy of':24}   training   test    accuracy: training   test   (means of {repetitions})")
    for name, (design, points, callbacks) in runs.items():
        results = []
        for repetition in range(repetitions):
            # Two half moons with so much noise that they overlap. Validation and test sets are large, for accurate estimates.
            x_train, y_train = moons.generate(points_per_class=points // 2, noise=NOISE, seed=3 * repetition + 1)
            validation = moons.generate(points_per_class=500, noise=NOISE, seed=3 * repetition + 2)
            test = moons.generate(points_per_class=2_000, noise=NOISE, seed=3 * repetition + 3)
            model = network(seed=repetition, **design)
            history = model.fit(
                x_train,
                y_train,
                epochs=epochs * 200 // points,  # about the same number of steps for all
                batch_size=32,
                validation_data=validation,
                callbacks=callbacks,
                verbose=0,
            ).history
            parts = [model.evaluate(*part, verbose=0, return_dict=True) for part in ((x_train, y_train), test)]
            results.append([part[measure] for measure in (CROSSENTROPY, "accuracy") for part in parts])
            shown.setdefault(name, (model, history, x_train, y_train))
        loss, test_loss, accuracy, test_accuracy = np.mean(results, axis=0)
        print(f"{name:24}   {loss:8.3f}   {test_loss:4.3f}   {accuracy:18.3f}   {test_accuracy:.3f}")
    draw(dict(list(shown.items())[:4])).savefig(options.plots / "overfitting-curves.png", dpi=100)


def network(units: int = 256, dropout: float = 0.0, l2: float = 0.0, seed: int = 0) -> models.Sequential:
    """Two hidden layers, optionally with L2 regularization and dropout."""
    utils.set_random_seed(seed)
    model = models.Sequential([layers.Input(shape=(2,))])
    for _ in range(2):
        model.add(layers.Dense(units, activation="relu", kernel_regularizer=L2(l2) if l2 else None))
        if dropout:
            model.add(layers.Dropout(dropout))
    model.add(layers.Dense(1, activation="sigmoid"))
    # The loss includes the L2 penalty; the cross-entropy as a metric does not, so it can be compared between networks.
    model.compile(optimizer="adam", loss=CROSSENTROPY, metrics=["accuracy", CROSSENTROPY])
    return model


def draw(shown: dict) -> plt.Figure:
    """The curves of each network, and below them its predictions in the plane."""
    figure, axes = plt.subplots(2, len(shown), figsize=(10, 5), layout="constrained", sharey="row")
    colours = LinearSegmentedColormap.from_list("answers", [RED, "white", BLUE])
    u, v = np.linspace(-2, 3, 201, dtype=np.float32), np.linspace(-2, 2.5, 181, dtype=np.float32)
    plane = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    for (upper, lower), (name, (model, history, x, y)) in zip(axes.T, shown.items(), strict=True):
        upper.plot(history[CROSSENTROPY], color=BLUE, label="training")
        upper.plot(history[f"val_{CROSSENTROPY}"], "--", color=RED, label="validation")
        upper.set(title=name, xlabel="epoch", ylim=(0, 1.1))
        upper.grid(alpha=0.3)
        answers = model.predict(plane, verbose=0).reshape(181, 201)
        lower.imshow(answers, origin="lower", extent=(-2, 3, -2, 2.5), cmap=colours, vmin=0, vmax=1, alpha=0.6)
        lower.contour(u, v, answers, levels=[0.5], colors="0.3", linewidths=1.5)
        for label, marker, colour in ((0, "o", RED), (1, "s", BLUE)):
            lower.scatter(*x[y == label].T, s=14, marker=marker, color=colour, edgecolor="white", linewidth=0.4)
        lower.set(aspect="equal", xlabel="first feature")
    axes[0, 0].set_ylabel("cross-entropy")
    axes[1, 0].set_ylabel("second feature")
    axes[0, 1].legend()
    return figure


if __name__ == "__main__":
    main()
