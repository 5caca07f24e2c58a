"""The loop over the epochs of ``fit``: training, validation and callbacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import fastmlp._training.epoch_loop as epoch_loop
from fastmlp._engine import backends, ema
from fastmlp._engine.network import Network
from fastmlp._training.accumulators import EngineCall, MetricAccumulator
from fastmlp._training.arguments import diverged
from fastmlp._training.compile_config import CompileConfig
from fastmlp._training.epoch_loop import BatchRun, abandoning, run_batches
from fastmlp._training.state import FitState
from fastmlp.callbacks import CallbackList
from fastmlp.errors import NonFiniteLossError

__all__ = ["FitLoop", "Validation"]


class Model(epoch_loop.Model, Protocol):
    """The attributes of a model that the loop uses."""

    epochs_trained: int


@dataclass(frozen=True, slots=True)
class Validation:
    """Validation after epochs."""

    evaluate: Callable[[CallbackList], MetricAccumulator]
    is_due: Callable[[int], bool]
    """Returns whether to validate after an epoch, counted from 1."""


class FitLoop:
    """The loop over the epochs of ``fit``.

    Args:
        model: The model.
        config: The arguments of its ``compile``.
        network: Its network.
        begin_epoch: Returns the batches of the next epoch, given the number of batches that were completed before.
        train: A call of the engine.
        validation: Validation after epochs, or None.
        listeners: The callbacks.
        progress: The position in training, which a callback may change at the start.
    """

    def __init__(
        self,
        model: Model,
        config: CompileConfig,
        network: Network,
        begin_epoch: Callable[[int], BatchRun],
        train: EngineCall,
        validation: Validation | None,
        listeners: CallbackList,
        progress: FitState,
    ) -> None:
        self._model, self._config, self._network = model, config, network
        self._begin_epoch, self._train, self._validation = begin_epoch, train, validation
        self._listeners, self._progress = listeners, progress
        self._last: dict[str, MetricAccumulator] = {}
        """The last accumulators of training and of validation."""

    def run(self, epochs: int) -> None:
        """Train up to the final epoch index ``epochs``, as in ``fit``."""
        model, listeners = self._model, self._listeners
        model.stop_training = False
        model.fit_progress = self._progress
        logs: dict[str, Any] = {}
        try:
            with abandoning(listeners):
                listeners.on_train_begin()
                for epoch in range(self._progress.epoch, epochs):
                    listeners.on_epoch_begin(epoch)
                    logs = self._train_epoch(epoch)
                    if not logs:
                        break  # end of the data
                    logs = dict(sorted({**logs, **self._validate(epoch)}.items()))
                    listeners.on_epoch_end(epoch, logs)
                    if model.stop_training:
                        break
                for accumulator in self._last.values():
                    accumulator.finish()
                if self._config.optimizer.use_ema:
                    ema.finish(self._network, listeners.callbacks)
                listeners.on_train_end(logs)
        finally:
            model.fit_progress = None

    def _train_epoch(self, epoch: int) -> dict[str, Any]:
        """Train one epoch and return its logs, which are empty if there was no data."""
        batches = self._begin_epoch(self._progress.batches)
        accumulator = self._last["train"] = batches.accumulator
        self._progress.begin_epoch(epoch, accumulator)
        try:
            logs = run_batches(self._model, self._train, batches, self._listeners, "train")
        except NonFiniteLossError as error:
            batch = error.batch - batches.first
            if not self._listeners._accepts_divergence(batch):
                raise diverged(error, batch, epoch, self._config) from None
            logs = {**accumulator.logs(), "loss": math.nan}
            self._model.stop_training = True
        if self._config.optimizer.rounds_updates:
            backends.flush(self._network)
        if logs:
            self._progress.end_epoch()
            self._model.epochs_trained += 1
        return logs

    def _validate(self, epoch: int) -> dict[str, Any]:
        """Validate if it is due after this epoch, and return the logs."""
        if self._validation is None or not self._validation.is_due(epoch + 1):
            return {}
        accumulator = self._last["validation"] = self._validation.evaluate(self._listeners)
        return {f"val_{name}": value for name, value in accumulator.values().items()}
