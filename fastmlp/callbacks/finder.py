"""LearningRateFinder: the learning rate range test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastmlp._base import checks, numeric
from fastmlp._base.numeric import quietly
from fastmlp._training.state import TrainingState
from fastmlp.callbacks.base import Callback, Logs, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LearningRateFinder"]

_MIN_STEPS = 10
_RECENT = 5
"""Minibatches whose mean loss decides whether to end early; the loss of a single one is too noisy."""
_SMOOTHING_DECADES = 0.15
"""Standard deviation of the Gaussian that smooths the losses, in powers of ten of the rate."""


class LearningRateFinder(Callback):
    """Run the learning rate range test: the rate grows from minibatch to minibatch, and shows where the loss falls and where it diverges.

    Smith 2015, "Cyclical learning rates for training neural networks". The test is a ``fit`` of its own. At its end the weights, the
    optimizer and all counters are restored.

    Args:
        min_rate: Learning rate of the first minibatch.
        max_rate: Learning rate of the last minibatch.
        steps: Number of minibatches, after which ``fit`` ends; fewer if ``fit`` has fewer, then give it more epochs.
        stop_factor: End early when the loss, as the mean of a few minibatches, is this many times its minimum so far.

    Attributes:
        rates: The rates that were tried.
        losses: The loss of each minibatch.
        smoothed: The losses, smoothed.
        suggestion: The rate at which the smoothed loss has fallen half way to its minimum; a good constant rate. The maximum rate of a
            :class:`~fastmlp.optimizers.schedules.OneCycle` may be several times as large, but must be below the rate of the minimum loss.

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
            raise ValueError(f"min_rate must be a number > 0 and < max_rate, got {self.min_rate:g} and {self.max_rate:g}")
        self.steps = checks.check_int("steps", steps, _MIN_STEPS)
        self.stop_factor = checks.check_float("stop_factor", stop_factor, 1.0)
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._before: TrainingState | None = None
        self._total = 0.0
        self._samples = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        params = self.params or Params(verbose=0, epochs=0, steps=0)
        available = self.steps if params["steps"] is None else params["epochs"] * params["steps"]
        count = min(self.steps, available)
        if count < _MIN_STEPS:
            raise ValueError(
                f"LearningRateFinder needs at least {_MIN_STEPS} minibatches, but this fit has {available}; "
                "give fit more epochs or a smaller batch_size"
            )
        with numeric.quiet():
            self._schedule = np.geomspace(self.min_rate, self.max_rate, count)
        self.rates, self.losses = [], []
        self._lowest = np.inf
        self._before = TrainingState.capture(self.model)
        self.model.optimizer.rate_source = float(self._schedule[0])

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._total, self._samples = 0.0, 0
        self.model.optimizer.learning_rate = float(self._schedule[len(self.losses)])

    def _batches_until_pause(self) -> int | None:
        return 1

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        total = logs["loss"] * samples
        self.losses.append((total - self._total) / (samples - self._samples))
        self.rates.append(float(self._schedule[len(self.rates)]))
        self._total, self._samples = total, samples
        recent = numeric.mean(self.losses[-_RECENT:])
        self._lowest = min(self._lowest, recent) if len(self.losses) >= _RECENT else np.inf
        if recent > self.stop_factor * self._lowest or len(self.losses) == len(self._schedule):
            self.model.stop_training = True
        else:
            self.model.optimizer.learning_rate = float(self._schedule[len(self.losses)])

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
        """The losses, smoothed over neighboring rates, float64."""
        self._require_run()
        place = np.log10(self.rates)
        weight = np.exp(-0.5 * ((place[:, None] - place) / _SMOOTHING_DECADES) ** 2)
        return np.asarray(weight @ np.minimum(self.losses, 10 * self.losses[0]) / weight.sum(axis=1))

    @property
    @quietly
    def suggestion(self) -> float:
        """The rate at which the smoothed loss has fallen half way, from its value at the lowest rates to its minimum."""
        smoothed = self.smoothed
        lowest = int(np.argmin(smoothed))
        begin = np.median(self.losses[: max(lowest // 3, 1)])
        above = np.flatnonzero(smoothed[: lowest + 1] > (begin + smoothed[lowest]) / 2)
        return self.rates[int(above[-1]) if len(above) else lowest]

    def plot(self) -> Figure:
        """Plot the loss against the rate; returns a matplotlib figure, to save with ``figure.savefig("rates.png")``."""
        from fastmlp._plotting import drawing

        return drawing.plot_learning_rates(self.rates, self.losses, self.smoothed, self.suggestion)

    def _require_run(self) -> None:
        if len(self.losses) < 2:
            raise RuntimeError("the range test has not run: model.fit(x, y, callbacks=[finder]) first")
