"""Logic gates with a single perceptron, why it fails on XOR, and how a hidden layer solves it.

python examples/perceptron.py

Draws perceptron-gates.png and perceptron-hidden.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from fastmlp import layers, models, utils
from fastmlp.optimizers import SGD, Adam

BLUE, LIGHT, RED = "#4477AA", "#66CCEE", "#EE6677"
X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NAND": [1, 1, 1, 0], "XOR": [0, 1, 1, 0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Logic gates with one perceptron, and XOR with a hidden layer.")
    parser.add_argument("--quick", action="store_true", help="a quick check with fewer seeds")
    parser.add_argument("--plots", type=Path, default=Path(), metavar="FOLDER", help="folder for the plots (default: current folder)")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)

    # One perceptron for each gate: with two inputs and one output, its decision boundary is a straight line.
    perceptrons, losses = {}, {}
    print("gate   output for 00   01   10   11   loss   line")
    for gate, y in GATES.items():
        utils.set_random_seed(0)
        perceptron = models.Sequential([layers.Dense(1, activation="sigmoid", input_shape=(2,))])
        perceptron.compile(optimizer=SGD(learning_rate=1.0), loss="binary_crossentropy")
        losses[gate] = perceptron.fit(X, np.array(y), epochs=500, batch_size=4, verbose=0).history["loss"]
        perceptrons[gate] = perceptron
        (w, b), outputs = perceptron.get_weights(), perceptron.predict(X, verbose=0)[:, 0]
        shown = "   ".join(f"{output:.2f}" for output in outputs)
        print(f"{gate:5}       {shown}   {losses[gate][-1]:.3f}   {w[0, 0]:+.1f}·x₁ {w[1, 0]:+.1f}·x₂ {b[0]:+.1f} = 0")
    draw_gates(perceptrons, losses).savefig(options.plots / "perceptron-gates.png", dpi=100)

    # XOR with a hidden layer. With two units, success depends on the initial weights; with more units it is likely.
    y = np.array(GATES["XOR"])
    starts = 5 if options.quick else 50
    shown = None
    for units in (2, 3, 4, 8):
        solved = 0
        for seed in range(starts):
            model = hidden_layer(units, seed)
            model.fit(X, y, epochs=500, batch_size=4, verbose=0)
            if np.array_equal(model.predict(X, verbose=0)[:, 0] > 0.5, y):
                solved += 1
                shown = shown or model
        print(f"{units} hidden units learn XOR from {solved} of {starts} starts")
    draw_hidden(shown, y).savefig(options.plots / "perceptron-hidden.png", dpi=100)


def hidden_layer(units: int, seed: int) -> models.Sequential:
    """The smallest network with a hidden layer: 2-units-1."""
    utils.set_random_seed(seed)
    model = models.Sequential()
    model.add(layers.Dense(units, activation="tanh", input_shape=(2,)))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer=Adam(learning_rate=0.05), loss="binary_crossentropy")
    return model


def draw_gates(perceptrons: dict, losses: dict) -> plt.Figure:
    """The output of each perceptron in the plane, and its training loss."""
    figure = plt.figure(figsize=(9, 5.8), layout="constrained")
    grid = figure.add_gridspec(2, 3)
    for place, (gate, model) in zip((grid[0, 0], grid[0, 1], grid[0, 2], grid[1, 0]), perceptrons.items(), strict=True):
        ax = figure.add_subplot(place)
        draw_plane(ax, model, np.array(GATES[gate]))
        ax.set_title(gate)
    ax = figure.add_subplot(grid[1, 1:])
    for gate, colour, width, style in (("XOR", RED, 2, "-"), ("AND", LIGHT, 5, "-"), ("NAND", BLUE, 1.5, "--"), ("OR", BLUE, 1.5, "-")):
        ax.plot(losses[gate], style, color=colour, linewidth=width, label=gate)
    ax.axhline(np.log(2), color="black", linewidth=1, linestyle=":", label="log 2, the loss of guessing")
    ax.set(xlabel="epoch", ylabel="cross-entropy", title="loss", ylim=0)
    ax.legend()
    return figure


def draw_hidden(model: models.Sequential, y: np.ndarray) -> plt.Figure:
    """The output of a network with two hidden units, the line of each unit, and the four points in the space of the hidden units."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.7), layout="constrained")
    w, b, v, c = model.get_weights()
    draw_plane(left, model, y)
    for unit, style in ((0, "-"), (1, "--")):
        draw_line(left, w[:, unit], b[unit], style, f"hidden unit {unit + 1}")
    left.set_title("the plane, cut by two lines")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)

    hidden = np.tanh(X @ w + b)
    draw_points(right, hidden, y)
    for point, (first, second) in zip(hidden, X.astype(int), strict=True):
        right.annotate(f"{first}{second}", point, xytext=(9, -15 if first == second == 0 else 7), textcoords="offset points")
    draw_line(right, v[:, 0], c[0], "-", "output unit")
    right.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), xlabel="output of hidden unit 1", ylabel="output of hidden unit 2")
    right.set_title("the same points after the hidden layer")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return figure


def draw_plane(ax: plt.Axes, model: models.Sequential, y: np.ndarray) -> None:
    """The output as a colour, white at 0.5, with the decision boundary and the four inputs."""
    side = np.linspace(-0.5, 1.5, 101, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    answers = model.predict(plane, verbose=0).reshape(101, 101)
    colours = LinearSegmentedColormap.from_list("answers", [RED, "white", BLUE])
    ax.imshow(answers, origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), cmap=colours, vmin=0, vmax=1, alpha=0.6)
    if np.abs(answers - 0.5).max() > 0.1:  # otherwise the output is 0.5 everywhere, and the boundary is rounding noise
        ax.contour(side, side, answers, levels=[0.5], colors="0.4", linewidths=1.5)
    draw_points(ax, X, y)
    ax.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), xticks=[0, 1], yticks=[0, 1], xlabel="x₁", ylabel="x₂", aspect="equal")


def draw_points(ax: plt.Axes, points: np.ndarray, y: np.ndarray) -> None:
    """Filled squares for inputs with target 1, discs for those with target 0."""
    for label, marker, colour in ((0, "o", RED), (1, "s", BLUE)):
        chosen = points[y == label]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=90, marker=marker, color=colour, edgecolor="black", zorder=3)


def draw_line(ax: plt.Axes, w: np.ndarray, b: float, style: str, label: str) -> None:
    """The line w·x + b = 0."""
    ax.axline(-b * w / (w @ w), tuple(-b * w / (w @ w) + [-w[1], w[0]]), color="black", linestyle=style, linewidth=1.5, label=label)


if __name__ == "__main__":
    main()
