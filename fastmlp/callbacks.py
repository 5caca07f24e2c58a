"""Callbacks: objects whose methods ``fit``, ``evaluate`` and ``predict`` call as they go along.

Training runs about 50 ms of minibatches per call into the engine. Only a callback that overrides one of the batch methods makes it go batch
by batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from fastmlp import checks, progress

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "ProgbarLogger"]

Logs = Mapping[str, Any]


class Callback:
    """The base of all callbacks: override the methods you need.

    Attributes:
        model: The model being trained; ``self.model.stop_training = True`` ends training after the batch or epoch.
        params: ``{"verbose": …, "epochs": …, "steps": …}``.

    Example:

    >>> from fastmlp.callbacks import Callback
    >>> class HalveLearningRate(Callback):
    ...     def on_epoch_begin(self, epoch, logs=None):
    ...         if epoch and epoch % 10 == 0:
    ...             self.model.optimizer.learning_rate /= 2
    """

    model: Any = None
    params: Mapping[str, Any] | None = None

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called before training with ``verbose``, ``epochs`` and ``steps``."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before training with the model."""
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch; ``epoch`` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation; ``logs`` holds ``loss``, the metrics and their ``val_`` twins."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of :meth:`on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of :meth:`on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training batch; ``batch`` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training batch; ``logs`` holds the means of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of ``evaluate`` or of the validation in ``fit``."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of ``evaluate`` or of the validation in ``fit``."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of ``predict``; ``logs["outputs"]`` holds the predictions."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called when ``fit`` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called when ``fit`` ends without an exception; ``logs`` are those of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called when ``evaluate`` or a validation begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called when ``evaluate`` or a validation ends."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called when ``predict`` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called when ``predict`` ends."""


class History(Callback):
    """Records every epoch's numbers; ``fit`` returns one.

    Attributes:
        history: ``{"loss": [first epoch, second epoch, …], "val_loss": […], …}``.
        epoch: The epochs run, counted from 0.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __getstate__(self) -> dict[str, Any]:
        return {"history": self.history, "epoch": self.epoch, "params": self.params}  # without the model, which has this history


class EarlyStopping(Callback):
    """Stop when a number has stopped getting better.

    Args:
        monitor: The number to watch, a key of the epoch's logs.
        min_delta: A smaller change is no improvement.
        patience: Stop after this many epochs without improvement.
        verbose: 1 to say so.
        mode: ``"min"``, ``"max"``, or ``"auto"`` to tell from the metric.
        baseline: Stop unless the number becomes better than this.
        restore_best_weights: Whether to put back the weights of the best epoch at the end of training, stopped or not.
        start_from_epoch: Epochs before which nothing is watched.

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
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        if mode not in ("auto", "min", "max"):
            checks.warn(f"EarlyStopping knows the modes 'auto', 'min' and 'max', not {mode!r}; taking 'auto'")
            mode = "auto"
        self.monitor = monitor
        self.min_delta = abs(checks.number("min_delta", min_delta))
        self.patience = checks.whole_number("patience", patience, 0)
        self.verbose = verbose
        self.mode = mode
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = checks.whole_number("start_from_epoch", start_from_epoch, 0)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None
        self._sign: int | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._sign is None:
            self._sign = self._direction()
        current = (logs or {}).get(self.monitor)
        if current is None:
            available = ", ".join(logs or {})
            checks.warn(f"EarlyStopping watches {self.monitor!r}, which is not available; there are {available}")
            return
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
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

    def _direction(self) -> int:
        """1 if higher is better, −1 if lower is."""
        if self.mode != "auto":
            return 1 if self.mode == "max" else -1
        higher = self.model.metric_direction(self.monitor.removeprefix("val_"))
        if higher is None:
            raise ValueError(f"EarlyStopping can't tell whether {self.monitor!r} should rise or fall; give mode='max' or mode='min'")
        return 1 if higher else -1

    def _improves(self, value: float, reference: float | None) -> bool:
        return reference is None or bool((value - reference) * (self._sign or -1) > self.min_delta)


class ProgbarLogger(Callback):
    """Prints the progress of ``fit``, ``evaluate`` and ``predict``; they add it unless ``verbose=0``."""

    def __init__(self) -> None:
        self._line: progress.ProgressLine | None = None
        self._in_fit = False
        self._validating = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        epochs = self._param("epochs")
        if epochs > 1:
            progress.write(f"Epoch {epoch + 1}/{epochs}\n")
        self._open()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._close(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._validating = self._in_fit  # which is silent
        if not self._validating:
            self._open()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._validating:
            self._close(logs)
        self._validating = False

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._open()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._close({})

    def advance(self, step: int, logs: Logs) -> None:
        """``step`` steps of the epoch are done."""
        if self._line is not None and not self._validating:
            self._line.update(step, logs)

    def abandon(self) -> None:
        """End the line that is being drawn: an exception is on its way."""
        if self._line is not None:
            self._line.abandon()
            self._line = None

    def _param(self, name: str) -> int:
        return int((self.params or {})[name])

    def _open(self) -> None:
        self._line = progress.ProgressLine((self.params or {})["steps"] or 0, self._param("verbose"))

    def _close(self, logs: Logs | None) -> None:
        if self._line is not None:
            self._line.finish(logs or {})
            self._line = None


class CallbackList(Callback):
    """Several callbacks as one, with a :class:`History` and the progress line behind the user's own.

    Args:
        callbacks: None, one callback, or several.
        add_history: Whether a History is added if there is none.
        verbose: 0 for no progress line.
        model: Given to every callback.
        params: ``epochs`` and ``steps``, given to every callback together with ``verbose``.
    """

    def __init__(
        self,
        callbacks: Any = None,
        *,
        add_history: bool = False,
        verbose: int = 0,
        model: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.callbacks = list(_flatten(callbacks))
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        if self.history is None and add_history:
            self.history = History()
            self.callbacks.append(self.history)
        self.progress = next((callback for callback in self.callbacks if isinstance(callback, ProgbarLogger)), None)
        if self.progress is None and verbose:
            self.progress = ProgbarLogger()
            self.callbacks.append(self.progress)
        self.set_model(model)
        self.set_params({"verbose": verbose, **(params or {})})

    def set_params(self, params: Mapping[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def listens_to_batches(self, phase: str) -> bool:
        """True if a callback overrides a batch method of ``train``, ``test`` or ``predict``."""
        names = [f"on_{phase}_batch_begin", f"on_{phase}_batch_end"]
        if phase == "train":
            names += ["on_batch_begin", "on_batch_end"]
        return any(
            getattr(getattr(callback, name, None), "__func__", None) is not getattr(Callback, name)
            for callback in self.callbacks
            for name in names
        )

    def advance(self, step: int, logs: Logs) -> None:
        """Tell the progress line that ``step`` steps of the epoch are done."""
        if self.progress is not None:
            self.progress.advance(step, logs)

    def abandon(self) -> None:
        """End the progress line before an exception is shown."""
        if self.progress is not None:
            self.progress.abandon()


def _broadcast(name: str) -> Callable[..., None]:
    counted = "epoch" in name or "batch" in name

    def call_all(self: CallbackList, *args: Any) -> None:
        if len(args) == counted:
            args = (*args, {})  # hooks may be written without a default for logs
        for callback in self.callbacks:
            getattr(callback, name)(*args)

    call_all.__name__ = name
    call_all.__doc__ = f"Call ``{name}`` of every callback."
    return call_all


for _name in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(CallbackList, _name, _broadcast(_name))


def _flatten(callbacks: Any) -> Iterable[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for item in callbacks:
            yield from _flatten(item)
    elif isinstance(callbacks, type):
        raise TypeError(f"callbacks holds the class {callbacks.__name__}; make an object of it: {callbacks.__name__}()")
    elif not isinstance(callbacks, Callback):
        raise TypeError(f"callbacks must be objects of fastmlp.callbacks.Callback, got {callbacks!r:.80}")
    else:
        yield callbacks
