"""LivePlot: plots loss, metrics and learning rate during training."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from fastmlp._base import checks, numeric
from fastmlp.callbacks.base import Callback, Logs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LivePlot"]

_DISPLAYS = ("auto", "notebook", "window", "file")


class LivePlot(Callback):
    """Plot loss, metrics and learning rate during training: in a notebook, in a window, or to an image file where there is neither.

    The plot is drawn between two calls of the engine, and only while all drawing takes no more than ``budget`` of the time since training
    began. So it is drawn often where drawing is fast and rarely where it is slow, in a short training perhaps only at the end. The final
    plot is always drawn, after training. Needs matplotlib: ``pip install "fastmlp[plot]"``.

    Args:
        filename: Path of the image file for ``"file"``; its suffix chooses the format.
        display: ``"notebook"``, ``"window"``, ``"file"``, or ``"auto"`` for the first of them that is available.
        budget: Fraction of the training time that drawing may take.

    Attributes:
        figure: The matplotlib figure.
        drawing_seconds: Time spent drawing in the last training, without the final plot.
        training_seconds: Duration of the last training, including drawing.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> live = callbacks.LivePlot("training.png", display="file")
    >>> history = model.fit(np.eye(2), np.ones(2), epochs=3, verbose=0, callbacks=[live])
    """

    _runs_last = True

    def __init__(self, filename: str | os.PathLike[str] = "training.png", display: str = "auto", budget: float = 0.02) -> None:
        if display not in _DISPLAYS:
            raise ValueError(f"display must be one of {', '.join(map(repr, _DISPLAYS))}, got {display!r}")
        self.filename = Path(checks.path("filename", filename))
        self.budget = checks.check_float("budget", budget, 0.0, 1.0)
        self._screen = _screen(display, self.filename)
        self.figure: Figure = self._screen.figure
        self.drawing_seconds = self.training_seconds = 0.0
        self._clear()
        # Twice, before training starts: the first drawing loads fonts and more, the second measures the time that one takes.
        for _ in range(2):
            self._draw({"loss": {"training": [(0.0, 1.0), (1.0, 0.5)]}, "accuracy": {}, "learning rate": {"": [(0.0, 0.1), (1.0, 0.1)]}})

    def _clear(self) -> None:
        self._curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
        self._epoch = 0
        self._samples = 0
        self._totals: dict[str, float] = {}
        self._of_whole_epochs: set[str] = set()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._clear()
        objective = getattr(self.model, "_objective", None)
        if objective is not None:
            self._of_whole_epochs = {one.name for one in objective.metrics if one.metric is not None and not one.metric.is_mean}
        self.drawing_seconds = 0.0
        self._begin = perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch, self._samples, self._totals = epoch, 0, {}

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        steps = self.params["steps"] if self.params else None
        if steps and self._is_affordable():  # without it, the position within the epoch is unknown
            place = self._epoch + (batch + 1) / steps
            self._note_means(place, logs, samples)
            self._draw(self._curves)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for name, value in (logs or {}).items():
            if name.startswith("val_"):
                self._note(name.removeprefix("val_"), "validation", epoch + 1, value)
            elif name != "learning_rate" and name not in self._totals:  # the epoch has no point yet
                self._note(name, "training", epoch + 1, value)
        self._note("learning rate", "", epoch + 1, self.model.optimizer.rate)
        if self._is_affordable():
            self._draw(self._curves)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.training_seconds = perf_counter() - self._begin
        spent = self.drawing_seconds
        self._draw(self._curves)
        self.drawing_seconds = spent
        self._screen.finish()

    def _abandon(self) -> None:
        self._screen.finish()

    def _is_affordable(self) -> bool:
        now = perf_counter() - self._begin
        return self.drawing_seconds + self._cost <= self.budget * now

    def _note_means(self, place: float, logs: Logs, samples: int) -> None:
        """Add the means over the samples since the last point, so that they do not lag behind as those since the epoch's start would.

        Metrics that are not means over samples have one point per epoch.
        """
        for name, value in logs.items():
            if name in self._of_whole_epochs:
                continue
            total = value * samples
            self._note(name, "training", place, (total - self._totals.get(name, 0.0)) / (samples - self._samples))
            self._totals[name] = total
        self._samples = samples
        self._note("learning rate", "", place, self.model.optimizer.rate)

    def _note(self, panel: str, curve: str, place: float, value: Any) -> None:
        self._curves.setdefault(panel, {}).setdefault(curve, []).append((place, numeric.mean(value)))

    def _draw(self, curves: Mapping[str, Mapping[str, list[tuple[float, float]]]]) -> None:
        from fastmlp._plotting import drawing

        begin = perf_counter()
        drawing.draw_live(self.figure, curves)
        self._screen.show()
        self._cost = perf_counter() - begin
        self.drawing_seconds += self._cost


class _File:
    """An image file, replaced by each drawing."""

    def __init__(self, figure: Figure, path: Path) -> None:
        self.figure = figure
        self.path = path

    def show(self) -> None:
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"LivePlot writes to {self.path}, but the folder {self.path.parent} does not exist; make it first")
        temporary = self.path.with_name(f".{self.path.stem}.tmp{self.path.suffix}")
        self.figure.savefig(temporary)
        temporary.replace(self.path)  # so that the file is always complete

    def finish(self) -> None:
        """Nothing to close."""


class _Notebook:
    """An image below the cell, replaced by each drawing."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self._handle: Any = None

    def show(self) -> None:
        from io import BytesIO

        from IPython.display import Image, display

        image_file = BytesIO()
        self.figure.savefig(image_file, format="png")
        image = Image(data=image_file.getvalue(), width=int(72 * self.figure.get_figwidth()))
        if self._handle is None:
            self._handle = display(image, display_id=True)
        else:
            self._handle.update(image)

    def finish(self) -> None:
        self._handle = None  # the next training gets an image of its own


class _Window:
    """A window, which stays open after training."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure

    def show(self) -> None:
        from matplotlib import pyplot

        pyplot.show(block=False)
        self.figure.canvas.draw_idle()
        self.figure.canvas.flush_events()

    def finish(self) -> None:
        """The window stays open, for the user."""


def _screen(display: str, path: Path) -> _File | _Notebook | _Window:
    """Where to draw."""
    from fastmlp._plotting import drawing, figures

    figure = drawing.new_figure(3)
    if display == "notebook" or (display == "auto" and figures.in_notebook()):
        return _Notebook(figure)
    if display == "window" or (display == "auto" and _has_desktop()):
        from matplotlib import pyplot

        if pyplot.get_backend().lower() in figures.window_backends():
            window = pyplot.figure(figsize=figure.get_size_inches(), layout="constrained")
            return _Window(window)
        if display == "window":
            raise RuntimeError(
                f"matplotlib can't open a window here: its backend is {pyplot.get_backend()}; install one for windows, such as PyQt6, "
                "or use display='file'"
            )
    return _File(figure, path)


def _has_desktop() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
