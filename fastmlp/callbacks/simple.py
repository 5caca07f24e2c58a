"""Short callbacks: LambdaCallback, LearningRateScheduler and TerminateOnNaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._base import checks, progress
from fastmlp.callbacks.base import Callback, Logs

__all__ = ["LambdaCallback", "LearningRateScheduler", "TerminateOnNaN"]


class LambdaCallback(Callback):
    """Make a callback from functions.

    Args:
        on_epoch_begin: Called with ``(epoch, logs)``.
        on_epoch_end: Called with ``(epoch, logs)``.
        on_train_begin: Called with ``(logs)``.
        on_train_end: Called with ``(logs)``.
        on_train_batch_begin: Called with ``(batch, logs)``; training then runs one batch per call into the engine.
        on_train_batch_end: Called with ``(batch, logs)``; training then runs one batch per call into the engine.
        hooks: Functions for any other method of :class:`Callback`, such as ``on_test_end``.

    Example:

    >>> from fastmlp.callbacks import LambdaCallback
    >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
        **hooks: Callable[..., object] | None,
    ) -> None:
        hooks |= {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        known = {name for name in vars(Callback) if name.startswith("on_")}
        for name, function in hooks.items():
            if name not in known:
                raise TypeError(f"callbacks have no method {name!r}; choose from {', '.join(sorted(known))}")
            if function is not None:
                setattr(self, name, function)


class LearningRateScheduler(Callback):
    """Set the learning rate at the start of every epoch. The history gets ``learning_rate``.

    For a learning rate that changes with every minibatch, pass one of :mod:`fastmlp.optimizers.schedules` to the optimizer instead.

    Args:
        schedule: Function of the epoch, counted from 0, and the current learning rate, or of the epoch alone, that returns the new learning
            rate, a float.
        verbose: 1 to print a message for each epoch.

    Raises:
        TypeError: At the first epoch, if the optimizer follows a schedule.
        ValueError: The function does not return a float.

    Example:

    >>> from fastmlp.callbacks import LearningRateScheduler
    >>> decay = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.9)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch, got {schedule!r:.80}")
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, optimizer.rate)
        except TypeError:  # it takes the epoch alone; if this was not the reason, the next call raises the error
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(f"the schedule must return a float, got {rate!r:.80} for epoch {epoch}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            progress.write(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {float(rate)}.\n")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.rate


class TerminateOnNaN(Callback):
    """Stop training when the loss becomes NaN or infinite.

    Without it ``fit`` raises :class:`~fastmlp.NonFiniteLossError`. With it ``fit`` ends as if it had been stopped: the epoch's ``loss`` is
    NaN in the history, and the end of the epoch and of training is reported to the other callbacks. In both cases the weights are those
    before the batch whose loss was not finite; in Keras they are NaN.

    Args:
        raise_error: Whether to raise a RuntimeError instead.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models, optimizers
    >>> model = models.Sequential([layers.Dense(1, input_shape=(1,))])
    >>> model.compile(optimizer=optimizers.SGD(1e30), loss="mse")
    >>> history = model.fit(np.ones((8, 1)), np.zeros(8), epochs=9, batch_size=2, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    Batch 1: Invalid loss, terminating training
    >>> history.epoch
    [0]
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = checks.check_bool("raise_error", raise_error)

    def _accepts_divergence(self, batch: int) -> bool:
        if self.raise_error:
            raise RuntimeError(f"NaN or Inf loss encountered at batch {batch}; the weights are those before it")
        progress.write(f"Batch {batch}: Invalid loss, terminating training\n")
        return True
