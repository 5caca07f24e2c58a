"""The callback that measures, and if wanted stores, the running average of the weights instead of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastmlp._base import checks
from fastmlp._engine import ema
from fastmlp.callbacks.base import Callback, Logs

__all__ = ["SwapEMAWeights"]


class SwapEMAWeights(Callback):
    """Exchange the weights and their running average for validation, ``evaluate`` and ``predict`` (Polyak & Juditsky 1992).

    The optimizer has to keep such an average: ``use_ema=True``.

    Args:
        swap_on_epoch: Whether the average also stands in the model from the end of an epoch to the beginning of the next, for callbacks
            that come after this one, such as one that saves the model.

    Example:

    >>> import numpy as np
    >>> from fastmlp import callbacks, layers, models, optimizers
    >>> model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    >>> model.compile(optimizer=optimizers.Adam(use_ema=True), loss="mse")
    >>> history = model.fit(np.eye(2), np.ones(2), verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    """

    average_in_model = False
    """Whether average and weights have changed places just now."""

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = checks.check_bool("swap_on_epoch", swap_on_epoch)

    def _swap(self, wanted: bool) -> None:
        """Exchange them unless the average is in the model, or out of it, as wanted."""
        if not self.model.optimizer.use_ema:
            raise ValueError(f"SwapEMAWeights needs an optimizer that averages: {type(self.model.optimizer).__name__}(use_ema=True)")
        if self.average_in_model != wanted and self.model.network.iterations:
            ema.swap(self.model.network)
            self.average_in_model = wanted

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.average_in_model = False  # fit has ended with the average in both places

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def _fit_state(self) -> dict[str, Any]:
        return {"average_in_model": self.average_in_model}

    def _restore_fit_state(self, state: Mapping[str, Any]) -> None:
        self.average_in_model = state["average_in_model"]
