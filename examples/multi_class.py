"""Five classes, one of them rare: softmax, confusion matrices, class weights, and the best possible classifier.

python examples/multi_class.py

Draws multi_class-plane.png and multi_class-confusion.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from fastmlp import layers, models, utils
from fastmlp.datasets import gaussians
from fastmlp.optimizers import Adam
from fastmlp.utils import to_categorical

COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#AA3377")
CLASSES, RARE, NOISE = len(COLOURS), 0, 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description="Classify points of five overlapping classes, one of them rare.")
    parser.add_argument("--quick", action="store_true", help="a quick check with an eighth of the training points")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    x_train, y_train = points(500 if options.quick else 4_000, seed=1)
    x_test, y_test = points(20_000, seed=2)
    epochs = 20

    # Integer labels and one-hot labels are equivalent: the same loss, and the same weights to the last bit.
    by_number = network(hidden=16, loss="sparse_categorical_crossentropy")
    by_number.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=0)
    one_hot = network(hidden=16, loss="categorical_crossentropy")
    one_hot.fit(x_train, to_categorical(y_train), epochs=epochs, batch_size=64, verbose=0)
    same = all(np.array_equal(a, b) for a, b in zip(by_number.get_weights(), one_hot.get_weights(), strict=True))
    print(f"the same weights from integers and from one-hot labels: {same}")

    # Does the hidden layer help? And what changes if the rare class counts as much as each of the others?
    linear = network(hidden=0)
    linear.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=0)
    counts = np.bincount(y_train)
    weighted = network(hidden=16)
    weights = {label: len(y_train) / (CLASSES * count) for label, count in enumerate(counts)}
    weighted.fit(x_train, y_train, epochs=epochs, batch_size=64, class_weight=weights, verbose=0)

    answers = {
        "no hidden layer": linear.predict(x_test, verbose=0).argmax(axis=1),
        "16 hidden units": by_number.predict(x_test, verbose=0).argmax(axis=1),
        "with class weights": weighted.predict(x_test, verbose=0).argmax(axis=1),
        "Bayes' rule": best_answers(x_test, counts / len(y_train)),
    }
    print(f"{'':18}  accuracy   rare class: recall   precision")
    for name, answer in answers.items():
        matrix = confusion(y_test, answer)
        recall, precision = matrix[RARE, RARE] / matrix[RARE].sum(), matrix[RARE, RARE] / matrix[:, RARE].sum()
        print(f"{name:18}  {matrix.trace() / matrix.sum():8.3f}   {recall:18.3f}   {precision:9.3f}")

    shown = {"16 hidden units": by_number, "with class weights": weighted}
    draw_planes(shown, x_train, y_train).savefig(options.plots / "multi_class-plane.png", dpi=100)
    matrices = {name: confusion(y_test, answers[name]) for name in shown}
    draw_confusion(matrices).savefig(options.plots / "multi_class-confusion.png", dpi=100)


def points(per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Five round clusters on a circle; only one in ten points of class 0 is kept."""
    x, y = gaussians.generate(points_per_class=per_class, classes=CLASSES, noise=NOISE, seed=seed)
    keep = (y != RARE) | (np.random.default_rng(seed).random(len(y)) < 0.1)
    return x[keep], y[keep]


def network(hidden: int, loss: str = "sparse_categorical_crossentropy") -> models.Sequential:
    """Softmax over the classes, after a hidden layer or directly after the input."""
    utils.set_random_seed(0)
    model = models.Sequential([layers.Input(shape=(2,))])
    if hidden:
        model.add(layers.Dense(hidden, activation="relu"))
    model.add(layers.Dense(CLASSES, activation="softmax"))
    model.compile(optimizer=Adam(learning_rate=0.01), loss=loss, metrics=["accuracy"])
    return model


def best_answers(x: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The predictions of the best possible classifier, which knows the distributions: the class with the largest prior · density."""
    angles = 2 * np.pi * np.arange(CLASSES) / CLASSES
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    squares = ((x[:, None] - centres) ** 2).sum(axis=2)
    return (np.log(shares) - squares / (2 * NOISE**2)).argmax(axis=1)


def confusion(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """The number of points of each true class (row) and predicted class (column)."""
    matrix = np.zeros((CLASSES, CLASSES), int)
    np.add.at(matrix, (labels, answers), 1)
    return matrix


def draw_planes(shown: dict, x: np.ndarray, y: np.ndarray) -> plt.Figure:
    """The predicted class everywhere in the plane for each network, with some of the training points."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained", sharey=True)
    side = np.linspace(-2.3, 2.3, 301, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    colours = np.array([to_rgb(colour) for colour in COLOURS])
    for ax, (name, model) in zip(axes, shown.items(), strict=True):
        answers = model.predict(plane, verbose=0).argmax(axis=1).reshape(301, 301)
        ax.imshow(1 - 0.3 * (1 - colours[answers]), origin="lower", extent=(-2.3, 2.3, -2.3, 2.3))
        for label in range(CLASSES):
            ax.scatter(*x[:1500][y[:1500] == label].T, s=7, color=COLOURS[label], edgecolor="white", linewidth=0.2, label=f"class {label}")
        ax.set(title=name, xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), xlabel="first feature")
    axes[0].set_ylabel("second feature")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=CLASSES, markerscale=2.5)
    return figure


def draw_confusion(matrices: dict) -> plt.Figure:
    """Confusion matrices in percent of each row, so that the diagonal is the recall of each class."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        percent = 100 * matrix / matrix.sum(axis=1, keepdims=True)
        ax.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for row, column in np.ndindex(percent.shape):
            value = percent[row, column]
            ax.text(column, row, f"{value:.1f}", ha="center", va="center", color="white" if value > 50 else "black")
        labels = [f"{label} (rare)" if label == RARE else str(label) for label in range(CLASSES)]
        ax.set(title=f"{name}, % of each class", xlabel="answer", ylabel="class", yticks=range(CLASSES), yticklabels=labels)
    return figure


if __name__ == "__main__":
    main()
