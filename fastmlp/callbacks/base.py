"""What every callback can do: the methods that ``fit``, ``evaluate`` and ``predict`` call as they go along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp._base import keywords

__all__ = ["Callback"]

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
    _runs_last: bool = False
    """Whether it is called after those behind it: it looks at what the others have done."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        keywords.constructors_answer(cls)

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

    # Between the engine's calls. Training is back in Python about every 50 ms; who listens here does not make it go batch by batch.

    def _batches_until_pause(self) -> int | None:
        """How many batches may run before :meth:`_pause` has to be called; None for any number."""
        return None

    def _pause(self, batch: int, logs: Logs, rows: int) -> None:
        """Called between two batches whenever training is back in Python.

        Args:
            batch: The last batch done, from 0 in each epoch.
            logs: The means of the epoch so far.
            rows: The rows they were taken over.
        """

    def _accepts_divergence(self, batch: int) -> bool:
        """Whether training should end without an exception when the loss of this batch is not finite; the weights are those before it."""
        return False

    def _abandon(self) -> None:
        """Called when an exception ends training: give back what is held."""

    # For BackupAndRestore

    def _fit_state(self) -> dict[str, Any]:
        """What an interrupted ``fit`` needs to go on: JSON values, and lists of float32 arrays."""
        return {}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`_fit_state`; called after ``on_train_begin``."""
