"""Plots of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastmlp._plotting.drawing import COLOURS, FAINT, TEXT, new_figure, quiet
from fastmlp.sweep.grid import text
from fastmlp.sweep.results import Results, Row

if TYPE_CHECKING:
    from fastmlp._plotting.figures import Figure

__all__ = ["plot_sweep"]

_MARKERS = "os^Dvp"
_LOG_SCALE_FROM = 20
"""An axis is logarithmic if its maximum is at least this many times its minimum."""
_TICKS = 10
"""The maximum number of values to label individually."""


def plot_sweep(results: Results, x: str | None = None, y: str | None = None) -> Figure:
    """Plots a result column against a hyperparameter, with one line per combination of the other hyperparameters.

    Error bars are standard deviations over the seeds. If there are many lines, the best are coloured and the others grey.

    Args:
        results: What :func:`fastmlp.sweep.run` returned.
        x: A hyperparameter of the grid; by default the one with the most values.
        y: A column of the results; by default the one that determines the best combination, ``results.score``.

    Returns:
        The figure.

    Raises:
        ValueError: There is no such hyperparameter or column, or there are no finite results.

    Example:
        >>> from fastmlp.plotting import plot_sweep
        >>> from fastmlp.sweep import Results, Run
        >>> runs = [Run({"units": 4, "epochs": n}, seed, {"validation_loss": 1 / n + 0.01 * seed}) for n in (1, 2, 5) for seed in (0, 1)]
        >>> figure = plot_sweep(Results(runs, seeds=2))
        >>> figure.axes[0].get_xlabel(), figure.axes[0].get_title(loc="left")
        ('epochs', 'Validation loss')
    """
    y = y or results.score
    rows = [row for row in results.sorted(y) if not row.diverged and np.isfinite(row.mean(y))]
    if not rows:
        raise ValueError("the sweep has no finite results to plot")
    values = {name: list(dict.fromkeys(text(row.combination[name]) for row in rows)) for name in results.varying or rows[0].combination}
    if x is None:
        x = max(values, key=lambda name: (len(values[name]), _is_scale(rows, name)))
    elif x not in rows[0].combination:
        raise ValueError(f"the sweep has no hyperparameter {x!r}; it is over {', '.join(rows[0].combination)}")
    places = [row.combination[x] for row in rows]
    scale = _is_scale(rows, x)
    names = [text(place) for place in (sorted(set(places)) if scale else dict.fromkeys(run.combination[x] for run in results.runs))]
    others = [name for name in results.varying if name != x]
    lines: dict[str, list[Row]] = {}
    for row in rows:
        lines.setdefault(" · ".join(text(row.combination[name]) for name in others), []).append(row)

    figure = new_figure(1.75)
    ax = figure.subplots()
    for number, (label, points) in enumerate(lines.items()):
        points.sort(key=lambda row: row.combination[x] if scale else names.index(text(row.combination[x])))
        coloured = number < len(COLOURS) - 1
        ax.errorbar(
            [float(row.combination[x]) if scale else names.index(text(row.combination[x])) for row in points],
            [row.mean(y) for row in points],
            yerr=[row.deviation(y) for row in points],
            color=COLOURS[number] if coloured else "#D5D5D5",
            marker=_MARKERS[number] if coloured else None,
            label=label if coloured else f"{len(lines) - len(COLOURS) + 1} others" if number == len(COLOURS) - 1 else None,
            linewidth=1.8 if coloured else 0.9,
            elinewidth=1.0,
            markersize=4.5,
            capsize=2.5 if coloured else 0,
            zorder=30 - number if coloured else 1,
        )
    if not scale:
        ax.set_xticks(range(len(names)), names)
    elif min(places) > 0:
        if max(places) >= _LOG_SCALE_FROM * min(places):
            ax.set_xscale("log")
        if len(names) <= _TICKS:
            ax.set_xticks(sorted(set(places)), names)
            ax.minorticks_off()
    ax.set_xlabel(x.replace("_", " "), color=TEXT)
    title = y.replace("_", " ")
    ax.set_title(title[:1].upper() + title[1:], loc="left", color=TEXT, fontweight="bold")
    ax.grid(color="#E5E5E5", linewidth=0.8)
    ax.set_axisbelow(True)
    quiet(ax)
    if len(lines) > 1:
        legend = figure.legend(
            loc="outside right center",
            title=" · ".join(name.replace("_", " ") for name in others),
            alignment="left",
            frameon=False,
            labelcolor=TEXT,
            fontsize=8,
        )
        legend.get_title().set(color=FAINT, fontsize=8)
    return figure


def _is_scale(rows: Sequence[Row], name: str) -> bool:
    """Whether a hyperparameter is numeric."""
    return all(isinstance(row.combination[name], (int, float)) and not isinstance(row.combination[name], bool) for row in rows)
