"""Plots of a training run: loss and metrics over the epochs, and the decision boundary of a classifier of two features.

Needs matplotlib: ``pip install "fastmlp[plot]"``. Notebooks display the figures; ``figure.show()`` opens a window, and
``figure.savefig("training.png")`` writes a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as PlainFigure

    from fastmlp._plotting.figures import Figure

__all__ = ["draw_live", "new_figure", "plot_decision_boundary", "plot_history", "plot_learning_rates", "plot_training"]

Curves: TypeAlias = Mapping[str, Sequence[Any]]
"""Values of each epoch by name: the ``history`` of what ``fit`` returns."""

Labelled: TypeAlias = tuple[ArrayLike, ArrayLike]
"""Features ``(samples, 2)`` and class labels."""

COLOURS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")
"""Paul Tol's bright scheme, which is distinct for colour-blind readers and in print."""
_TRAINING, _VALIDATION = COLOURS[0], COLOURS[1]
TEXT, FAINT = "#333333", "#999999"
_PANEL_INCHES = 4.0
_MAX_COLUMNS = 4
_GRID_POINTS = 300
_TITLES = {"loss": "Loss", "accuracy": "Accuracy", "acc": "Accuracy"}


class History(Protocol):
    """The return value of ``fit``."""

    @property
    def history(self) -> Curves: ...


class Classifier(Protocol):
    """A model that is asked for predictions."""

    def predict(self, x: NDArray[np.float32], /, *, verbose: Literal[0]) -> Any: ...


def plot_training(
    history: History | Curves, model: Classifier | None = None, train: Labelled | None = None, test: Labelled | None = None
) -> Figure:
    """Plot a training run: the loss, each metric, and the decision boundary if the samples have two features.

    Args:
        history: The return value of ``fit``, or its ``history`` dict.
        model: The trained model, for the decision boundary.
        train: Training data ``(x, y)``, with y as in :func:`plot_decision_boundary`.
        test: Test data ``(x, y)``, drawn with dark outlines.

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
        assert model is not None
        assert train is not None
        _draw_boundary(axes[-1], model, train, test)
    return figure


def plot_history(history: History | Curves) -> Figure:
    """Plot the loss and each metric over the epochs, training and validation in one panel.

    Args:
        history: The return value of ``fit``, or its ``history`` dict.

    Example:
        >>> from fastmlp.plotting import plot_history
        >>> figure = plot_history({"accuracy": [0.5, 0.9], "loss": [1.0, 0.4]})
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['Loss', 'Accuracy']
    """
    return plot_training(history)


def plot_decision_boundary(model: Classifier, x: ArrayLike, y: ArrayLike, test: Labelled | None = None) -> Figure:
    """Plot the predictions of a classifier over the plane of its two features, with the samples.

    Args:
        model: A classifier of two features whose outputs are probabilities, logits, or those of tanh.
        x: Features ``(samples, 2)``.
        y: The class of each sample: integer labels ``(samples,)``, one-hot ``(samples, classes)``, or -1 and 1.
        test: Test data ``(x, y)``, drawn with dark outlines.

    Raises:
        ValueError: x does not have two features, or y has fractions.
        TypeError: y does not hold numbers.
    """
    if np.ndim(x) != 2 or np.shape(x)[1] != 2:
        raise ValueError(f"a decision boundary needs x of shape (samples, 2), got {np.shape(x)}")
    figure = new_figure(1)
    _draw_boundary(figure.subplots(), model, (x, y), test)
    return figure


def plot_learning_rates(rates: Sequence[float], losses: Sequence[float], smoothed: ArrayLike, suggestion: float) -> Figure:
    """Plot the loss against the learning rate of a range test; see :class:`fastmlp.callbacks.LearningRateFinder`.

    Args:
        rates: Learning rates, ascending.
        losses: The loss of the minibatch at each rate.
        smoothed: The smoothed losses.
        suggestion: The learning rate to mark.
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
    ax.set_ylim(low - 0.25 * span, high + 0.4 * span)  # higher losses are of the divergence only
    ax.set_xlabel("learning rate", color=TEXT)
    ax.set_title("Loss by learning rate", loc="left", color=TEXT, fontweight="bold")
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    quiet(ax)
    ax.legend(frameon=False, labelcolor=TEXT)
    return figure


def draw_live(figure: PlainFigure, curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> None:
    """Draw a training in progress: a panel for each value, the loss first and the learning rate last.

    Args:
        figure: The figure, which is cleared first.
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
    """An empty figure that is wide enough for this number of panels side by side."""
    from fastmlp._plotting.figures import Figure

    return Figure(figsize=(_PANEL_INCHES * 1.15 * panels, _PANEL_INCHES), dpi=150, layout="constrained")


def _panels(figure: PlainFigure, count: int) -> list[Axes]:
    """Axes for ``count`` panels, up to four side by side; for several rows, the figure is enlarged."""
    columns = min(max(count, 1), _MAX_COLUMNS)
    rows = -(-max(count, 1) // columns)
    if rows > 1:
        figure.set_size_inches(_PANEL_INCHES * 1.15 * columns, _PANEL_INCHES * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in axes[max(count, 1) :]:
        spare.remove()
    return axes[: max(count, 1)]


def _curves(history: History | Curves) -> dict[str, dict[str, list[float]]]:
    """``{"loss": {"training": […], "validation": […]}, …}``, the loss first; without learning rates."""
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
    """The vertical alignment of the last value's label, so that labels of curves that end together do not overlap."""
    last = {name: float(np.mean(values[-1])) for name, values in series.items()}
    if len(last) == 1:
        return "center"
    return "bottom" if last[label] == max(last.values()) and (label == "training" or len(set(last.values())) > 1) else "top"


def _draw_boundary(ax: Axes, model: Classifier, train: Labelled, test: Labelled | None) -> None:
    from matplotlib.colors import to_rgb

    sets = [(np.asarray(data[0], np.float32), _classes(data[1])) for data in (train, test) if data is not None]
    points = np.concatenate([x for x, _ in sets])
    low, high = points.min(axis=0), points.max(axis=0)
    centre, half = (low + high) / 2, 0.54 * float((high - low).max() or 1)
    u = np.linspace(centre[0] - half, centre[0] + half, _GRID_POINTS, dtype=np.float32)
    v = np.linspace(centre[1] - half, centre[1] + half, _GRID_POINTS, dtype=np.float32)
    plane = np.stack(np.meshgrid(u, v), axis=-1)
    probabilities = _probabilities(np.asarray(model.predict(plane.reshape(-1, 2), verbose=0))).reshape(_GRID_POINTS, _GRID_POINTS, -1)
    classes = probabilities.shape[2]
    colours = np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(classes)])

    extent = (float(u[0]), float(u[-1]), float(v[0]), float(v[-1]))
    ax.imshow(1 - 0.38 * (1 - probabilities @ colours), origin="lower", extent=extent, interpolation="bilinear", zorder=0)
    for k in range(classes):  # the line at which class k becomes the prediction
        lead = probabilities[..., k] - np.delete(probabilities, k, axis=2).max(axis=2)
        if lead.min() < 0 < lead.max():
            ax.contour(u, v, lead, levels=[0.0], colors="white", linewidths=1.4, zorder=1)
    for (x, y), is_test in zip(sets, (False, True), strict=False):
        size = 9 if is_test or len(x) <= 2000 else 4
        style: dict[str, Any] = {"edgecolors": TEXT, "linewidths": 0.7} if is_test else {"edgecolors": "white", "linewidths": 0.3}
        ax.scatter(x[:, 0], x[:, 1], s=size * (1.6 if is_test else 1), c=colours[y % classes], zorder=3 if is_test else 2, **style)
    ax.set_title("Decision boundary", loc="left", color=TEXT, fontweight="bold")
    if len(sets) > 1:
        ax.set_xlabel("dark outlines: test", color=FAINT)
    ax.locator_params(nbins=5)
    quiet(ax)


def _classes(y: ArrayLike) -> NDArray[np.int64]:
    """Integer labels ``(samples,)`` from integer labels of any dtype, one-hot labels, or -1 and 1."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "biuf":
        raise TypeError(f"y must be integer class labels, got {labels.dtype}; use np.unique(y, return_inverse=True)[1]")
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(axis=1)
    labels = labels.reshape(-1)
    if labels.dtype.kind == "f" and not (labels == np.floor(labels)).all():
        raise ValueError("y must be integer class labels, but it has fractions; a decision boundary is between classes")
    return (labels > 0).astype(np.int64) if labels.size and labels.min() < 0 else labels.astype(np.int64)


def _probabilities(output: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probabilities of all classes; two for a single output, which is for class 1. Outputs outside [0, 1] are logits."""
    is_logits = output.min() < 0 or output.max() > 1
    if output.shape[1] == 1:
        probability = 1 / (1 + np.exp(-np.clip(output, -60, 60))) if is_logits else output
        return np.concatenate([1 - probability, probability], axis=1)
    if not is_logits:
        return output
    powers = np.exp(output - output.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def quiet(ax: Axes) -> None:
    """Remove the frame of the axes, and dim their ticks."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color("#CCCCCC")
    ax.tick_params(colors=FAINT, labelsize=8)
