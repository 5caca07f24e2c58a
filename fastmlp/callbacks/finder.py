"""LearningRateFinder: which learning rate a network can bear, from one short run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastmlp._base import checks, numeric
from fastmlp._base.numeric import quietly
from fastmlp._training.state import TrainingState
from fastmlp.callbacks.base import Callback, Logs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LearningRateFinder"]

_MIN_STEPS = 10
_RECENT = 5
"""Minibatches whose mean loss decides whether to end early: single ones say little."""
_SMOOTHING_DECADES = 0.15
"""Width of the Gaussian the losses are smoothed with, in powers of ten of the rate."""


class LearningRateFinder(Callback):
    """The learning rate range test: a rate that grows from one minibatch to the next shows where the loss falls and where it blows up.

    Smith 2015, "Cyclical learning rates for training neural networks". The test is a ``fit`` of its own. When it ends, the weights, the
    optimizer and all else are what they were before.

    Args:
        min_rate: The rate of the first minibatch.
        max_rate: The rate of the last.
        steps: Minibatches to run, if ``fit`` has as many; it ends the fit. With fewer, give ``fit`` more epochs.
        stop_factor: End early when the loss, as the mean of a few minibatches, is this many times the lowest so far.

    Attributes:
        rates: The rates that were tried.
        losses: The loss of each minibatch.
        smoothed: The losses, smoothed.
        suggestion: Where the smoothed loss has come half its way down; a good constant rate. The highest rate of a
            :class:`~fastmlp.optimizers.schedules.OneCycle` may be some times as large, but must lie left of the lowest loss.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> finder = callbacks.LearningRateFinder(min_rate=1e-5, max_rate=100)
    >>> x = np.random.default_rng(0).normal(size=(320, 2))
    >>> history = model.fit(x, x[:, 0], epochs=10, verbose=0, callbacks=[finder])
    >>> 1e-3 < finder.suggestion < 2
    True
    """

    _runs_last = True

    def __init__(self, min_rate: float = 1e-7, max_rate: float = 10.0, steps: int = 100, stop_factor: float = 4.0) -> None:
        self.min_rate = checks.check_float("min_rate", min_rate, 0.0)
        self.max_rate = checks.check_float("max_rate", max_rate)
        if not 0 < self.min_rate < self.max_rate:
            raise ValueError(f"min_rate must be above 0 and below max_rate, got {self.min_rate:g} and {self.max_rate:g}")
        self.steps = checks.check_int("steps", steps, _MIN_STEPS)
        self.stop_factor = checks.check_float("stop_factor", stop_factor, 1.0)
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._before: TrainingState | None = None
        self._total = 0.0
        self._rows = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        params = self.params or {"epochs": 0, "steps": 0}
        available = self.steps if params["steps"] is None else params["epochs"] * params["steps"]  # None: only the data know
        count = min(self.steps, available)
        if count < _MIN_STEPS:
            raise ValueError(
                f"LearningRateFinder needs {_MIN_STEPS} minibatches at least, but this fit has {available}; "
                "give fit more epochs or a smaller batch_size"
            )
        with numeric.quiet():
            self._ladder = np.geomspace(self.min_rate, self.max_rate, count)
        self.rates, self.losses = [], []
        self._lowest = np.inf
        self._before = TrainingState.capture(self.model)
        self.model.optimizer.rate_source = float(self._ladder[0])

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._total, self._rows = 0.0, 0
        self.model.optimizer.learning_rate = float(self._ladder[len(self.losses)])

    def _batches_until_pause(self) -> int | None:
        return 1

    def _pause(self, batch: int, logs: Logs, rows: int) -> None:
        total = logs["loss"] * rows
        self.losses.append((total - self._total) / (rows - self._rows))
        self.rates.append(float(self._ladder[len(self.rates)]))
        self._total, self._rows = total, rows
        recent = numeric.mean(self.losses[-_RECENT:])
        self._lowest = min(self._lowest, recent) if len(self.losses) >= _RECENT else np.inf
        if recent > self.stop_factor * self._lowest or len(self.losses) == len(self._ladder):
            self.model.stop_training = True
        else:
            self.model.optimizer.learning_rate = float(self._ladder[len(self.losses)])

    def _accepts_divergence(self, batch: int) -> bool:
        return True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._abandon()

    def _abandon(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            before.restore(self.model)

    @property
    @quietly
    def smoothed(self) -> np.ndarray:
        """The losses, smoothed over neighbouring rates, float64."""
        self._require_run()
        place = np.log10(self.rates)
        weight = np.exp(-0.5 * ((place[:, None] - place) / _SMOOTHING_DECADES) ** 2)
        return np.asarray(weight @ np.minimum(self.losses, 10 * self.losses[0]) / weight.sum(axis=1))

    @property
    @quietly
    def suggestion(self) -> float:
        """The rate at which the smoothed loss has come half its way down, from what it was at the lowest rates."""
        smoothed = self.smoothed
        lowest = int(np.argmin(smoothed))
        begin = np.median(self.losses[: max(lowest // 3, 1)])
        above = np.flatnonzero(smoothed[: lowest + 1] > (begin + smoothed[lowest]) / 2)
        return self.rates[int(above[-1]) if len(above) else lowest]

    def plot(self) -> Figure:
        """The loss against the rate as a matplotlib figure; write it with ``figure.savefig("rates.png")``."""
        from fastmlp._plotting import drawing

        return drawing.plot_learning_rates(self.rates, self.losses, self.smoothed, self.suggestion)

    def _require_run(self) -> None:
        if len(self.losses) < 2:
            raise RuntimeError("the range test has not run: model.fit(x, y, callbacks=[finder]) first")
