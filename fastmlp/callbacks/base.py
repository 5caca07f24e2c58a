"""The base class of callbacks: the methods that ``fit``, ``evaluate`` and ``predict`` call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypedDict

from fastmlp._base import keywords

__all__ = ["Callback"]

Logs: TypeAlias = Mapping[str, Any]
"""Metrics by name: a float, or an array for a metric with several values; for batches of ``predict`` their ``outputs``."""


class Params(TypedDict):
    """What callbacks know of the call."""

    verbose: int
    epochs: int
    """Number of epochs."""
    steps: int | None
    """Batches per epoch, or None if unknown."""


class Callback:
    """Base class of callbacks; override the methods you need.

    Attributes:
        model: The model; ``self.model.stop_training = True`` ends training after the current batch or epoch.
        params: ``{"verbose": …, "epochs": …, "steps": …}``; ``steps`` are the batches per epoch, or None if unknown.

    Example:

    >>> from fastmlp.callbacks import Callback
    >>> class HalveLearningRate(Callback):
    ...     def on_epoch_begin(self, epoch, logs=None):
    ...         if epoch and epoch % 10 == 0:
    ...             self.model.optimizer.learning_rate /= 2
    """

    model: Any = None  # Any, since subclasses use everything a model has, and models import callbacks
    params: Params | None = None
    _runs_last: bool = False
    """Whether it is called after all others, to see what they have done."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keywords.constructors_answer(cls)

    def set_params(self, params: Params) -> None:
        """Called before anything else with ``verbose``, ``epochs`` and ``steps``."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before anything else with the model."""
        self.model = model

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called at the start of an epoch; ``epoch`` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called at the end of an epoch, after validation; ``logs`` holds ``loss``, the metrics, and the same with the prefix ``val_``."""

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Alias of :meth:`on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Alias of :meth:`on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training batch; ``batch`` counts from 0 within the epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training batch; ``logs`` holds the means over the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of ``evaluate`` or of validation in ``fit``."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of ``evaluate`` or of validation in ``fit``."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of ``predict``."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of ``predict``; ``logs["outputs"]`` holds the predictions."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of ``fit``."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called at the end of ``fit``, unless it raises; ``logs`` are those of the last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of ``evaluate`` or validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called at the end of ``evaluate`` or validation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called at the start of ``predict``."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called at the end of ``predict``."""

    # Between the engine's calls, about every 50 ms. Unlike the batch methods, these do not make training run one batch per call.

    def _batches_until_pause(self) -> int | None:
        """The number of batches after which :meth:`_pause` must be called; None for any number."""
        return None

    def _pause(self, batch: int, logs: Logs, samples: int) -> None:
        """Called between two calls of the engine.

        Args:
            batch: The last completed batch, counted from 0 within the epoch.
            logs: The means over the epoch so far.
            samples: The number of samples in these means.
        """

    def _accepts_divergence(self, batch: int) -> bool:
        """Whether to end training without an exception when the loss of this batch is not finite; the weights are those before it."""
        return False

    def _abandon(self) -> None:
        """Called when an exception ends training, to release resources."""

    # For BackupAndRestore, see fastmlp/_training/state.py

    def _fit_state(self) -> dict[str, Any]:
        """The state that an interrupted ``fit`` needs to continue: JSON values, and lists of float32 arrays."""
        return {}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        """Continue from a :meth:`_fit_state`; called after ``on_train_begin``."""
