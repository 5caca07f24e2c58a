"""Pictures of a training run: loss and accuracy over the epochs, and the decision boundary of a network with two inputs.

Needs matplotlib: ``pip install "fastmlp[plot]"``. A notebook shows the figures by itself; ``figure.show()`` opens a window, and
``figure.savefig("training.png")`` writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as PlainFigure

    from fastmlp._plotting.figures import Figure

__all__ = ["draw_live", "new_figure", "plot_decision_boundary", "plot_history", "plot_learning_rates", "plot_training"]

COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
"""Paul Tol's bright scheme: distinct for colour-blind eyes and in print."""
_TRAINING, _VALIDATION = COLOURS[0], COLOURS[1]
TEXT, FAINT = "#333333", "#999999"
_PANEL_INCHES = 4.0
_MAX_COLUMNS = 4
_GRID_POINTS = 300
_TITLES = {"loss": "Loss", "accuracy": "Accuracy", "acc": "Accuracy"}


def plot_training(history: Any, model: Any = None, train: Any = None, test: Any = None) -> Figure:
    """One figure of a whole run: a panel for the loss, one for each metric, and the decision boundary if the data have two features.

    Args:
        history: What ``fit`` returned, or its ``history`` dict.
        model: The trained model, for the decision boundary.
        train: ``(x, y)`` with integer labels.
        test: The same for test data; marked apart from ``train``.

    Returns:
        A matplotlib figure; write it with ``figure.savefig("training.png")``.

    Example:
        >>> from fastmlp.plotting import plot_training
        >>> figure = plot_training({"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.7, 0.6]})
        >>> len(figure.axes)
        1
    """
    curves = _curves(history)
    two_features = model is not None and train is not None and np.ndim(train[0]) == 2 and np.shape(train[0])[1] == 2
    panels = len(curves) + two_features
    figure = new_figure(panels)
    axes = _panels(figure, panels)
    for name, ax in zip(curves, axes, strict=False):
        _draw_curve(ax, name, curves[name])
    if two_features:
        _draw_boundary(axes[-1], model, train, test)
    return figure


def plot_history(history: Any) -> Figure:
    """The loss and each metric over the epochs, training and validation in one panel.

    Args:
        history: What ``fit`` returned, or its ``history`` dict.

    Example:
        >>> from fastmlp.plotting import plot_history
        >>> figure = plot_history({"accuracy": [0.5, 0.9], "loss": [1.0, 0.4]})
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['Loss', 'Accuracy']
    """
    return plot_training(history)


def plot_decision_boundary(model: Any, x: ArrayLike, y: ArrayLike, test: Any = None) -> Figure:
    """What the network answers everywhere in the plane, with the data over it.

    Args:
        model: A classifier with two inputs that ends with sigmoid, tanh, softmax or logits.
        x: ``(rows, 2)``.
        y: The class of each sample: integer labels ``(rows,)``, one-hot rows, or -1 and 1.
        test: ``(x, y)`` of test data, marked apart.
    """
    if np.ndim(x) != 2 or np.shape(x)[1] != 2:
        raise ValueError(f"a decision boundary is drawn over two features; x has the shape {np.shape(x)}")
    figure = new_figure(1)
    _draw_boundary(figure.subplots(), model, (x, y), test)
    return figure


def plot_learning_rates(rates: Sequence[float], losses: Sequence[float], smoothed: ArrayLike, suggestion: float) -> Figure:
    """The loss against the learning rate, from a range test; see :class:`fastmlp.callbacks.LearningRateFinder`.

    Args:
        rates: Learning rates, ascending.
        losses: The loss of the minibatch trained at each.
        smoothed: The same, smoothed.
        suggestion: The rate to mark.
    """
    figure = new_figure(1.5)
    ax = figure.subplots()
    smoothed = np.asarray(smoothed)
    ax.plot(rates, losses, color=COLOURS[6], linewidth=0.8, label="each minibatch")
    ax.plot(rates, smoothed, color=_TRAINING, linewidth=1.8, label="smoothed")
    ax.axvline(suggestion, color=_VALIDATION, linewidth=1.2, linestyle="--", label=f"suggestion {suggestion:.2g}")
    ax.set_xscale("log")
    lowest = int(np.argmin(smoothed))
    low, high = float(smoothed[lowest]), float(smoothed[: lowest + 1].max())
    span = max(high - low, 1e-12)
    ax.set_ylim(low - 0.25 * span, high + 0.4 * span)  # beyond, only the explosion is to be seen
    ax.set_xlabel("learning rate", color=TEXT)
    ax.set_title("Loss by learning rate", loc="left", color=TEXT, fontweight="bold")
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    quiet(ax)
    ax.legend(frameon=False, labelcolor=TEXT)
    return figure


def draw_live(figure: PlainFigure, curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> None:
    """Draw a training that is still going on: a panel for each number, the loss first and the learning rate last.

    Args:
        figure: What was drawn on it before is wiped off.
        curves: ``{"loss": {"training": [(epoch, value), …], "validation": […]}, …}``
    """
    figure.clear()
    names = sorted(curves, key=lambda name: (name == "learning rate", name != "loss", name))
    for name, ax in zip(names, _panels(figure, len(names)), strict=False):
        for curve, points in curves[name].items():
            places, values = zip(*points, strict=True) if points else ((), ())
            colour = _VALIDATION if curve == "validation" else _TRAINING
            ax.plot(places, values, color=colour, label=curve or None, linewidth=1.8, marker="o" if len(points) < 3 else None, markersize=4)
        ax.set_title(_TITLES.get(name, name.replace("_", " ").capitalize()), loc="left", color=TEXT, fontweight="bold")
        ax.set_xlabel("epoch", color=TEXT)
        ax.grid(color="#E5E5E5", linewidth=0.8)
        ax.set_axisbelow(True)
        quiet(ax)
        if len(curves[name]) > 1:
            ax.legend(frameon=False, labelcolor=TEXT)


def new_figure(panels: float) -> Figure:
    """An empty figure, wide enough for so many panels side by side."""
    from fastmlp._plotting.figures import Figure

    return Figure(figsize=(_PANEL_INCHES * 1.15 * panels, _PANEL_INCHES), dpi=150, layout="constrained")


def _panels(figure: PlainFigure, count: int) -> list[Axes]:
    """Axes for so many panels, at most four side by side; for several rows of them the figure becomes as large as they need."""
    columns = min(max(count, 1), _MAX_COLUMNS)
    rows = -(-max(count, 1) // columns)
    if rows > 1:
        figure.set_size_inches(_PANEL_INCHES * 1.15 * columns, _PANEL_INCHES * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[max(count, 1) :]:
        spare.remove()
    return axes[: max(count, 1)]


def _curves(history: Any) -> dict[str, dict[str, list[float]]]:
    """``{"loss": {"training": […], "validation": […]}, …}``, the loss first; learning rates and the like are left out."""
    values = history if isinstance(history, Mapping) else history.history
    names = [name for name in values if not name.startswith("val_") and name != "learning_rate"]
    if not names or not values[names[0]]:
        raise ValueError("the history is empty: fit the model first")
    result = {}
    for name in sorted(names, key=lambda name: (name != "loss", name)):
        result[name] = {"training": list(values[name])}
        if values.get(f"val_{name}"):
            result[name]["validation"] = list(values[f"val_{name}"])
    return result


def _draw_curve(ax: Axes, name: str, series: Mapping[str, list[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    for label, recorded in series.items():
        each = np.array([np.ravel(value) for value in recorded])  # a metric may have a value for each class or output
        values = each.mean(axis=1)
        epochs = np.linspace(1, max(len(other) for other in series.values()), len(values))
        marker = "o" if len(values) <= 12 else None
        colour, order = (_TRAINING, 3) if label == "training" else (_VALIDATION, 4)
        ax.plot(epochs, values, color=colour, label=label, linewidth=1.8, marker=marker, markersize=4, zorder=order)
        if each.shape[1] > 1:
            ax.plot(epochs, each, color=colour, linewidth=0.7, alpha=0.5, zorder=order - 2)
        ax.annotate(
            f"{values[-1]:.3f}" if abs(values[-1]) >= 0.001 else f"{values[-1]:.1e}",
            (epochs[-1], values[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va=_side(series, label),
            color=colour,
            fontsize=8,
        )
    if name == "loss":
        ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.set_xlabel("epoch", color=TEXT)
    ax.set_title(_TITLES.get(name, name.replace("_", " ").capitalize()), loc="left", color=TEXT, fontweight="bold")
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    quiet(ax)
    if len(series) > 1:
        ax.legend(frameon=False, labelcolor=TEXT)


def _side(series: Mapping[str, list[float]], label: str) -> str:
    """Which way the last value's text goes, so that two that end together do not cover each other."""
    last = {name: float(np.mean(values[-1])) for name, values in series.items()}
    if len(last) == 1:
        return "center"
    return "bottom" if last[label] == max(last.values()) and (label == "training" or len(set(last.values())) > 1) else "top"


def _draw_boundary(ax: Axes, model: Any, train: Any, test: Any) -> None:
    from matplotlib.colors import to_rgb

    sets = [(np.asarray(data[0], np.float32), _classes(data[1])) for data in (train, test) if data is not None]
    points = np.concatenate([x for x, _ in sets])
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, 0.54 * float((high - low).max() or 1)
    u = np.linspace(centre[0] - half, centre[0] + half, _GRID_POINTS, dtype=np.float32)
    v = np.linspace(centre[1] - half, centre[1] + half, _GRID_POINTS, dtype=np.float32)
    plane = np.stack(np.meshgrid(u, v), axis=-1)
    shares = _shares(np.asarray(model.predict(plane.reshape(-1, 2), verbose=0))).reshape(_GRID_POINTS, _GRID_POINTS, -1)
    classes = shares.shape[2]
    colours = np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(classes)])

    extent = (float(u[0]), float(u[-1]), float(v[0]), float(v[-1]))
    ax.imshow(1 - 0.38 * (1 - shares @ colours), origin="lower", extent=extent, interpolation="bilinear", zorder=0)
    for k in range(classes):  # the line where class k begins to be the answer
        lead = shares[..., k] - np.delete(shares, k, axis=2).max(axis=2)
        if lead.min() < 0 < lead.max():
            ax.contour(u, v, lead, levels=[0.0], colors="white", linewidths=1.4, zorder=1)
    for (x, y), is_test in zip(sets, (False, True), strict=False):
        size = 9 if is_test or len(x) <= 2000 else 4
        style: dict[str, Any] = {"edgecolors": TEXT, "linewidths": 0.7} if is_test else {"edgecolors": "white", "linewidths": 0.3}
        ax.scatter(x[:, 0], x[:, 1], s=size * (1.6 if is_test else 1), c=colours[y % classes], zorder=3 if is_test else 2, **style)
    ax.set_title("Decision boundary", loc="left", color=TEXT, fontweight="bold")
    if len(sets) > 1:
        ax.set_xlabel("dark rims: test", color=FAINT)
    ax.locator_params(nbins=5)
    quiet(ax)


def _classes(y: Any) -> NDArray[np.int64]:
    """The class of each sample, from integer labels of any type, one-hot rows, or -1 and 1."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "biuf":
        raise TypeError(f"y must hold the number of each sample's class, got {labels.dtype}; use np.unique(y, return_inverse=True)[1]")
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if labels.dtype.kind == "f" and not (labels == np.floor(labels)).all():
        raise ValueError("y must hold the number of each sample's class, but it has fractions; boundaries are drawn between classes")
    return (labels > 0).astype(np.int64) if labels.size and labels.min() < 0 else labels.astype(np.int64)


def _shares(output: NDArray[Any]) -> NDArray[Any]:
    """Probabilities of all classes; of a single output, which is that of class 1, both. Numbers outside 0 … 1 are taken for logits."""
    is_logits = output.min() < 0 or output.max() > 1
    if output.shape[1] == 1:
        share = 1 / (1 + np.exp(-np.clip(output, -60, 60))) if is_logits else output
        return np.concatenate([1 - share, share], axis=1)
    if not is_logits:
        return output
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def quiet(ax: Axes) -> None:
    """Axes that leave the attention to the data."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#CCCCCC")
    ax.tick_params(colors=FAINT, labelsize=8)
