"""Callbacks that monitor a metric: EarlyStopping, ReduceLROnPlateau, and their base class, which is ModelCheckpoint's too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp._base import checks, progress
from fastmlp._base.typing import Mode
from fastmlp.callbacks.base import Callback, Logs

__all__ = ["EarlyStopping", "MonitorCallback", "ReduceLROnPlateau"]


class MonitorCallback(Callback):
    """Monitors a metric, and decides whether it has improved.

    Args:
        monitor: Name of the metric to monitor, a key of the epoch's logs.
        mode: ``"min"``, ``"max"``, or ``"auto"``, which follows from the metric.
        baseline: Initial best value.
        min_delta: Minimum change that counts as an improvement.
    """

    def __init__(self, monitor: str = "val_loss", mode: Mode = "auto", baseline: float | None = None, min_delta: float = 0) -> None:
        if mode not in ("auto", "min", "max"):
            checks.warn(f"{type(self).__name__}: mode must be 'auto', 'min' or 'max', got {mode!r}; using 'auto'")
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None if baseline is None else checks.check_float("the initial best value", baseline)
        self.min_delta = abs(checks.check_float("min_delta", min_delta))
        self._sign: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._sign = None  # the model may have other metrics now

    def _current(self, logs: Logs | None) -> float | None:
        """The monitored value; None, and a warning, if it is not available."""
        current: float | None = (logs or {}).get(self.monitor)
        if current is None:
            available = ", ".join(logs or {})
            checks.warn(f"{type(self).__name__} monitors {self.monitor!r}, which is not available; there are {available}")
        elif np.ndim(current):
            raise ValueError(
                f"{type(self).__name__} monitors {self.monitor!r}, which has {np.size(current)} values; make it one, for example with "
                "F1Score(average='macro')"
            )
        return current

    def _direction(self) -> int:
        """1 if higher is better, −1 if lower is."""
        if self.mode != "auto":
            return 1 if self.mode == "max" else -1
        higher = self.model.metric_direction(self.monitor.removeprefix("val_"))
        if higher is None:
            raise ValueError(
                f"{type(self).__name__} can't infer whether a higher or a lower {self.monitor!r} is better; give mode='max' or mode='min'"
            )
        return 1 if higher else -1

    def _improves(self, value: float, reference: float | None) -> bool:
        """Whether a value is better than the reference; NaN never is, and any number is better than None or NaN."""
        if self._sign is None:
            self._sign = self._direction()
        if math.isnan(value):
            return False
        return reference is None or math.isnan(reference) or bool((value - reference) * self._sign > self.min_delta)


class EarlyStopping(MonitorCallback):
    """Stop training when a monitored metric stops improving.

    Args:
        monitor: Name of the metric to monitor, a key of the epoch's logs.
        min_delta: Minimum change that counts as an improvement.
        patience: Number of epochs without improvement after which training stops.
        verbose: 1 to print a message when training stops.
        mode: ``"min"``, ``"max"``, or ``"auto"``, which follows from the metric.
        baseline: Value that the metric must improve on; otherwise training stops after ``patience`` epochs.
        restore_best_weights: Whether to restore the weights of the best epoch at the end of training, stopped or not.
        start_from_epoch: Number of initial epochs that are not monitored.

    Example:

    >>> from fastmlp.callbacks import EarlyStopping
    >>> stopper = EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: Mode = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = checks.check_int("patience", patience, 0)
        self.verbose = verbose
        self.baseline = None if baseline is None else checks.check_float("baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = checks.check_int("start_from_epoch", start_from_epoch, 0)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self._current(logs)
        if current is None:
            return
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self._improves(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self._remember(epoch)
            if self.baseline is None or self._improves(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            progress.write(f"Epoch {self.stopped_epoch + 1}: early stopping\n")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                progress.write(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.\n")
            self.model.set_weights(self.best_weights)

    def _remember(self, epoch: int) -> None:
        self.best_weights = self.model.get_weights()
        self.best_epoch = epoch

    def _fit_state(self) -> dict[str, Any]:
        numbers = {"best": as_text(self.best), "best_epoch": self.best_epoch, "stopped_epoch": self.stopped_epoch, "wait": self.wait}
        return numbers | ({"best_weights": self.best_weights} if self.best_weights is not None else {})

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.best_epoch = from_text(state["best"]), state["best_epoch"]
        self.stopped_epoch, self.wait = state["stopped_epoch"], state["wait"]
        self.best_weights = state.get("best_weights")


class ReduceLROnPlateau(MonitorCallback):
    """Reduce the learning rate when a monitored metric stops improving. The history gets ``learning_rate``.

    Args:
        monitor: Name of the metric to monitor, a key of the epoch's logs.
        factor: Factor by which the learning rate is multiplied, below 1.
        patience: Number of epochs without improvement after which the learning rate is reduced.
        verbose: 1 to print a message for each reduction.
        mode: ``"min"``, ``"max"``, or ``"auto"``, which follows from the metric.
        min_delta: Minimum change that counts as an improvement.
        cooldown: Number of epochs after a reduction that do not count towards ``patience``.
        min_lr: Minimum learning rate.

    Raises:
        TypeError: At the first reduction, if the optimizer follows a schedule.

    Example:

    >>> from fastmlp.callbacks import ReduceLROnPlateau
    >>> slower = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=1e-5)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: Mode = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        checks.reject_unknown(type(self), options, {})
        self.factor = checks.check_float("factor", factor, 0.0)
        if self.factor >= 1:
            raise ValueError(f"factor must be a number < 1, so that the learning rate falls, got {self.factor:g}")
        self.patience = checks.check_int("patience", patience, 0)
        self.verbose = verbose
        self.cooldown = checks.check_int("cooldown", cooldown, 0)
        self.min_lr = checks.check_float("min_lr", min_lr, 0.0)
        self.cooldown_counter = self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs do not count yet, because of a recent reduction."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        super().on_train_begin(logs)
        self.best = None
        self.cooldown_counter = self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = self.model.optimizer.rate
        current = self._current(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        rate = self.model.optimizer.rate
        if rate <= self.min_lr:
            return
        rate = max(rate * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = rate
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose:
            progress.write(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}.\n")

    def _fit_state(self) -> dict[str, Any]:
        return {"best": as_text(self.best), "cooldown_counter": self.cooldown_counter, "wait": self.wait}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.best = from_text(state["best"])
        self.cooldown_counter, self.wait = state["cooldown_counter"], state["wait"]


def as_text(number: float | None) -> str | None:
    """A float, NaN and infinity included, as a string that JSON can hold and that keeps every bit."""
    return None if number is None else float(number).hex()


def from_text(text: str | None) -> float | None:
    """The float of :func:`as_text`."""
    return None if text is None else float.fromhex(text)
