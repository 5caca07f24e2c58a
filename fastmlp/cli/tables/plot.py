"""The figure of a training on a table: loss and accuracy over the epochs, and predictions against targets for the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._plotting.drawing import COLOURS, TEXT, Curves, History, quiet
from fastmlp.plotting import plot_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fastmlp._plotting.figures import Figure

__all__ = ["plot_table"]

_CLASSES = 20
"""The maximum number of classes that are compared one by one."""
_POINTS = 5000
_NAME = 12
"""The maximum number of characters of a class."""
_LINE = 40
"""The maximum number of characters of all classes on one line."""


def plot_table(history: History | Curves, target: str, classes: list[str], y: NDArray[Any], values: NDArray[np.floating]) -> Figure:
    """Plot a training.

    Args:
        history: The return value of ``fit``.
        target: The name of the target.
        classes: The labels of the classes; empty for a regression.
        y: The targets of the test rows: codes of classes, or numbers.
        values: Their predictions ``(rows, classes)`` or ``(rows, 1)``.
    """
    from matplotlib.gridspec import GridSpec

    figure = plot_history(history)
    if len(classes) > _CLASSES:
        return figure
    curves = figure.axes
    width, height = figure.get_size_inches()
    figure.set_size_inches(width / len(curves) * (len(curves) + 1), height)
    grid = GridSpec(1, len(curves) + 1, figure=figure)
    for place, curve in enumerate(curves):
        curve.set_subplotspec(grid[place])
    ax = figure.add_subplot(grid[-1])
    if classes:
        _draw_confusion(ax, classes, y, values)
    else:
        _draw_numbers(ax, target, y, values[:, 0])
    ax.set_title("Test rows", loc="left", color=TEXT, fontweight="bold")
    quiet(ax)
    return figure


def _draw_confusion(ax: Axes, classes: list[str], y: NDArray[np.integer], probabilities: NDArray[np.floating]) -> None:
    """How many rows of each class were predicted as which class, as a fraction of the rows of the class."""
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, (y, probabilities.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(shares.shape):
        if counts[row, column]:
            colour = "white" if shares[row, column] > 0.5 else TEXT
            size = 9 if len(classes) <= 6 else 6
            ax.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=colour, fontsize=size)
    names = [_label(name if len(name) <= _NAME else f"{name[: _NAME - 1]}…") for name in classes]
    ax.set_xticks(range(len(classes)), names, rotation=90 if sum(map(len, names)) > _LINE else 0)
    ax.set_yticks(range(len(classes)), names)
    ax.set_xlabel("predicted", color=TEXT)
    ax.set_ylabel("true", color=TEXT)


def _draw_numbers(ax: Axes, target: str, y: NDArray[np.floating], predicted: NDArray[np.floating]) -> None:
    shown = slice(None, None, -(-len(y) // _POINTS))
    ends = [float(min(y.min(), predicted.min())), float(max(y.max(), predicted.max()))]
    ax.plot(ends, ends, color=COLOURS[6], linewidth=1, zorder=1)
    ax.scatter(y[shown], predicted[shown], s=6, color=COLOURS[0], alpha=0.5, linewidths=0, zorder=2)
    ax.set_xlabel(_label(f"true {target}"), color=TEXT)
    ax.set_ylabel("predicted", color=TEXT)
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)


def _label(text: str) -> str:
    """A text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")
